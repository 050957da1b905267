import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const lib = fileURLToPath(new URL('../../../lib/', import.meta.url));
const sources = (folder: string, form: RegExp) =>
  readdirSync(lib + folder)
    .filter((name) => form.test(name))
    .map((name) => `${lib}${folder}/${name}`);
const importsOf = (file: string) =>
  [...readFileSync(file, 'utf8').matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)['"]([^'"]+)['"]/g)].map(
    (match) => match[1] ?? '',
  );

/** Everything that the core reaches, itself included. */
function reached(files: string[], seen = new Set<string>()): Set<string> {
  for (const file of files.filter((name) => !seen.has(name))) {
    seen.add(file);
    const relative = importsOf(file).filter((name) => name.startsWith('.'));
    reached(
      relative.map((name) => resolve(dirname(file), name.replace(/\.js$/, '.ts'))),
      seen,
    );
  }
  return seen;
}

describe('the core of the Defender', () => {
  const core = [...sources('defender', /\.ts$/), ...sources('token', /^mint.*\.ts$/)];
  const eventSource = `${lib}defender/event-source.ts`;
  const all = [...reached(core)].filter((file) => file !== eventSource);

  it('leaves the library of event streams to the subpath that is named after it', () => {
    expect(importsOf(eventSource).filter((name) => !name.startsWith('.'))).toEqual(['eventsource']);
    expect([...reached([`${lib}defender/index.ts`, `${lib}defender/axios.ts`])]).not.toContain(eventSource);
  });

  it('imports jose and nothing else from outside, in no file that it reaches', () => {
    const outside = all.flatMap(importsOf).filter((name) => !name.startsWith('.'));
    expect([...new Set(outside)]).toEqual(['jose']);
    expect(outside.some((name) => name.startsWith('node:') || builtinModules.includes(name))).toBe(false);
  });

  it('reaches token types and mint functions only', () => {
    const allowed = /^(defender\/[a-z-]+|token\/mint[a-z-]*|token\/claims\.types)\.ts$/;
    expect(all.map((file) => file.slice(lib.length)).filter((file) => !allowed.test(file))).toEqual([]);
    expect(all.length).toBeGreaterThan(10);
  });

  it('names no global of Node', () => {
    const nodeOnly = /\b(process|Buffer|require|__dirname|setImmediate)\s*[.(]/;
    expect(core.filter((file) => nodeOnly.test(readFileSync(file, 'utf8')))).toEqual([]);
  });
});
