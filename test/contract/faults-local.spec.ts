import type { DataSource } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TabHealth } from '../../lib/health/tab-health.js';
import { memoryStores } from '../../lib/stores/memory/index.js';
import type { TabStores } from '../../lib/stores/stores.types.js';
import { aKey, anInstance, NOW } from '../../lib/testing/contract/factories.js';
import { TestClock } from '../utils/core/index.js';
import { connectTo, engine, storesOf, type TestDatabase } from './engines.js';

/* What a disk and a clock do to claims, where there is no network. */

const UNAVAILABLE = { code: 'store_unavailable' };
const keys = (count: number): string[] => Array.from({ length: count }, aKey);
const claimAll = (stores: TabStores, wanted: readonly string[]) =>
  Promise.allSettled(wanted.map((key) => stores.nonces.claim(key, NOW + 180)));
const acceptedOf = (wanted: readonly string[], outcomes: readonly PromiseSettledResult<boolean>[]): string[] =>
  wanted.filter((_, index) => {
    const each = outcomes[index];
    if (each?.status === 'rejected') expect(each.reason).toMatchObject(UNAVAILABLE);
    return each?.status === 'fulfilled' && each.value;
  });

describe('SQLite', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let stores: TabStores;

  beforeEach(async () => {
    database = await engine('SQLite file').create();
    dataSource = await connectTo(database);
    stores = await storesOf(dataSource);
  });
  afterEach(async () => {
    await dataSource.destroy();
    await database.drop();
  });

  const limitPages = async (pages: number): Promise<void> => {
    await dataSource.query(`PRAGMA max_page_count = ${pages}`);
  };

  it.each([1, 50])(
    'a disk that is full refuses; what it refused is claimed once when there is room: %i at a time',
    async (size) => {
      const [row]: { page_count: number }[] = await dataSource.query('PRAGMA page_count');
      await limitPages((row?.page_count ?? 0) + 4);
      const won: string[] = [];
      const refused: string[] = [];
      while (refused.length === 0) {
        const wanted = keys(size);
        const accepted = acceptedOf(wanted, await claimAll(stores, wanted));
        won.push(...accepted);
        // A batch is written as a whole or not at all.
        expect([0, size]).toContain(accepted.length);
        if (accepted.length === 0) refused.push(...wanted);
      }
      expect(won.length).toBeGreaterThan(0);
      expect(acceptedOf(won, await claimAll(stores, won))).toEqual([]);
      await limitPages(1_000_000);
      expect(acceptedOf(won, await claimAll(stores, won))).toEqual([]);
      expect(acceptedOf(refused, await claimAll(stores, refused))).toEqual(refused);
      expect(acceptedOf(refused, await claimAll(stores, refused))).toEqual([]);
    },
  );

  it('a file that may only be read refuses claims and enrolments, and still answers who somebody is', async () => {
    const instance = anInstance();
    await stores.bindings.saveInstance(instance);
    await dataSource.query('PRAGMA query_only = ON');
    const wanted = keys(10);
    expect(acceptedOf(wanted, await claimAll(stores, wanted))).toEqual([]);
    await expect(stores.bindings.saveInstance(anInstance())).rejects.toMatchObject(UNAVAILABLE);
    expect((await stores.bindings.load({ instanceId: instance.id })).instance?.id).toBe(instance.id);
    const health = new TabHealth({ ...stores, clock: Date.now, healthTimeout: 5_000 });
    expect(await health.check()).toMatchObject({ status: 'down', nonces: 'down', bindings: 'up' });
    await dataSource.query('PRAGMA query_only = OFF');
    expect(acceptedOf(wanted, await claimAll(stores, wanted))).toEqual(wanted);
  });

  it('a clock that was 15 s ahead sweeps and steps back: nothing that may still be presented is forgotten', async () => {
    const wanted = keys(10);
    await claimAll(stores, wanted);
    await stores.nonces.sweep(NOW + 65 + 15 + 15, 500);
    expect(acceptedOf(wanted, await claimAll(stores, wanted))).toEqual([]);
  });
});

describe('memory', () => {
  it('a clock that steps forward and back, as far as nodes may differ: no token is accepted twice', async () => {
    const clock = new TestClock();
    const stores = memoryStores({ clock: clock.read });
    const wanted = keys(20);
    expect(acceptedOf(wanted, await claimAll(stores, wanted))).toEqual(wanted);
    // A token of this second may be presented for 65 s; the clock of the node wanders by 15 s to both sides meanwhile.
    for (const step of [15, -30, 60, -45, 65, -30, 30]) {
      clock.advance(step);
      await stores.nonces.sweep(clock.seconds, 500);
      expect(acceptedOf(wanted, await claimAll(stores, wanted))).toEqual([]);
    }
  });

  it('full refuses, forgets nothing, and takes claims again when the old ones are over', async () => {
    const clock = new TestClock();
    const stores = memoryStores({ clock: clock.read, maxNonces: 50 });
    const [first, more] = [keys(50), keys(10)];
    expect(acceptedOf(first, await claimAll(stores, first))).toEqual(first);
    expect(acceptedOf(more, await claimAll(stores, more))).toEqual([]);
    expect(acceptedOf(first, await claimAll(stores, first))).toEqual([]);
    clock.advance(181);
    const late = Promise.all(more.map((key) => stores.nonces.claim(key, clock.seconds + 180)));
    expect(await late).toEqual(more.map(() => true));
  });
});
