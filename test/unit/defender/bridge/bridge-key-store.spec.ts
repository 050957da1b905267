import { createPublicKey, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  bridgeKeyStore,
  type BridgeKeyStoreOptions,
  type NativeBridge,
} from '../../../../lib/defender/bridge/index.js';
import { DefenderError, type DefenderState } from '../../../../lib/defender/index.js';
import { failure } from '../harness.js';
import { aBridge } from './fake-bridge.js';

const STATE: DefenderState = {
  instanceId: 'i'.repeat(43),
  apis: { 'https://api.example.com': { enrolledAt: 1, skew: -2, session: { id: 's'.repeat(22), expires: 3 } } },
};
const never = () => new Promise<never>(() => undefined);

/** What loading, and then signing, fails with. */
async function failureOf(change: Partial<NativeBridge>, options: BridgeKeyStoreOptions = {}): Promise<DefenderError> {
  const work = async () => (await bridgeKeyStore(aBridge(change), options).loadKey()).sign(Buffer.from('data'));
  const error = await failure(work());
  expect(error).toBeInstanceOf(DefenderError);
  expect((error as DefenderError).code).toBe('key_store');
  return error as DefenderError;
}

describe('bridgeKeyStore', () => {
  it('makes one key, keeps it, and signs with it as JWS has it', async () => {
    const bridge = aBridge();
    const store = bridgeKeyStore(bridge);
    const [first, second] = await Promise.all([store.loadKey(), store.loadKey()]);
    expect(second).toBe(first);
    expect(bridge.of('generateKey')).toEqual([{ alias: 'nestjs-tab' }]);
    const again = await bridgeKeyStore(bridge).loadKey();
    expect(again.publicKey).toEqual(first.publicKey);
    const data = Buffer.from('header.payload');
    const signature = await again.sign(data);
    const key = createPublicKey({ key: { ...first.publicKey }, format: 'jwk' });
    expect(verify('sha256', data, { key, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true);
    expect(bridge.of('sign')).toEqual([{ alias: 'nestjs-tab', data: data.toString('base64') }]);
  });

  it('takes a signature of r ‖ s as it is', async () => {
    const raw = Buffer.alloc(64, 1);
    const key = await bridgeKeyStore(aBridge({ sign: async () => ({ raw: raw.toString('base64') }) })).loadKey();
    expect(await key.sign(Buffer.from('data'))).toEqual(new Uint8Array(raw));
  });

  it('keeps its state in the shell, under its own alias', async () => {
    const bridge = aBridge();
    const store = bridgeKeyStore(bridge, { alias: 'bank' });
    expect(await store.loadState()).toBeUndefined();
    await store.saveState(STATE);
    expect(await bridgeKeyStore(bridge, { alias: 'bank' }).loadState()).toEqual(STATE);
    expect(await bridgeKeyStore(bridge, { alias: 'other' }).loadState()).toBeUndefined();
  });

  it('forgets key and state, and makes another key', async () => {
    const bridge = aBridge();
    const store = bridgeKeyStore(bridge);
    const { publicKey } = await store.loadKey();
    await store.saveState(STATE);
    await store.clear();
    expect(bridge.states.size + bridge.keys.size).toBe(0);
    expect((await store.loadKey()).publicKey).not.toEqual(publicKey);
  });

  it('tries again after a failure', async () => {
    const bridge = aBridge();
    const { loadKey } = bridge;
    bridge.loadKey = () => Promise.reject(new Error('locked'));
    const store = bridgeKeyStore(bridge);
    expect(await failure(store.loadKey())).toMatchObject({ code: 'key_store' });
    bridge.loadKey = loadKey;
    await expect(store.loadKey()).resolves.toBeDefined();
  });

  it('tells a native code, and nothing that a native message quotes', async () => {
    const secret = 'eyJhbGciOiJFUzI1NiJ9.e30';
    const native = Object.assign(new Error(`cannot sign ${secret}`), { code: 'E_USER_NOT_AUTHENTICATED' });
    const error = await failureOf({ sign: () => Promise.reject(native) });
    expect(error.message).toContain('E_USER_NOT_AUTHENTICATED');
    expect(`${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`).not.toContain(secret);
    const quoted = await failureOf({ sign: () => Promise.reject(Object.assign(new Error(), { code: secret })) });
    expect(quoted.message).not.toContain(secret);
  });

  it.each<[string, Partial<NativeBridge>]>([
    [
      'loading throws at once',
      {
        loadKey: () => {
          throw new Error('no');
        },
      },
    ],
    ['loading rejects', { loadKey: () => Promise.reject(new Error('no')) }],
    ['loading answers undefined', { loadKey: async () => undefined as never }],
    ['loading answers another curve', { loadKey: async () => ({ spki: 'MAA=' }) }],
    ['making rejects', { generateKey: () => Promise.reject(new Error('no')) }],
    ['making answers no key', { generateKey: async () => null as never }],
    ['signing answers nothing', { sign: async () => undefined as never }],
    ['signing answers both forms', { sign: async () => ({ der: 'MAA=', raw: 'MAA=' }) as never }],
    ['signing answers DER as raw', { sign: async () => ({ raw: 'MAYCAQECAQE=' }) }],
    ['signing answers zeros', { sign: async () => ({ raw: Buffer.alloc(64).toString('base64') }) }],
    ['signing answers base64url', { sign: async () => ({ raw: Buffer.alloc(64, 251).toString('base64url') }) }],
    ['signing answers octets', { sign: async () => ({ raw: new Uint8Array(64).fill(1) }) as never }],
  ])('fails with key_store when %s', async (_, change) => {
    await failureOf(change);
  });

  it.each(['loadKey', 'generateKey', 'sign'] as const)('fails with key_store when %s hangs', async (method) => {
    await failureOf({ [method]: never }, { timeout: 1 });
  });

  it.each([
    ['no JSON', '{'],
    ['no object', '7'],
    ['a list', '[]'],
    ['no instance', '{"apis":{}}'],
    ['no servers', JSON.stringify({ instanceId: 'i', apis: [] })],
    ['a time in text', JSON.stringify({ instanceId: 'i', apis: { a: { enrolledAt: '1' } } })],
    ['half a session', JSON.stringify({ instanceId: 'i', apis: { a: { session: { id: 's' } } } })],
  ])('refuses a state that is %s, without quoting it', async (_, text) => {
    const error = await failure(bridgeKeyStore(aBridge({ loadState: async () => text })).loadState());
    expect(error).toMatchObject({ code: 'key_store' });
    expect((error as Error).cause).toBeUndefined();
  });

  it('refuses a state that is no text', async () => {
    const store = bridgeKeyStore(aBridge({ loadState: async () => ({}) as never }));
    expect(await failure(store.loadState())).toMatchObject({ code: 'key_store' });
  });

  it.each<[string, object, BridgeKeyStoreOptions]>([
    ['another version', { bridgeVersion: 2 }, {}],
    ['no version', { bridgeVersion: undefined }, {}],
    ['an alias that is a path', {}, { alias: '../other' }],
    ['an empty alias', {}, { alias: '' }],
    ['no time', {}, { timeout: 0 }],
  ])('is not made with %s', (_, change, options) => {
    expect(() => bridgeKeyStore(aBridge(change), options)).toThrow(TypeError);
  });
});
