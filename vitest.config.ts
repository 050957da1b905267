import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const lib = (path: string) => fileURLToPath(new URL(`./lib/${path}`, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: /^nestjs-tab$/, replacement: lib('index.ts') },
      { find: /^nestjs-tab\/typeorm$/, replacement: lib('stores/typeorm/index.ts') },
      { find: /^nestjs-tab\/terminus$/, replacement: lib('health/terminus/index.ts') },
      { find: /^nestjs-tab\/redis$/, replacement: lib('stores/redis/index.ts') },
      { find: /^nestjs-tab\/(passport|attestation|defender|testing)$/, replacement: lib('$1/index.ts') },
      { find: /^nestjs-tab\/defender\/(node|web|bridge)$/, replacement: lib('defender/$1/index.ts') },
      { find: /^nestjs-tab\/defender\/(axios|event-source)$/, replacement: lib('defender/$1.ts') },
    ],
  },
  test: {
    include: ['test/**/*.spec.ts'],
    setupFiles: ['test/utils/jwk-export.ts'],
    // All cores: specs wait for servers and databases much of their time.
    maxWorkers: '100%',
    testTimeout: 30_000,
    hookTimeout: 60_000,
    coverage: {
      provider: 'v8',
      include: ['lib/**/*.ts'],
      thresholds: {
        'lib/token/**': { lines: 95 },
        'lib/trust/**': { lines: 95 },
        'lib/verifier/**': { lines: 95 },
      },
    },
  },
});
