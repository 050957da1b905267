import { describe, expect, it } from 'vitest';
import { OpenCalls } from '../../../lib/errors/open-calls.js';
import { instrumentStores } from '../../../lib/telemetry/instrument-stores.js';
import { memoryStores } from '../../../lib/stores/memory/index.js';

const UNAVAILABLE = { code: 'store_unavailable', hints: { retryAfter: 2 } };

describe('calls without an answer', () => {
  it('are bounded: what is above is refused at once and not called, until some are settled', async () => {
    const calls = new OpenCalls('store', 3);
    const settle: ((how: 'resolve' | 'reject') => void)[] = [];
    const call = (): Promise<string> =>
      new Promise((resolve, reject) => {
        settle.push((how) => (how === 'resolve' ? resolve('done') : reject(new Error('lost'))));
      });
    const open = [calls.run(call), calls.run(call), calls.run(call)];
    await expect(calls.run(call)).rejects.toMatchObject(UNAVAILABLE);
    expect([settle.length, calls.open]).toEqual([3, 3]);
    settle[0]?.('reject');
    await expect(open[0]).rejects.toThrow('lost');
    const later = calls.run(call);
    await expect(calls.run(call)).rejects.toMatchObject(UNAVAILABLE);
    for (const each of settle.slice(1)) each('resolve');
    expect(await Promise.all([open[1], open[2], later])).toEqual(['done', 'done', 'done']);
    expect(calls.open).toBe(0);
  });

  it('count when the call throws at once', async () => {
    const calls = new OpenCalls('store', 1);
    for (let i = 0; i < 3; i++) {
      await expect(
        calls.run(() => {
          throw new Error('not connected');
        }),
      ).rejects.toThrow('not connected');
    }
    expect(calls.open).toBe(0);
  });

  it('of a store are claims and loads, each for itself', async () => {
    const stores = memoryStores();
    const never = () => new Promise<never>(() => undefined);
    let called = 0;
    stores.nonces.claim = () => ((called += 1), never());
    stores.bindings.load = () => ((called += 1), never());
    const { nonces, bindings } = instrumentStores(stores, 5);
    for (let i = 0; i < 5; i++) {
      void nonces.claim('k', 1);
      void bindings.load({ instanceId: 'i' });
    }
    await expect(nonces.claim('k', 1)).rejects.toMatchObject(UNAVAILABLE);
    await expect(bindings.load({ instanceId: 'i' })).rejects.toMatchObject(UNAVAILABLE);
    expect(called).toBe(10);
  });
});
