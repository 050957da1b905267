import assert from 'node:assert/strict';
import type { BindingStore } from '../../bindings/binding-store.js';
import { bound, enrolled } from './arrange.js';
import { caseBuilder, type ContractCase, type OpenBindingStore } from './contract.types.js';
import { anEnding, aSession, NOW } from './factories.js';

/** Sweeping: what is over goes, a little at a time, and nothing else. */
export function sweepCases(open: OpenBindingStore): ContractCase[] {
  const define = caseBuilder(open);
  const sweepOf = (store: BindingStore, limit: number) =>
    store.sweep({ sessionsBefore: NOW, unattestedBefore: NOW, breachesBefore: NOW, limit });
  return [
    define('sweep deletes sessions that are over, a few at a time, and no others', async ({ store }) => {
      const instance = await enrolled(store);
      for (let count = 0; count < 3; count++) await bound(store, instance, { subject: 'swept', expiresAt: NOW - 1 });
      for (let count = 0; count < 2; count++) {
        const session = await bound(store, instance, { subject: 'swept' });
        await store.endSession(session.id, anEnding({ at: NOW - 1 }));
      }
      await bound(store, instance, { subject: 'swept', expiresAt: NOW });
      const ended = await bound(store, instance, { subject: 'swept' });
      await store.endSession(ended.id, anEnding({ at: NOW }));
      assert.deepEqual([await sweepOf(store, 4), await sweepOf(store, 4), await sweepOf(store, 4)], [4, 1, 0]);
      assert.equal((await store.findSessions('swept')).length, 2);
    }),

    define('sweep deletes unattested instances without sessions, if active', async ({ store }) => {
      const old = { format: 'none', assurance: 'none', createdAt: NOW - 1 } as const;
      const gone = [await enrolled(store, old), await enrolled(store, old), await enrolled(store, old)];
      const inUse = await enrolled(store, old);
      await bound(store, inUse);
      const [suspended, revoked] = [await enrolled(store, old), await enrolled(store, old)];
      await store.suspend(suspended.id, anEnding(), ['root']);
      await store.revoke(revoked.id, anEnding());
      const kept = [
        inUse,
        suspended,
        revoked,
        await enrolled(store, { ...old, createdAt: NOW }),
        await enrolled(store, { createdAt: NOW - 1 }),
      ];
      assert.deepEqual([await sweepOf(store, 2), await sweepOf(store, 2), await sweepOf(store, 2)], [2, 1, 0]);
      for (const { id } of gone) assert.equal((await store.load({ instanceId: id })).instance, undefined);
      for (const { id } of kept) assert.equal((await store.load({ instanceId: id })).instance?.id, id);
    }),

    define('a sweep beside a binding never leaves a session without its instance', async ({ store }) => {
      for (let round = 0; round < 15; round++) {
        const instance = await enrolled(store, { format: 'none', assurance: 'none', createdAt: NOW - 1 });
        const session = aSession(instance);
        const [outcome] = await Promise.all([store.bind(session), sweepOf(store, 10)]);
        const found = await store.load({ instanceId: instance.id, sessionId: session.id });
        assert.equal(found.session !== undefined, outcome === 'bound');
        assert.equal(found.instance !== undefined, outcome === 'bound');
      }
    }),
  ];
}
