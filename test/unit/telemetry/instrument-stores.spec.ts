import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BindingStore } from '../../../lib/bindings/binding-store.js';
import { NonceStore } from '../../../lib/nonces/nonce-store.js';
import { memoryStores } from '../../../lib/stores/memory/index.js';
import { instrumentStores } from '../../../lib/telemetry/instrument-stores.js';
import { bindingStoreContract, nonceStoreContract } from '../../../lib/testing/contract/index.js';
import { aWorld, outcomeOf } from '../../utils/core/index.js';
import { aKey, NOW } from '../stores/factories.js';
import { FakeOtel } from './fake-otel.js';

let otel: FakeOtel;
beforeEach(() => {
  otel = new FakeOtel().register();
});
afterEach(() => FakeOtel.unregister());

type Methods = Record<string, (...args: unknown[]) => Promise<unknown>>;

const measured = () => otel.of('tab.store.duration').map(({ attributes }) => attributes);
const fresh = () => memoryStores({ clock: () => NOW * 1000 });

describe('instrumented stores', () => {
  const open =
    <K extends 'nonces' | 'bindings'>(kind: K) =>
    async () => {
      const reopen = async () => instrumentStores(memoryStores())[kind];
      return { store: await reopen(), reopen, close: async () => undefined };
    };
  for (const { name, run } of nonceStoreContract(open('nonces'))) it(`NonceStore ${name}`, run);
  for (const { name, run } of bindingStoreContract(open('bindings'))) it(`BindingStore ${name}`, run);

  it('are measured where a request waits for them, by store and result', async () => {
    const inner = fresh();
    const { nonces, bindings } = instrumentStores(inner);
    const key = aKey();
    expect([await nonces.claim(key, NOW), await nonces.claim(key, NOW)]).toEqual([true, false]);
    await bindings.load({ instanceId: 'x' });
    vi.spyOn(inner.bindings, 'load').mockImplementation(() => {
      throw new Error('at once');
    });
    await expect(bindings.load({ instanceId: 'x' })).rejects.toThrow('at once');
    await expect(nonces.claim('too short', NOW)).rejects.toThrow(RangeError);
    expect(measured()).toEqual([
      { 'tab.store': 'nonces', 'tab.result': 'ok' },
      { 'tab.store': 'nonces', 'tab.result': 'ok' },
      { 'tab.store': 'bindings', 'tab.result': 'ok' },
      { 'tab.store': 'bindings', 'tab.result': 'error' },
      { 'tab.store': 'nonces', 'tab.result': 'error' },
    ]);
    expect(otel.points.every(({ value }) => value >= 0 && value < 60)).toBe(true);
  });

  it('pass on everything that a port has, its defaults too', async () => {
    const inner = fresh();
    const { nonces, bindings } = instrumentStores(inner);
    expect(nonces.volatility).toBe(inner.nonces.volatility);
    for (const [port, store, original] of [
      [NonceStore, nonces, inner.nonces],
      [BindingStore, bindings, inner.bindings],
    ] as const) {
      expect(store).toBeInstanceOf(port);
      const own = Object.getOwnPropertyNames(Object.getPrototypeOf(store));
      expect(own).toEqual(expect.arrayContaining(Object.getOwnPropertyNames(port.prototype)));
      for (const name of own.filter((each) => !['constructor', 'volatility', 'open'].includes(each))) {
        const method = (store as unknown as Methods)[name];
        const call = vi.spyOn(original as unknown as Methods, name).mockResolvedValue(name);
        expect(await method?.call(store, 1, 2, 3)).toBe(name);
        expect(call.mock.calls).toEqual([[1, 2, 3].slice(0, method?.length)]);
      }
    }
  });

  it('open the nonce store, where that is something to do', async () => {
    const inner = fresh();
    await expect(instrumentStores(inner).nonces.open?.()).resolves.toBeUndefined();
    const open = vi.fn(async () => undefined);
    inner.nonces.open = open;
    await instrumentStores(inner).nonces.open?.();
    expect(open).toHaveBeenCalledOnce();
  });

  it('keep whatever else the stores have', () => {
    const more = { ...fresh(), extra: 1 };
    expect(instrumentStores(more)).toMatchObject({ extra: 1 });
  });

  it('are not changed by a meter that fails', async () => {
    otel.broken = true;
    const { nonces } = instrumentStores(fresh());
    expect(await nonces.claim(aKey(), NOW)).toBe(true);
    await expect(nonces.claim('too short', NOW)).rejects.toThrow(RangeError);
  });

  it('serve a verifier as they are', async () => {
    const world = await aWorld(instrumentStores(fresh()));
    expect(outcomeOf(await world.verify())).toBe('accepted');
    expect(new Set(measured().map((attributes) => attributes['tab.store']))).toEqual(new Set(['nonces', 'bindings']));
  });
});
