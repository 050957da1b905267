import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { ownFiles } from './own-files.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** The page of the attack lab. It imports `nestjs-tab/defender` by the name of the package, as every client does. */
export default defineConfig({
  root: here('.'),
  base: '/',
  publicDir: false,
  plugins: [ownFiles()],
  build: {
    // Beside the compiled bank, which has been built before: `nest build` empties its folder.
    outDir: here('../dist/web'),
    emptyOutDir: true,
    target: 'es2022',
    // The bank's Content-Security-Policy lets no inline code through, and data: URLs neither.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
