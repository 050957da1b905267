import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build, type Plugin, type Rolldown } from 'vite';
import { describe, expect, it } from 'vitest';

const entry = fileURLToPath(new URL('../../../lib/defender/index.ts', import.meta.url));

/** The code of a browser bundle of `source`, jose left out. */
async function bundle(source: string): Promise<string> {
  const ENTRY = 'virtual:entry';
  const virtual: Plugin = {
    name: 'entry',
    enforce: 'pre',
    resolveId: (id) => (id.endsWith(ENTRY) ? `\0${ENTRY}` : undefined),
    load: (id) => (id === `\0${ENTRY}` ? source : undefined),
  };
  const output = (await build({
    configFile: false,
    logLevel: 'error',
    plugins: [virtual],
    build: {
      write: false,
      minify: true,
      target: 'es2022',
      lib: { entry: ENTRY, formats: ['es'], fileName: 'out' },
      // Vite leaves white space in a library; the application that the Defender is bundled into does not.
      rolldownOptions: { external: ['jose'], output: { minify: true } },
    },
  })) as Rolldown.RolldownOutput[];
  return output
    .flatMap(({ output: files }) => files.map((file) => (file.type === 'chunk' ? file.code : '')))
    .join('\n');
}

/** Text that stays in a minified bundle, by what brings it. */
const TRACES = { createDefender: 'Defender option', memoryKeyStore: 'generateKeyPair' };

describe('the bundle of the Defender', () => {
  it('is under 12 kB, compressed, and names no module of Node', async () => {
    const code = await bundle(`export * from ${JSON.stringify(entry)};`);
    expect(gzipSync(code).length).toBeLessThan(12_000);
    expect([...code.matchAll(/\bfrom\s*["']([^"']+)["']/g)].map((match) => match[1])).toEqual(['jose']);
    for (const trace of Object.values(TRACES)) expect(code).toContain(trace);
  });

  it('holds only what is used', async () => {
    const code = await bundle(`export { createDefender } from ${JSON.stringify(entry)};`);
    expect(code).toContain(TRACES.createDefender);
    expect(code).not.toContain(TRACES.memoryKeyStore);
    const store = await bundle(`export { memoryKeyStore } from ${JSON.stringify(entry)};`);
    expect(store).toContain(TRACES.memoryKeyStore);
    expect(store).not.toContain(TRACES.createDefender);
  });
});
