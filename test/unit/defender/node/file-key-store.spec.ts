import { spawn } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import ts from 'typescript';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DefenderState } from '../../../../lib/defender/index.js';
import { fileKeyStore, type KeyWrap } from '../../../../lib/defender/node/index.js';
import { thumbprint } from '../../../../lib/token/mint.js';
import { failure, latch } from '../harness.js';

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
    for (const call of [
      () => fileKeyStore(path).loadKey(),
      () => store.loadState(),
      () => store.saveState(state()),
      () => store.clear(),
    ]) {
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

  it('is forgotten by a store that never loaded it, and when it is gone already', async () => {
    const [store, other] = [fileKeyStore(path), fileKeyStore(path)];
    await fileKeyStore(path).clear();
    const first = await idOf(store);
    await other.clear();
    await store.clear();
    expect(readdirSync(dirname(path))).toEqual([]);
    expect(await idOf(store)).not.toBe(first);
  });

  it('stays forgotten when it is saved beside', async () => {
    const stores = [fileKeyStore(path), fileKeyStore(path)];
    for (let time = 0; time < 20; time += 1) {
      for (const store of stores) await store.loadKey();
      const saves = stores.flatMap((store) => [store.saveState(state()), store.saveState(state())]);
      await Promise.allSettled([
        ...saves,
        stores[time % 2]?.clear(),
        ...stores.map((store) => store.saveState(state())),
      ]);
      expect(readdirSync(dirname(path))).toEqual([]);
      for (const store of stores) await store.clear();
    }
  });

  it('keeps what another process has learned', async () => {
    const [one, other] = [fileKeyStore(path), fileKeyStore(path)];
    const instanceId = await idOf(one);
    await other.loadKey();
    for (const store of [one, other]) await store.loadState();
    await one.saveState({ instanceId, apis: { 'https://a.example': { skew: 3 } } });
    await other.saveState({ instanceId, apis: { 'https://b.example': { enrolledAt: 5 } } });
    await one.saveState({ instanceId, apis: { 'https://a.example': { skew: 4 } } });
    const both = { 'https://a.example': { skew: 4 }, 'https://b.example': { enrolledAt: 5 } };
    expect(await other.loadState()).toEqual({ instanceId, apis: both });
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

  it('that cannot be, is told by its path', async () => {
    await idOf();
    await expect(fileKeyStore(dirname(path)).loadKey()).rejects.toThrow(dirname(path));
    await expect(fileKeyStore(join(path, 'below')).loadKey()).rejects.toMatchObject({ code: 'key_store' });
  });
});

describe('the lock beside the key file', () => {
  const locked = async () => {
    const store = fileKeyStore(path);
    await store.loadKey();
    writeFileSync(`${path}.lock`, '');
    return store;
  };
  const hoursAgo = (hours: number) => new Date(Date.now() - hours * 3_600_000);

  it.each([1, -1])('left behind %i h ago is taken away', async (hours) => {
    const store = await locked();
    utimesSync(`${path}.lock`, hoursAgo(hours), hoursAgo(hours));
    await store.saveState(state());
    expect(readdirSync(dirname(path))).toEqual(['instance.json']);
  });

  it("makes a save wait, and is nobody else's to remove", async () => {
    const store = await locked();
    let saved = false;
    const saving = store.saveState(state()).then(() => (saved = true));
    for (let turn = 0; turn < 50; turn += 1) await setImmediate();
    expect([saved, readdirSync(dirname(path)).includes('instance.json.lock')]).toEqual([false, true]);
    rmSync(`${path}.lock`);
    expect(await saving).toBe(true);
  });

  it('that was lost on the way stops the write: a key that was cleared stays cleared', async () => {
    const plain: KeyWrap = {
      name: 'slow',
      isAvailable: () => true,
      encrypt: async (text) => (await during(), Buffer.from(text)),
      decrypt: (bytes) => Buffer.from(bytes).toString(),
    };
    let during = async () => undefined as void;
    const store = fileKeyStore(path, { wrap: plain });
    await store.loadKey();
    during = async () => {
      utimesSync(`${path}.lock`, hoursAgo(1), hoursAgo(1));
      await fileKeyStore(path, { wrap: plain }).clear();
    };
    await expect(store.saveState(state())).rejects.toMatchObject({ code: 'key_store' });
    expect(readdirSync(dirname(path))).toEqual([]);
  });
});

describe('a race for the first key', () => {
  it('has one winner within a process', async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, () => idOf()));
    expect(new Set(ids).size).toBe(1);
    expect(readdirSync(dirname(path))).toEqual(['instance.json']);
  });

  it('has one winner between processes', async () => {
    const folder = compile(dirname(dirname(path)));
    const store = JSON.stringify(pathToFileURL(join(folder, 'defender/node/file-key-store.js')).href);
    const mint = JSON.stringify(pathToFileURL(join(folder, 'token/mint.js')).href);
    const script = `import { fileKeyStore } from ${store}; import { thumbprint } from ${mint};
      process.stdin.once('data', async () => {
        console.log(await thumbprint((await fileKeyStore(process.argv[1]).loadKey()).publicKey));
        process.exit();
      });
      console.log('ready');`;
    const processes = Array.from({ length: 6 }, () => start(['--input-type=module', '-e', script, path]));
    await Promise.all(processes.map((process) => process.ready));
    for (const process of processes) process.go();
    const ids = await Promise.all(processes.map((process) => process.output));
    expect(ids).toEqual(Array.from({ length: 6 }, () => ids[0]));
    expect(ids[0]).toBe(await idOf());
    expect(readdirSync(dirname(path))).toEqual(['instance.json']);
  });
});

/** The Defender as plain JavaScript, for processes that know no TypeScript. */
function compile(target: string): string {
  const lib = fileURLToPath(new URL('../../../../lib/', import.meta.url));
  const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
  for (const folder of ['token', 'defender', 'defender/node']) {
    mkdirSync(join(target, 'lib', folder), { recursive: true });
    for (const name of readdirSync(lib + folder).filter((entry) => entry.endsWith('.ts'))) {
      const { outputText } = ts.transpileModule(readFileSync(join(lib, folder, name), 'utf8'), {
        compilerOptions: options,
      });
      writeFileSync(join(target, 'lib', folder, name.replace(/ts$/, 'js')), outputText);
    }
  }
  writeFileSync(join(target, 'package.json'), '{"type":"module"}');
  symlinkSync(join(lib, '../node_modules'), join(target, 'node_modules'));
  return join(target, 'lib');
}

function start(args: string[]) {
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const door = latch();
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    if (text.includes('ready')) door.open();
  });
  return {
    ready: door.opened,
    go: () => child.stdin.write('go'),
    output: new Promise<string>((resolve, reject) => {
      child.on('error', reject).on('close', () => resolve(text.replace('ready', '').trim()));
    }),
  };
}
