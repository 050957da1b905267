import { chownSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  electronDefender,
  electronSafeStorage,
  fileKeyStore,
  type ElectronSafeStorageOptions,
  type KeyWrap,
  type SafeStorage,
} from '../../../../lib/defender/node/index.js';
import { thumbprint } from '../../../../lib/token/mint.js';
import { failure } from '../harness.js';

let path: string;
beforeEach(() => (path = join(mkdtempSync(join(tmpdir(), 'tab-wrap-')), 'instance.json')));
afterEach(() => rmSync(dirname(path), { recursive: true, force: true }));

/** Turns every octet round, so that the text does not show; refuses what it did not make. */
const turned = (bytes: Uint8Array) => bytes.map((octet) => octet ^ 0xff);
const seal = (text: string) => Buffer.concat([Buffer.from('sealed'), turned(Buffer.from(text))]);
const open = (bytes: Uint8Array) => {
  if (Buffer.from(bytes.subarray(0, 6)).toString() !== 'sealed') throw new Error(`cannot decrypt ${String(bytes)}`);
  return Buffer.from(turned(bytes.subarray(6))).toString();
};

const wrap = (override: Partial<KeyWrap> = {}): KeyWrap => ({
  name: 'test-wrap',
  isAvailable: () => true,
  encrypt: seal,
  decrypt: open,
  ...override,
});
/** As Electron until 45; `asynchronous` as from 46. */
const sync = (override: Partial<SafeStorage> = {}): SafeStorage => ({
  isEncryptionAvailable: () => true,
  encryptString: seal,
  decryptString: open,
  getSelectedStorageBackend: () => 'gnome_libsecret',
  ...override,
});
const asynchronous = (override: Partial<SafeStorage> = {}): SafeStorage => ({
  isAsyncEncryptionAvailable: async () => true,
  encryptStringAsync: async (text) => seal(text),
  decryptStringAsync: async (bytes) => ({ result: open(bytes), shouldReEncrypt: false }),
  getSelectedStorageBackend: () => 'gnome_libsecret',
  ...override,
});
const idOf = async (own?: KeyWrap) => thumbprint((await fileKeyStore(path, { wrap: own }).loadKey()).publicKey);
const refused = { name: 'DefenderError', code: 'key_store' };

describe('a wrapped key file', () => {
  it('shows neither key nor state, and gives both back', async () => {
    const store = fileKeyStore(path, { wrap: wrap() });
    const id = await thumbprint((await store.loadKey()).publicKey);
    const state = {
      instanceId: id,
      apis: { 'https://a.example': { session: { id: 'session-of-a-user', expires: 9 } } },
    };
    await store.saveState(state);
    const text = readFileSync(path, 'utf8');
    expect(Object.keys(JSON.parse(text))).toEqual(['version', 'wrap', 'data']);
    expect(['privateKey', 'kty', 'session-of-a-user'].filter((part) => text.includes(part))).toEqual([]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(await idOf(wrap())).toBe(id);
    expect(await fileKeyStore(path, { wrap: wrap() }).loadState()).toEqual(state);
  });

  it.each<[string, KeyWrap | undefined, KeyWrap | undefined]>([
    ['without a wrap', wrap(), undefined],
    ['of a store without one', undefined, wrap()],
    ['of another', wrap(), wrap({ name: 'other' })],
  ])('is not read %s, and not replaced', async (_, first, second) => {
    await idOf(first);
    const before = readFileSync(path, 'utf8');
    const store = fileKeyStore(path, { wrap: second });
    for (const call of [() => store.loadKey(), () => store.loadState(), () => store.clear()]) {
      await expect(call()).rejects.toMatchObject({ ...refused, message: expect.stringContaining('protected') });
    }
    expect(readFileSync(path, 'utf8')).toBe(before);
  });

  it.each<[string, Partial<KeyWrap>]>([
    ['is not available', { isAvailable: () => false }],
    ['is not available, later', { isAvailable: async () => false }],
    ['cannot say', { isAvailable: () => Promise.reject(new Error('locked')) }],
    ['cannot encrypt', { encrypt: (text) => Promise.reject(new Error(text)) }],
  ])('is not made while the protection %s', async (_, override) => {
    const error = await failure(idOf(wrap(override)));
    expect(error).toMatchObject(refused);
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('"d"');
    await expect(fileKeyStore(path, { wrap: wrap() }).loadState()).resolves.toBeUndefined();
  });

  it.each<[string, (text: string) => string]>([
    ['changed', (text) => text.replace('"data":"', '"data":"AAAA')],
    ['cut off', (text) => text.slice(0, -9)],
    [
      'with another text inside',
      () => JSON.stringify({ version: 1, wrap: 'test-wrap', data: seal('{}').toString('base64') }),
    ],
    [
      'with no JSON inside',
      () => JSON.stringify({ version: 1, wrap: 'test-wrap', data: seal('x').toString('base64') }),
    ],
  ])('%s is refused, without a new key', async (_, change) => {
    await idOf(wrap());
    const broken = change(readFileSync(path, 'utf8'));
    writeFileSync(path, broken);
    const error = await failure(idOf(wrap()));
    expect(error).toMatchObject(refused);
    expect(inspect(error, { depth: 10, showHidden: true })).not.toMatch(/sealed|AAAA|cannot decrypt/);
    expect(readFileSync(path, 'utf8')).toBe(broken);
  });

  it('is refused while the protection is away', async () => {
    await idOf(wrap());
    await expect(idOf(wrap({ isAvailable: () => false }))).rejects.toThrow('test-wrap, which is not available');
  });

  it('has one winner in a race', async () => {
    const ids = await Promise.all(Array.from({ length: 10 }, () => idOf(wrap())));
    expect(new Set(ids).size).toBe(1);
  });
});

describe('the owner of a key file', () => {
  it('is this user, whatever the mode', async (context) => {
    if (process.getuid?.() !== 0) context.skip('only root can give a file away');
    await idOf();
    chownSync(path, 12_345, 0);
    await expect(idOf()).rejects.toMatchObject({ ...refused, message: expect.stringContaining('another user') });
  });
});

describe("Electron's safeStorage", () => {
  it.each([
    ['until Electron 45', sync],
    ['from Electron 46', asynchronous],
    ['with both', () => ({ ...sync({ encryptString: () => expect.fail() }), ...asynchronous() })],
  ])('protects the key: %s', async (_, storage) => {
    const id = await idOf(electronSafeStorage(storage()));
    expect(await idOf(electronSafeStorage(storage()))).toBe(id);
    expect(readFileSync(path, 'utf8')).toContain('"wrap":"electron-safe-storage"');
    await expect(idOf()).rejects.toMatchObject(refused);
  });

  it('reads with the newer functions what the older ones wrote', async () => {
    const id = await idOf(electronSafeStorage(sync()));
    expect(await idOf(electronSafeStorage(asynchronous()))).toBe(id);
  });

  const plainText = { getSelectedStorageBackend: () => 'basic_text' };
  it.each<[string, Partial<SafeStorage>, ElectronSafeStorageOptions, boolean]>([
    ['a secret store on Linux', {}, { platform: 'linux' }, true],
    ['the fallback on Linux', plainText, { platform: 'linux' }, false],
    ['the fallback on Linux, allowed', plainText, { platform: 'linux', allowBasicText: true }, true],
    ['before the app is ready', { getSelectedStorageBackend: () => 'unknown' }, { platform: 'linux' }, false],
    ['an Electron that does not say', { getSelectedStorageBackend: undefined }, { platform: 'linux' }, false],
    ['macOS, which has one store', { getSelectedStorageBackend: undefined }, { platform: 'darwin' }, true],
    ['Windows, whatever it says', plainText, { platform: 'win32' }, true],
    [
      'allowed, but not there',
      { isEncryptionAvailable: () => false },
      { platform: 'linux', allowBasicText: true },
      false,
    ],
    ['no Keychain', { isEncryptionAvailable: () => false }, { platform: 'darwin' }, false],
  ])('%s', async (_, override, options, available) => {
    const own = electronSafeStorage(sync(override), options);
    expect(await own.isAvailable()).toBe(available);
    await (available
      ? expect(idOf(own)).resolves.toMatch(/^[\w-]{43}$/)
      : expect(idOf(own)).rejects.toMatchObject(refused));
  });

  it('keeps the receiver of the functions', async () => {
    class Storage {
      readonly #own = true;
      isEncryptionAvailable() {
        return this.#own;
      }
      encryptString(text: string) {
        return this.#own ? seal(text) : Buffer.alloc(0);
      }
      decryptString(bytes: Buffer) {
        return this.#own ? open(bytes) : '';
      }
    }
    expect(await idOf(electronSafeStorage(new Storage(), { platform: 'win32' }))).toMatch(/^[\w-]{43}$/);
  });

  it('something else is refused at once', () => {
    expect(() => electronSafeStorage({})).toThrow('Defender option safeStorage');
    expect(() => electronSafeStorage(sync({ decryptString: undefined }))).toThrow('Defender option safeStorage');
  });

  it('electronDefender keeps its key there', async () => {
    const app = { id: 'bank', ver: '1.0.0', platform: 'electron' };
    const options = {
      api: 'https://api.example.com',
      app,
      keyFile: path,
      safeStorage: asynchronous(),
      platform: 'darwin',
    };
    const id = await electronDefender(options).ready();
    expect(await idOf(electronSafeStorage(asynchronous()))).toBe(id);
  });
});
