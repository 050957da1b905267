import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DefenderState } from '../../../../lib/defender/index.js';
import { fileKeyStore } from '../../../../lib/defender/node/index.js';
import { thumbprint } from '../../../../lib/token/mint.js';
import { failure } from '../harness.js';

let path: string;
beforeEach(() => (path = join(mkdtempSync(join(tmpdir(), 'tab-key-')), 'keys', 'instance.json')));
afterEach(() => rmSync(dirname(dirname(path)), { recursive: true, force: true }));

const idOf = async (store = fileKeyStore(path)) => thumbprint((await store.loadKey()).publicKey);
const state = (override: Partial<DefenderState> = {}): DefenderState => ({ instanceId: 'x', apis: {}, ...override });
const modeOf = (file: string) => statSync(file).mode & 0o777;

describe('the key file', () => {
  it('is made for its owner only, and leaves nothing beside it', async () => {
    await idOf();
    expect(modeOf(path)).toBe(0o600);
    expect(modeOf(dirname(path))).toBe(0o700);
    expect(readdirSync(dirname(path))).toEqual(['instance.json']);
  });

  it('gives the same key to every later start, not extractable', async () => {
    const first = await idOf();
    const { privateKey, algorithm } = await fileKeyStore(path, { algorithm: 'ES384' }).loadKey();
    expect(await idOf()).toBe(first);
    expect([privateKey.extractable, privateKey.type, algorithm]).toEqual([false, 'private', 'ES256']);
  });

  it.each(['ES256', 'ES384', 'EdDSA', 'RS256', 'PS256'] as const)('holds a %s key', async (algorithm) => {
    const first = await idOf(fileKeyStore(path, { algorithm }));
    const key = await fileKeyStore(path).loadKey();
    expect(key.algorithm).toBe(algorithm);
    expect(await thumbprint(key.publicKey)).toBe(first);
    expect(Object.keys(key.publicKey).filter((name) => ['d', 'p', 'q'].includes(name))).toEqual([]);
  });

  it('keeps the state, in the same file and mode', async () => {
    const store = fileKeyStore(path);
    const id = await idOf(store);
    const saved = state({ instanceId: id, apis: { 'https://a.example': { skew: -3 } } });
    await store.saveState(saved);
    expect(await fileKeyStore(path).loadState()).toEqual(saved);
    expect(modeOf(path)).toBe(0o600);
    expect(await idOf()).toBe(id);
    expect(readdirSync(dirname(path))).toEqual(['instance.json']);
  });

  it.each([0o640, 0o604, 0o620, 0o601, 0o666])('is refused with mode %o, for reading and writing', async (mode) => {
    const store = fileKeyStore(path);
    await idOf(store);
    chmodSync(path, mode);
    for (const call of [() => fileKeyStore(path).loadKey(), () => store.loadState(), () => store.saveState(state()), () => store.clear()]) {
      await expect(call()).rejects.toMatchObject({ code: 'key_store', message: expect.stringContaining('chmod 600') });
    }
  });

  it.each([
    ['cut off', (text: string) => text.slice(0, -30)],
    ['without version', (text: string) => text.replace('"version":1', '"version":2')],
    ['with a foreign algorithm', (text: string) => text.replace('"ES256"', '"HS256"')],
    ['with another algorithm', (text: string) => text.replace('"ES256"', '"ES384"')],
    ['without private part', (text: string) => text.replace(/"d":"[^"]+",?/, '')],
    ['with a wrong private part', (text: string) => text.replace(/"d":"[^"]+"/, '"d":"SECRET_PART_OF_THE_KEY"')],
    ['with null', () => 'null'],
    ['empty', () => ''],
  ])('%s is refused, and not quoted', async (_, change) => {
    await idOf();
    const text = readFileSync(path, 'utf8');
    const secret = JSON.parse(text).privateKey.d;
    writeFileSync(path, change(text));
    const error = await failure(fileKeyStore(path).loadKey());
    expect(error).toMatchObject({ name: 'DefenderError', code: 'key_store' });
    const told = inspect(error, { depth: 10, showHidden: true });
    expect([secret, 'SECRET_PART', '"d"'].filter((part) => told.includes(part))).toEqual([]);
  });

  it('is forgotten by clear, and made anew', async () => {
    const store = fileKeyStore(path);
    const first = await idOf(store);
    await store.clear();
    expect(readdirSync(dirname(path))).toEqual([]);
    expect(await idOf(store)).not.toBe(first);
  });

  it('is not written over when another process has made a new key', async () => {
    const store = fileKeyStore(path);
    await idOf(store);
    await fileKeyStore(path).loadKey();
    rmSync(path);
    const second = await idOf();
    await expect(store.saveState(state())).rejects.toThrow('no longer holds the key');
    await expect(store.clear()).rejects.toThrow('no longer holds the key');
    expect(await idOf()).toBe(second);
  });

  it('cannot be read: says which', async () => {
    await expect(fileKeyStore(tmpdir()).loadKey()).rejects.toMatchObject({ code: 'key_store' });
    await expect(fileKeyStore(join('/proc/self/no', 'key')).loadKey()).rejects.toThrow();
  });
});

describe('a race for the first key', () => {
  it('has one winner within a process', async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, () => idOf()));
    expect(new Set(ids).size).toBe(1);
    expect(readdirSync(dirname(path))).toEqual(['instance.json']);
  });

  it('has one winner between processes that publish at once', async () => {
    // The same steps as the store takes, in plain processes: write beside, then link; the loser reads.
    const script = `const fs=require('node:fs');const [p,t]=process.argv.slice(1);fs.mkdirSync(require('node:path').dirname(p),{recursive:true});
      const key=fs.readFileSync(t,'utf8');fs.writeFileSync(t+'.x',key,{mode:0o600,flag:'wx'});
      try{fs.linkSync(t+'.x',p);console.log('won')}catch(e){console.log(e.code)}`;
    const donor = join(dirname(dirname(path)), 'donor.json');
    const donated = await idOf(fileKeyStore(donor));
    const child = run(['-e', script, path, donor]);
    const ids = await Promise.all(Array.from({ length: 4 }, () => idOf()));
    const outcome = (await child).trim();
    expect(new Set(ids).size).toBe(1);
    expect(outcome).toBe(ids[0] === donated ? 'won' : 'EEXIST');
  });
});

function run(args: string[]): Promise<string> {
  const child = spawn(process.execPath, args);
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return new Promise((resolve, reject) => child.on('error', reject).on('close', () => resolve(output)));
}
