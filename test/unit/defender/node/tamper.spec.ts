import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createManifest, tamperProbe, type Manifest } from '../../../../lib/defender/node/index.js';

let root: string;
let manifest: Manifest;
const put = (path: string, text: string) => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
};
const probe = () => tamperProbe({ root, manifest }).run();
const pipe = (path: string) => execFileSync('mkfifo', [join(root, path)]);
const sha = (text: string) => createHash('sha256').update(text).digest('base64url');

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'tab-app-'));
  put('main.js', 'main()');
  put('lib/a.mjs', 'a()');
  put('data.txt', 'text');
  put('node_modules/x/index.js', 'x()');
  manifest = await createManifest(root);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('the manifest', () => {
  it('lists every file of the app, by SHA-256', () => {
    const expected = { 'main.js': sha('main()'), 'lib/a.mjs': sha('a()'), 'data.txt': sha('text') };
    expect(manifest).toEqual({ version: 1, exclude: ['/node_modules'], files: expected });
  });

  it('lists what it is told to, and survives JSON', async () => {
    const own = await createManifest(root, { extensions: ['.txt', '.js'], exclude: ['lib'] });
    expect(Object.keys(own.files).toSorted()).toEqual(['data.txt', 'main.js', 'node_modules/x/index.js']);
    const copy: Manifest = JSON.parse(JSON.stringify(own));
    expect(await tamperProbe({ root, manifest: copy, extensions: ['.js', '.txt'] }).run()).toBe('clear');
    // What a manifest was made of does not decide what is looked at.
    expect(await tamperProbe({ root, manifest: { ...copy, extensions: ['.js', '.txt'] } as Manifest }).run()).toBe(
      'clear',
    );
    put('main', 'evil()');
    expect(await tamperProbe({ root, manifest: { ...copy, extensions: ['.js', '.txt'] } as Manifest }).run()).toBe(
      'found',
    );
    expect(await tamperProbe({ root, manifest: copy, extensions: ['.js', '.txt'] }).run()).toBe('clear');
  });
});

describe('tamper', () => {
  it.each<[string, () => void, string]>([
    ['nothing', () => undefined, 'clear'],
    ['a changed file', () => put('main.js', 'main() '), 'found'],
    ['a missing file', () => unlinkSync(join(root, 'lib/a.mjs')), 'found'],
    ['an extra code file', () => put('lib/deep/b.cjs', 'b()'), 'found'],
    ['an extra native module', () => put('x.node', ''), 'found'],
    ['a renamed file', () => (unlinkSync(join(root, 'main.js')), put('main2.js', 'main()')), 'found'],
    ['an extra link', () => symlinkSync('/tmp', join(root, 'plugins')), 'found'],
    [
      'a file turned into a link',
      () => (unlinkSync(join(root, 'main.js')), symlinkSync('lib/a.mjs', join(root, 'main.js'))),
      'found',
    ],
    ['a file called __proto__', () => put('__proto__.js', ''), 'found'],
    ['a changed file of any ending', () => put('data.txt', 'other'), 'found'],
    ['a file that require takes before main.js', () => put('main', 'evil()'), 'found'],
    ['an extra file of any ending', () => put('log.txt', ''), 'found'],
    ['a file that is left out', () => put('node_modules/y/index.js', ''), 'clear'],
    ['dependencies closer to a module', () => put('lib/node_modules/x/index.js', 'evil()'), 'found'],
    ['a history further down', () => put('lib/.git/x.js', 'evil()'), 'found'],
    ['a history that was not there', () => put('.git/x.js', 'evil()'), 'found'],
    ['a pipe', () => pipe('main.ts'), 'found'],
    ['a file turned into a pipe', () => (unlinkSync(join(root, 'main.js')), pipe('main.js')), 'found'],
  ])('%s', async (_, change, result) => {
    change();
    expect(await probe()).toBe(result);
  });

  it('reads the manifest from its file', async () => {
    const path = join(root, 'node_modules', 'manifest.json');
    writeFileSync(path, JSON.stringify(manifest));
    expect(await tamperProbe({ root, manifest: path }).run()).toBe('clear');
  });

  it('dependencies that were not there at build time', async () => {
    rmSync(join(root, 'node_modules'), { recursive: true });
    manifest = await createManifest(root);
    expect([manifest.exclude, await probe()]).toEqual([[], 'clear']);
    put('node_modules/x/index.js', 'evil()');
    expect(await probe()).toBe('found');
  });

  it('a pipe that was there before is known; one that is read would never end', async () => {
    pipe('wake');
    manifest = await createManifest(root);
    expect(await probe()).toBe('clear');
    unlinkSync(join(root, 'wake'));
    expect(await probe()).toBe('found');
  });

  it('a link that was there before: its target counts', async () => {
    symlinkSync('lib/a.mjs', join(root, 'entry'));
    manifest = await createManifest(root);
    expect(await probe()).toBe('clear');
    unlinkSync(join(root, 'entry'));
    put('entry', 'link:lib/a.mjs');
    expect(await probe()).toBe('found');
  });

  it('without a manifest it is unknown', async () => {
    expect(await tamperProbe({ root }).run()).toBe('unknown');
    for (const value of [{}, { ...manifest, version: 2 }, { ...manifest, files: [] }]) {
      expect(await tamperProbe({ root, manifest: value as Manifest }).run()).toBe('unknown');
    }
  });

  it.each<[string, () => Parameters<typeof tamperProbe>[0]]>([
    ['a manifest file that is missing', () => ({ root, manifest: join(root, 'none.json') })],
    ['a root that is missing', () => ({ root: join(root, 'none'), manifest })],
  ])('%s is an error, which is never clear', async (_, options) => {
    await expect((async () => tamperProbe(options()).run())()).rejects.toThrow('ENOENT');
  });

  it('stops when told to', async () => {
    await expect((async () => tamperProbe({ root, manifest }).run(AbortSignal.abort()))()).rejects.toThrow();
  });
});
