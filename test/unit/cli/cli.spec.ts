import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CommandError } from '../../../lib/cli/command.js';
import { run } from '../../../lib/cli/run.js';
import { tamperProbe, verifyManifest } from '../../../lib/defender/node/index.js';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;

let folder: string;
const at = (...names: string[]) => join(folder, ...names);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tab-cli-'));
  mkdirSync(at('dist', 'node_modules', 'x'), { recursive: true });
  mkdirSync(at('empty'));
  writeFileSync(at('dist', 'main.js'), 'main()');
  writeFileSync(at('dist', 'node_modules', 'x', 'index.js'), 'x()');
  writeFileSync(at('key.pem'), pem);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What a call wrote, and its status. */
async function call(...args: string[]) {
  const told = { out: '', err: '' };
  const status = await run(args, { out: (text) => (told.out += text), err: (text) => (told.err += text) });
  return { status, ...told };
}

describe('nestjs-tab manifest', () => {
  it('prints the manifest of a folder', async () => {
    const { status, out, err } = await call('manifest', at('dist'));
    expect([status, err, Object.keys(JSON.parse(out).files)]).toEqual([0, '', ['main.js']]);
  });

  it('signs it, for the tamper probe', async () => {
    const out = at('manifest.jws');
    expect(await call('manifest', at('dist'), '--sign', at('key.pem'), '--out', out)).toEqual({
      status: 0,
      out: '',
      err: '',
    });
    expect(Object.keys((await verifyManifest(readFileSync(out, 'utf8'), publicKey)).files)).toEqual(['main.js']);
    const probe = tamperProbe({ root: at('dist'), manifest: out, key: publicKey });
    expect(await probe.run()).toBe('clear');
    writeFileSync(at('dist', 'main.js'), 'evil()');
    expect(await probe.run()).toBe('found');
  });

  it('takes dependencies in, and names out', async () => {
    const filesOf = async (...args: string[]) =>
      Object.keys(JSON.parse((await call('manifest', at('dist'), ...args)).out).files).toSorted();
    writeFileSync(at('dist', 'own.js'), '');
    expect(await filesOf('--include-node-modules')).toEqual(['main.js', 'node_modules/x/index.js', 'own.js']);
    expect(await filesOf('--exclude', 'own.js', '--exclude', 'none')).toEqual(['main.js']);
    rmSync(at('dist', 'node_modules'), { recursive: true });
    expect(JSON.parse((await call('manifest', at('dist'))).out).exclude).toEqual([]);
  });

  it.each([
    ['of its folder', ['tab.json']],
    ['below its folder', ['deep', 'tab.json']],
  ])('leaves its own file %s out, and that one alone', async (_, path) => {
    mkdirSync(at('dist', 'deep'));
    const out = at('dist', ...path);
    for (let time = 0; time < 2; time += 1) expect((await call('manifest', at('dist'), '--out', out)).status).toBe(0);
    const probe = tamperProbe({ root: at('dist'), manifest: out });
    expect(await probe.run()).toBe('clear');
    mkdirSync(at('dist', 'other'));
    writeFileSync(at('dist', 'other', 'tab.json'), '{}');
    expect(await probe.run()).toBe('found');
  });

  it.each<[string, () => string[], string]>([
    ['a folder that is missing', () => [at('none')], 'folder_unreadable'],
    ['a file', () => [at('key.pem')], 'folder_unreadable'],
    ['a folder without files', () => [at('empty')], 'folder_empty'],
    ['a key that is missing', () => [at('dist'), '--sign', at('none.pem')], 'key_unreadable'],
    ['a key that is none', () => [at('dist'), '--sign', at('dist', 'main.js')], 'key_unusable'],
    ['a place that cannot be written', () => [at('dist'), '--out', at('none', 'x')], 'out_unwritable'],
  ])('%s: status 1', async (_, args, code) => {
    const { status, out, err } = await call('manifest', ...args());
    expect([status, out]).toEqual([1, '']);
    expect(err).toMatch(new RegExp(`^nestjs-tab: ${code}: .+\\n$`));
  });

  it('a key that cannot sign is not shown', async () => {
    writeFileSync(at('key.pem'), '-----BEGIN PRIVATE KEY-----\nSECRETPART\n-----END PRIVATE KEY-----\n');
    const { status, err } = await call('manifest', at('dist'), '--sign', at('key.pem'), '--out', at('out'));
    expect([status, existsSync(at('out'))]).toEqual([1, false]);
    expect(err).toMatch(/^nestjs-tab: key_unusable/);
    expect(err).not.toContain('SECRET');
  });

  it.each<[string, () => string[]]>([
    ['no folder', () => []],
    ['two folders', () => [at('dist'), at('empty')]],
    ['an unknown option', () => [at('dist'), '--public']],
    ['an option without value', () => [at('dist'), '--sign']],
  ])('%s: status 2', async (_, args) => {
    const { status, out, err } = await call('manifest', ...args());
    expect([status, out]).toEqual([2, '']);
    expect(err).toMatch(/^nestjs-tab: usage: [^\n]+\nUsage: nestjs-tab manifest <dir>/);
  });
});

describe('nestjs-tab', () => {
  it('helps', async () => {
    expect(await call('--help')).toMatchObject({ status: 0, out: expect.stringContaining('manifest <dir>'), err: '' });
    expect(await call('manifest', '--help')).toMatchObject({ status: 0, out: expect.stringContaining('Usage:') });
    expect((await call()).status).toBe(2);
  });

  it.each(['none', '__proto__', 'toString'])('knows no command %s', async (name) => {
    expect(await call(name)).toMatchObject({ status: 2, out: '', err: expect.stringContaining('there are: manifest') });
  });

  it('tells the code of a command, and nothing of an error that is none of its own', async () => {
    const told: string[] = [];
    const output = { out: () => undefined, err: (text: string) => void told.push(text) };
    const failing = (error: unknown) => ({
      x: async () => ({ usage: 'x', summary: '', run: () => Promise.reject(error as Error) }),
    });
    expect(await run(['x'], output, failing(new CommandError('own_code', 'why')))).toBe(1);
    expect(await run(['x'], output, failing(new TypeError('quotes SECRET')))).toBe(1);
    expect(await run(['x'], output, failing('SECRET'))).toBe(1);
    expect(told).toEqual([
      'nestjs-tab: own_code: why\n',
      'nestjs-tab: failed: TypeError\n',
      'nestjs-tab: failed: unknown error\n',
    ]);
  });

  it('is a program with an exit status', async () => {
    const entry = fileURLToPath(new URL('../../../lib/cli/main.ts', import.meta.url));
    expect(readFileSync(entry, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
    const output = { entryFileNames: 'main.mjs' };
    const target = { ssr: entry, outDir: at('program'), target: 'node20', rolldownOptions: { output } };
    await build({ configFile: false, logLevel: 'silent', ssr: { noExternal: true }, build: target });
    const start = (...args: string[]) =>
      spawnSync(process.execPath, [at('program', 'main.mjs'), ...args], { encoding: 'utf8' });
    expect(start('manifest', at('dist'))).toMatchObject({ status: 0, stdout: expect.stringContaining('"main.js"') });
    expect(start('manifest', at('none'))).toMatchObject({ status: 1, stdout: '' });
    expect(start('none')).toMatchObject({ status: 2, stdout: '' });
  });
});
