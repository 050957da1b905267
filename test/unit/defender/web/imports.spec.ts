import { readdirSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const lib = fileURLToPath(new URL('../../../../lib/', import.meta.url));
const importsOf = (file: string) =>
  [...readFileSync(file, 'utf8').matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)['"]([^'"]+)['"]/g)].map(
    (match) => match[1] ?? '',
  );

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

describe('the browser runtime', () => {
  const own = readdirSync(`${lib}defender/web`, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  const all = [...reached(own.map((name) => `${lib}defender/web/${name}`))];

  it('imports jose and nothing else from outside, in no file that it reaches', () => {
    const outside = all.flatMap(importsOf).filter((name) => !name.startsWith('.'));
    expect([...new Set(outside)]).toEqual(['jose']);
    expect(own.length).toBeGreaterThan(10);
  });

  it('reaches the core of the Defender, token types and mint functions only', () => {
    const allowed = /^(defender\/(web\/(worker\/)?)?[a-z-]+|token\/mint[a-z-]*|token\/claims\.types)\.ts$/;
    expect(all.map((file) => file.slice(lib.length)).filter((file) => !allowed.test(file))).toEqual([]);
  });

  it('names no global of Node', () => {
    const nodeOnly = /\b(process|Buffer|require|__dirname|setImmediate)\s*[.(]/;
    expect(all.filter((file) => nodeOnly.test(readFileSync(file, 'utf8')))).toEqual([]);
  });
});
