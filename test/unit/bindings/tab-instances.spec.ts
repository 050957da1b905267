import { describe, expect, it } from 'vitest';
import { TabInstances } from '../../../lib/bindings/tab-instances.js';
import { memoryStores } from '../../../lib/stores/memory/index.js';
import { aBreach, aHash, NOW } from '../../../lib/testing/contract/factories.js';

function setUp(change: object = {}) {
  const { bindings } = memoryStores();
  const settings = { bindings: Object.assign(bindings, change), storeTimeout: 1_000, clock: () => NOW * 1000 };
  return { bindings, instances: new TabInstances(settings) };
}

describe('TabInstances.breaches', () => {
  it('lists what broke the trust, newest first, by instance and time', async () => {
    const { bindings, instances } = setUp();
    const instanceId = aHash();
    const breaches = [aBreach({ instanceId, at: NOW - 9 }), aBreach(), aBreach({ instanceId, at: NOW - 5 })];
    for (const breach of breaches) await bindings.recordBreach(breach);
    const [old, newest, middle] = breaches;
    expect(await instances.breaches()).toEqual([newest, middle, old]);
    expect(await instances.breaches({ instanceId })).toEqual([middle, old]);
    expect(await instances.breaches({ instanceId, since: NOW - 5 })).toEqual([middle]);
    expect(await instances.breaches({ limit: 1 })).toEqual([newest]);
  });

  it('rejects when the store fails', async () => {
    const { instances } = setUp({ findBreaches: () => Promise.reject(new Error('lost')) });
    await expect(instances.breaches()).rejects.toMatchObject({ code: 'store_unavailable' });
  });
});
