import assert from 'node:assert/strict';
import type { Breach } from '../../bindings/binding.types.js';
import type { BindingStore } from '../../bindings/binding-store.js';
import { bound, enrolled } from './arrange.js';
import { caseBuilder, type ContractCase, type OpenBindingStore } from './contract.types.js';
import { aBreach, aHash, NOW, race, swapCase } from './factories.js';

/** Breaches: recorded once each, listed, and swept. */
export function breachCases(open: OpenBindingStore): ContractCase[] {
  const define = caseBuilder(open);
  return [...recordingCases(define), ...listingCases(define), ...sweepingCases(define)];
}

type Define = ReturnType<typeof caseBuilder<BindingStore>>;

const idsOf = (breaches: readonly Breach[]): string[] => breaches.map(({ id }) => id);

function recordingCases(define: Define): ContractCase[] {
  return [
    define('a breach comes back as it was recorded, of a known instance or not', async ({ store }) => {
      const instance = await enrolled(store);
      const session = await bound(store, instance);
      const breach = aBreach({ instanceId: instance.id, sessionId: session.id });
      const foreign = aBreach({ sessionId: null, threats: [], action: 'reject', detail: '', at: NOW - 1 });
      for (const one of [breach, foreign]) await store.recordBreach(one);
      assert.deepEqual(await store.findBreaches({}), [breach, foreign]);
      assert.deepEqual(await store.load({ instanceId: instance.id, sessionId: session.id }), { instance, session });
    }),

    define('every action is kept', async ({ store }) => {
      const actions = ['reject', 'suspend', 'revoke-session', 'revoke-instance'] as const;
      for (const [age, action] of actions.entries()) await store.recordBreach(aBreach({ action, at: NOW - age }));
      assert.deepEqual(
        (await store.findBreaches({})).map(({ action }) => action),
        actions,
      );
    }),

    define('a breach that is recorded again, at once or later, is kept once and as it was', async ({ store }) => {
      const breach = aBreach();
      await race(10, () => store.recordBreach(breach));
      await store.recordBreach({ ...breach, detail: 'another', action: 'reject', at: NOW + 5 });
      assert.deepEqual(await store.findBreaches({}), [breach]);
    }),

    define('breaches whose ids differ in case are different breaches', async ({ store }) => {
      const breach = aBreach({ id: `aB${aBreach().id.slice(2)}` });
      for (const id of [breach.id, swapCase(breach.id)]) await store.recordBreach({ ...breach, id });
      assert.equal((await store.findBreaches({})).length, 2);
    }),

    define('a detail of any length and content is recorded, cut to 500 characters', async ({ store }) => {
      const [long, odd] = [aBreach({ detail: `x${'𝒳é'.repeat(400)}` }), aBreach({ detail: 'a\0b\n', at: NOW - 1 })];
      for (const one of [long, odd]) await store.recordBreach(one);
      const details = (await store.findBreaches({})).map(({ detail }) => detail);
      assert.ok(details[0] !== undefined && details[0].length <= 500 && long.detail.startsWith(details[0]));
      assert.equal(Buffer.from(details[0], 'utf8').toString('utf8'), details[0]);
      assert.ok(details[1] !== undefined && details[1].startsWith('a') && details[1].endsWith('b\n'));
    }),

    define(
      'a breach with another member that does not fit is refused, and nothing of it is kept',
      async ({ store }) => {
        const { id } = aBreach();
        const wrong: Partial<Breach>[] = [
          ...['', id.slice(1), `${id}A`, `${id.slice(1)} `, `${id.slice(1)}+`].map((other) => ({ id: other })),
          { instanceId: 'x'.repeat(44) },
          { sessionId: 'x'.repeat(65) },
          { at: 1.5 },
          { at: Number.NaN },
          { code: 'x'.repeat(65) },
          { threats: Array.from({ length: 65 }, (_, index) => `x-${index}`) },
          { threats: ['x'.repeat(65)] },
          { action: 'ignore' as 'reject' },
        ];
        for (const change of wrong) await assert.rejects(store.recordBreach(aBreach(change)), RangeError);
        assert.deepEqual(await store.findBreaches({}), []);
      },
    ),
  ];
}

function listingCases(define: Define): ContractCase[] {
  return [
    define('breaches are listed newest first, by instance and from a time on', async ({ store }) => {
      const [one, other] = [`aB${aHash().slice(2)}`, aHash()];
      const ages = [30, 0, 20, 10];
      for (const age of ages) await store.recordBreach(aBreach({ instanceId: one, at: NOW - age }));
      await store.recordBreach(aBreach({ instanceId: other, at: NOW - 5 }));
      const timesOf = async (filter: Parameters<BindingStore['findBreaches']>[0]): Promise<number[]> =>
        (await store.findBreaches(filter)).map(({ at }) => NOW - at);
      assert.deepEqual(await timesOf({}), [0, 5, 10, 20, 30]);
      assert.deepEqual(await timesOf({ instanceId: one }), [0, 10, 20, 30]);
      assert.deepEqual(await timesOf({ instanceId: one, since: NOW - 20 }), [0, 10, 20]);
      assert.deepEqual(await timesOf({ since: NOW - 5 }), [0, 5]);
      assert.deepEqual(await timesOf({ limit: 2 }), [0, 5]);
      for (const instanceId of [swapCase(one), `${one} `, aHash()]) assert.deepEqual(await timesOf({ instanceId }), []);
    }),

    define('breaches of one second keep one order, whatever the limit', async ({ store }) => {
      await race(7, () => store.recordBreach(aBreach()));
      const all = idsOf(await store.findBreaches({}));
      assert.equal(new Set(all).size, 7);
      assert.deepEqual(idsOf(await store.findBreaches({ limit: 3 })), all.slice(0, 3));
    }),

    define('a list holds 100 breaches unless asked for another number within 1 to 1000', async ({ store }) => {
      await race(103, () => store.recordBreach(aBreach()));
      const lengths = [];
      for (const limit of [undefined, 103, 5000, 0, -1]) lengths.push((await store.findBreaches({ limit })).length);
      assert.deepEqual(lengths, [100, 103, 103, 1, 1]);
      await assert.rejects(store.findBreaches({ since: Number.NaN }), RangeError);
    }),
  ];
}

function sweepingCases(define: Define): ContractCase[] {
  return [
    define('sweep deletes breaches from before a time, a few at a time, and no others', async ({ store }) => {
      for (let age = -1; age < 6; age++) await store.recordBreach(aBreach({ at: NOW - age }));
      const what = { sessionsBefore: 0, unattestedBefore: 0, breachesBefore: NOW, limit: 3 };
      assert.deepEqual([await store.sweep(what), await store.sweep(what), await store.sweep(what)], [3, 2, 0]);
      assert.deepEqual(
        (await store.findBreaches({})).map(({ at }) => at),
        [NOW + 1, NOW],
      );
    }),

    define('an instance and its sessions go without their breaches', async ({ store }) => {
      const instance = await enrolled(store, { format: 'none', assurance: 'none', createdAt: NOW - 1 });
      const breach = aBreach({ instanceId: instance.id });
      await store.recordBreach(breach);
      await store.sweep({ sessionsBefore: NOW, unattestedBefore: NOW, breachesBefore: NOW, limit: 10 });
      assert.deepEqual(await store.load({ instanceId: instance.id }), {});
      assert.deepEqual(await store.findBreaches({ instanceId: instance.id }), [breach]);
    }),
  ];
}
