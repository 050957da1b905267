import assert from 'node:assert/strict';
import { caseBuilder, type ContractCase, type OpenNonceStore } from './contract.types.js';
import { aKey, race, swapCase } from './factories.js';

/** Claims that arrive at once. */
const CROWD = 50;

/**
 * The rules of `NonceStore`, as tests. Entries are claimed around the real time, so that stores with a clock of their own
 * (a Redis server's) can be tested too; no case waits.
 *
 * @param open opens an empty store for each case
 */
export function nonceStoreContract(open: OpenNonceStore): ContractCase[] {
  const define = caseBuilder(open);
  const later = (): number => Math.floor(Date.now() / 1000) + 180;
  return [
    define('of many claims of one key at once, exactly one wins', async ({ store }) => {
      for (let round = 0; round < 5; round++) {
        const key = aKey();
        // Once for the key: a claim is always made with the same expiry, which may be part of what is unique.
        const expiresAt = later();
        const wins = await race(CROWD, () => store.claim(key, expiresAt));
        assert.equal(wins.filter((won) => won).length, 1);
        assert.equal(await store.claim(key, expiresAt), false);
      }
    }),

    define('different keys at once all win', async ({ store }) => {
      const wins = await race(CROWD, () => store.claim(aKey(), later()));
      assert.deepEqual([...new Set(wins)], [true]);
    }),

    define('a claimed key loses until it has expired', async ({ store }) => {
      const key = aKey();
      const expiresAt = later();
      assert.equal(await store.claim(key, expiresAt), true);
      await store.sweep(expiresAt, 1000);
      assert.equal(await store.claim(key, expiresAt), false);
    }),

    define('after expiry a key may win again, but then once', async ({ store }) => {
      const key = aKey();
      const expiresAt = later();
      assert.equal(await store.claim(key, expiresAt), true);
      await store.sweep(expiresAt + 1, 1000);
      const wins = await race(CROWD, () => store.claim(key, expiresAt));
      assert.ok(wins.filter((won) => won).length <= 1);
    }),

    define('keys that differ in case, or by one character, are different keys', async ({ store }) => {
      const key = `${aKey().slice(0, 20)}aB`;
      const others = [swapCase(key), `${key.slice(0, 21)}b`, `_${key.slice(1)}`, `-${key.slice(1)}`];
      for (const one of new Set([key, ...others])) assert.equal(await store.claim(one, later()), true);
    }),

    define('a key of another size or alphabet is refused, never shortened', async ({ store }) => {
      const key = aKey();
      for (const bad of [
        '',
        key.slice(1),
        `${key}A`,
        `${key} `,
        `${key.slice(1)} `,
        `${key.slice(1)}+`,
        `${key.slice(1)}\0`,
      ]) {
        await assert.rejects(store.claim(bad, later()));
      }
      for (const time of [Number.NaN, -1, 1.5, 2 ** 53]) await assert.rejects(store.claim(key, time));
      assert.equal(await store.claim(key, later()), true);
    }),

    define('a restart keeps the claims, or is known by a new epoch', async ({ store, reopen }) => {
      assert.ok(reopen, 'the opened store must offer reopen()');
      const key = aKey();
      const expiresAt = later();
      assert.equal(await store.claim(key, expiresAt), true);
      const before = store.volatility;
      const restarted = await reopen();
      if (before === undefined) {
        assert.equal(restarted.volatility, undefined);
        assert.equal(await restarted.claim(key, expiresAt), false);
        return;
      }
      assert.ok(restarted.volatility && restarted.volatility.epoch !== before.epoch);
      assert.ok(
        Number.isSafeInteger(restarted.volatility.startedAt) && restarted.volatility.startedAt >= before.startedAt,
      );
    }),

    define('a store that forgets says the same of itself all its life', async ({ store }) => {
      const { volatility } = store;
      await store.claim(aKey(), later());
      assert.deepEqual(store.volatility, volatility);
      assert.ok(volatility === undefined || volatility.epoch.length >= 22);
    }),

    define('without its storage, a claim rejects', async ({ store, down }) => {
      const key = aKey();
      assert.equal(await store.claim(key, later()), true);
      if (!down) return;
      await down();
      await assert.rejects(store.claim(key, later()));
      await assert.rejects(store.claim(aKey(), later()));
    }),

    define('sweep removes what has expired, nothing else, and no more than its limit', async ({ store }) => {
      const expiresAt = later();
      const old = Array.from({ length: 7 }, aKey);
      const live = Array.from({ length: 5 }, aKey);
      for (const key of old) await store.claim(key, expiresAt);
      for (const key of live) await store.claim(key, expiresAt + 1);
      assert.equal(await store.sweep(expiresAt, 1000), 0);
      const removed = [
        await store.sweep(expiresAt + 1, 4),
        await store.sweep(expiresAt + 1, 4),
        await store.sweep(expiresAt + 1, 4),
      ];
      // Stores whose entries expire by themselves have nothing to sweep.
      assert.ok(removed.join() === '4,3,0' || removed.join() === '0,0,0', removed.join());
      for (const key of live) assert.equal(await store.claim(key, expiresAt + 1), false);
    }),

    define('sweeping while claims arrive costs no live claim', async ({ store }) => {
      const expiresAt = later();
      const keys = Array.from({ length: CROWD }, aKey);
      const [wins] = await Promise.all([
        race(CROWD, (index) => store.claim(keys[index] ?? '', expiresAt)),
        race(5, () => store.sweep(expiresAt, 10)),
      ]);
      assert.ok(wins.every((won) => won));
      for (const key of keys) assert.equal(await store.claim(key, expiresAt), false);
    }),
  ];
}
