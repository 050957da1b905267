import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build, type Plugin, type Rolldown } from 'vite';
import { describe, expect, it } from 'vitest';

const entry = fileURLToPath(new URL('../../../lib/defender/index.ts', import.meta.url));

/** The code of a browser bundle of `source`, jose left out: what is loaded at once, and what is loaded when it is needed. */
async function chunks(source: string): Promise<{ entry: string; later: string; count: number }> {
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
  const all = output.flatMap(({ output: files }) => files.filter((file) => file.type === 'chunk'));
  const code = (isDynamic: boolean) =>
    all.filter((chunk) => chunk.isDynamicEntry === isDynamic).map((chunk) => chunk.code);
  return { entry: code(false).join('\n'), later: code(true).join('\n'), count: all.length };
}

const bundle = async (source: string): Promise<string> => (await chunks(source)).entry;

/** What a bundle imports beside parts of its own. */
const outside = (code: string): string[] => {
  const names = [...code.matchAll(/\bfrom\s*["']([^"']+)["']/g)].map(([, name = '']) => name);
  return names.filter((name) => !name.startsWith('./'));
};

/** Text that stays in a minified bundle, by what brings it. */
const TRACES = { createDefender: 'Defender option', memoryKeyStore: 'generateKeyPair' };
const PROOF_KEYS = 'unwrapKey';

describe('the bundle of the Defender', () => {
  it('is under 12 kB, compressed, and names no module of Node', async () => {
    const code = await bundle(`export * from ${JSON.stringify(entry)};`);
    expect(gzipSync(code).length).toBeLessThan(12_000);
    expect(outside(code)).toEqual(['jose']);
    for (const trace of Object.values(TRACES)) expect(code).toContain(trace);
  });

  it('loads what opens proof keys when it is needed', async () => {
    const { entry: code, later, count } = await chunks(`export * from ${JSON.stringify(entry)};`);
    expect(code).not.toContain(PROOF_KEYS);
    expect(later).toContain(PROOF_KEYS);
    expect(gzipSync(later).length).toBeLessThan(2_500);
    // It imports nothing, so the bundle stays one file, as service workers want it.
    expect(later).not.toMatch(/\bfrom\s*["']/);
    expect(count).toBe(2);
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
