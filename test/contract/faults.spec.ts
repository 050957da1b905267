import type { DataSource, DataSourceOptions } from 'typeorm';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { callStore } from '../../lib/bindings/store-call.js';
import type { OpenCalls } from '../../lib/errors/open-calls.js';
import { TabHealth } from '../../lib/health/tab-health.js';
import { instrumentStores } from '../../lib/telemetry/instrument-stores.js';
import type { TabStores } from '../../lib/stores/stores.types.js';
import type { ServerDatabase } from '../../lib/stores/typeorm/database/server-database.js';
import type { Work } from '../../lib/stores/typeorm/database/statement.js';
import { aKey, anInstance, NOW } from '../../lib/testing/contract/factories.js';
import { FaultyProxy } from '../utils/faulty-proxy.js';
import { aroundStatements, driverFailure } from '../utils/intercept.js';
import { describeService, serviceAddress } from '../utils/services.js';
import { connectTo, engine, storesOf, type Engine, type TestDatabase } from './engines.js';

/*
 * What networks and servers do to a claim. After every fault: what was not known to be accepted is accepted by nobody, or
 * by one at most; the store works again; nothing waits any more. Unhandled rejections fail the run.
 */

const UNAVAILABLE = { code: 'store_unavailable' };
const TABLE = 'tab_used_nonce';
const keys = (count: number): string[] => Array.from({ length: count }, aKey);
const claimAll = (stores: TabStores, wanted: readonly string[]) =>
  Promise.allSettled(wanted.map((key) => stores.nonces.claim(key, NOW + 180)));

type Outcomes = readonly PromiseSettledResult<boolean>[];
const accepted = (outcomes: Outcomes): number =>
  outcomes.filter((each) => each.status === 'fulfilled' && each.value === true).length;
/** Those that were not even begun. */
const refusedAtOnce = (outcomes: readonly PromiseSettledResult<unknown>[]): number =>
  outcomes.filter((each) => each.status === 'rejected' && String(each.reason).includes('calls have no answer')).length;
const allRejected = (outcomes: Outcomes): void => {
  for (const each of outcomes) expect(each).toMatchObject({ status: 'rejected', reason: UNAVAILABLE });
};

/** Calls of the stores that have no answer, not even a late one. */
function waiting({ nonces, bindings }: TabStores): { claims: number; loads: number } {
  const openOf = (store: unknown): number => (store as { calls: OpenCalls }).calls.open;
  return { claims: openOf(nonces), loads: openOf(bindings) };
}

const NONE = { claims: 0, loads: 0 };

/** Calls that wait for a connection. */
function poolQueue({ driver }: DataSource): number {
  const pools = driver as unknown as {
    master?: { waitingCount: number };
    pool?: { _connectionQueue: { length: number } };
  };
  const waits = pools.master?.waitingCount ?? pools.pool?._connectionQueue.length;
  if (waits === undefined) throw new Error('no pool');
  return waits;
}

/** The database of the stores, told to give up after 300 ms instead of 15 s. */
function impatient({ bindings }: TabStores): ServerDatabase {
  const { database } = (bindings as unknown as { store: { database: ServerDatabase } }).store;
  return Object.assign(database, { patience: 300 });
}

for (const name of ['PostgreSQL', 'MariaDB']) {
  const one = engine(name);
  if (one.service) await describeService(one.service, `faults of ${name}`, () => suite(one));
}

function suite(one: Engine): void {
  const isPostgres = one.name === 'PostgreSQL';
  /** A pool of one connection. */
  const onePlace = { extra: isPostgres ? { max: 1 } : { connectionLimit: 1 } };
  let database: TestDatabase;
  let proxy: FaultyProxy;
  let direct: DataSource;
  let sources: DataSource[];

  beforeAll(async () => {
    database = await one.create();
    direct = await connectTo(database);
  });
  afterAll(async () => {
    await direct.destroy();
    await database.drop();
  });
  beforeEach(async () => {
    sources = [];
    proxy = new FaultyProxy(serviceAddress(isPostgres ? 'postgres' : 'mariadb'));
    await proxy.listen();
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    // What hangs on a lost connection is let go of first.
    proxy.refuse();
    for (const source of sources) await source.destroy();
    await proxy.close();
  });

  /** Stores of a node of their own, by way of the proxy unless told otherwise. */
  async function aNode(change: object = {}): Promise<{ source: DataSource; stores: TabStores }> {
    const options = { ...proxy.address, ...change } as Partial<DataSourceOptions>;
    const source = await connectTo(database, options, false);
    sources.push(source);
    return { source, stores: instrumentStores(await storesOf(source)) };
  }

  /** A node whose way to the database is whole. */
  const aSoundNode = () => aNode(serviceAddress(isPostgres ? 'postgres' : 'mariadb'));

  const present = async (wanted: readonly string[]): Promise<number> => {
    const list = wanted.map((key) => `'${key}'`).join(', ');
    const [row]: { n: unknown }[] = await direct.query(
      `SELECT COUNT(*) AS n FROM ${TABLE} WHERE nonce_key IN (${list})`,
    );
    return Number(row?.n);
  };

  /** The claims of both nodes, for the same keys at once: how many times any of them is accepted. */
  const acceptedByAnybody = async (wanted: readonly string[], ...nodes: readonly TabStores[]): Promise<number> => {
    let total = 0;
    for (let round = 0; round < 2; round++) {
      const outcomes = await Promise.all(nodes.map((stores) => claimAll(stores, wanted)));
      for (const each of outcomes.flat()) expect(each.status).toBe('fulfilled');
      total += accepted(outcomes.flat());
    }
    return total;
  };

  const works = async (stores: TabStores): Promise<void> => {
    const [key] = keys(1) as [string];
    expect([await stores.nonces.claim(key, NOW), await stores.nonces.claim(key, NOW)]).toEqual([true, false]);
    expect((await stores.bindings.load({ instanceId: anInstance().id })).instance).toBeUndefined();
    expect(waiting(stores)).toEqual(NONE);
  };

  it.each([1, 40])('the connection ends before the statement reaches the server: %i claims', async (count) => {
    const [{ stores }, sound] = [await aNode(), await aSoundNode()];
    await works(stores);
    const wanted = keys(count);
    void proxy.inject('cut', TABLE);
    allRejected(await claimAll(stores, wanted));
    proxy.heal();
    expect(proxy.hits).toBe(1);
    expect(await present(wanted)).toBe(0);
    expect(await acceptedByAnybody(wanted, stores, sound.stores)).toBe(count);
    await works(stores);
  });

  it.each([1, 40])('the connection ends after the commit and before the answer: %i claims', async (count) => {
    const [{ stores }, sound] = [await aNode(), await aSoundNode()];
    await works(stores);
    const wanted = keys(count);
    const hit = proxy.inject('swallow answers', TABLE);
    const outcomes = claimAll(stores, wanted);
    await hit;
    await vi.waitFor(async () => expect(await present(wanted)).toBe(count), { timeout: 10_000 });
    proxy.heal();
    proxy.cut();
    allRejected(await outcomes);
    expect(await acceptedByAnybody(wanted, stores, sound.stores)).toBe(0);
    await works(stores);
  });

  it('nothing answers: the caller is refused at its deadline, and the late answer accepts nothing', async () => {
    const [{ stores }, sound] = [await aNode(), await aSoundNode()];
    await works(stores);
    const wanted = keys(30);
    const hit = proxy.inject('swallow answers', TABLE);
    const outcomes = wanted.map((key) => callStore('nonce store', 200, () => stores.nonces.claim(key, NOW + 180)));
    const settled = Promise.allSettled(outcomes);
    await hit;
    allRejected(await settled);
    expect(waiting(stores)).toEqual({ claims: 30, loads: 0 });
    await vi.waitFor(async () => expect(await present(wanted)).toBe(30), { timeout: 10_000 });
    proxy.heal();
    proxy.cut();
    await vi.waitFor(() => expect(waiting(stores)).toEqual(NONE), { timeout: 10_000 });
    expect(await acceptedByAnybody(wanted, stores, sound.stores)).toBe(0);
    await works(stores);
  });

  it('the network loses connections without a word: they are given up, and others take their place', async () => {
    const [{ stores }, sound] = [await aNode(onePlace), await aSoundNode()];
    const quick = impatient(stores);
    const claim = (key: string) => stores.nonces.claim(key, NOW + 180);
    expect(await claim(aKey())).toBe(true);
    const wanted = keys(20);
    const hit = proxy.inject('swallow answers', TABLE);
    const outcomes = Promise.allSettled(wanted.map(claim));
    await hit;
    proxy.heal();
    // The one connection that the pool may have hangs for good: what comes now waits for its end.
    const later = keys(20);
    const next = Promise.allSettled(later.map(claim));
    allRejected(await outcomes);
    expect(accepted(await next)).toBe(20);
    expect(await acceptedByAnybody(wanted, sound.stores)).toBe(0);
    void proxy.inject('swallow requests', 'SELECT');
    await expect(quick.run({ sql: 'SELECT 1 AS one', params: [] })).rejects.toMatchObject(UNAVAILABLE);
    proxy.heal();
    expect((await quick.run({ sql: 'SELECT 1 AS one', params: [] })).rows).toEqual([{ one: 1 }]);
  });

  it('a transaction that the network loses is given up, and is whole or not there', async () => {
    const { stores } = await aNode(onePlace);
    const quick = impatient(stores);
    const instance = anInstance();
    await stores.bindings.saveInstance(instance);
    const touch = function* (): Work<void> {
      yield { sql: 'UPDATE tab_app_instance SET revision = revision + 1 WHERE id = ?', params: [instance.id] };
    };
    for (const text of ['UPDATE', 'COMMIT']) {
      void proxy.inject('swallow requests', text);
      await expect(quick.transaction(touch)).rejects.toThrow(/no answer within|terminated|not known/);
      proxy.heal();
      expect((await stores.bindings.load({ instanceId: instance.id })).instance?.revision).toBe(1);
    }
    await quick.transaction(touch);
    expect((await stores.bindings.load({ instanceId: instance.id })).instance?.revision).toBe(2);
  });

  it('a database that hangs under 15,000 claims and 15,000 look-ups: 10,000 of each wait, the others are refused at once', async () => {
    const { source, stores } = await aNode();
    await works(stores);
    const hit = proxy.inject('swallow requests');
    const wanted = keys(15_000);
    const claims = Promise.allSettled(wanted.map((key) => stores.nonces.claim(key, NOW + 180)));
    const loads = Promise.allSettled(wanted.map(() => stores.bindings.load({ instanceId: anInstance().id })));
    await hit;
    expect(waiting(stores)).toEqual({ claims: 10_000, loads: 10_000 });
    // Besides the look-ups, the three batches of claims that may be under way.
    expect(poolQueue(source)).toBeLessThanOrEqual(10_003);
    await expect(stores.nonces.claim(aKey(), NOW)).rejects.toMatchObject({ ...UNAVAILABLE, hints: { retryAfter: 2 } });
    const load = stores.bindings.load({ instanceId: anInstance().id });
    await expect(load).rejects.toMatchObject({ ...UNAVAILABLE, hints: { retryAfter: 2 } });
    proxy.heal();
    proxy.cut();
    const [claimed, loaded] = [await claims, await loads];
    expect(refusedAtOnce(claimed)).toBe(5_000);
    expect(refusedAtOnce(loaded)).toBe(5_000);
    expect([waiting(stores), poolQueue(source)]).toEqual([NONE, 0]);
    await works(stores);
  });

  it('the database goes away and comes back', async () => {
    const { stores } = await aNode();
    await works(stores);
    proxy.refuse();
    const wanted = keys(20);
    allRejected(await claimAll(stores, wanted));
    await expect(stores.bindings.load({ instanceId: anInstance().id })).rejects.toMatchObject(UNAVAILABLE);
    expect(waiting(stores)).toEqual(NONE);
    proxy.heal();
    expect(accepted(await claimAll(stores, wanted))).toBe(20);
    await works(stores);
  });

  it('the pool is exhausted by the application', async () => {
    const pool = isPostgres
      ? { extra: { max: 1, connectionTimeoutMillis: 200 } }
      : { extra: { connectionLimit: 1, waitForConnections: false } };
    const { source, stores } = await aNode(pool);
    const hog = source.createQueryRunner();
    await hog.connect();
    const wanted = keys(25);
    allRejected(await claimAll(stores, wanted));
    await expect(stores.bindings.load({ instanceId: anInstance().id })).rejects.toMatchObject(UNAVAILABLE);
    expect(waiting(stores)).toEqual(NONE);
    await hog.release();
    expect(accepted(await claimAll(stores, wanted))).toBe(25);
    await works(stores);
  });

  it('the server takes reads only', async () => {
    const { source, stores } = isPostgres
      ? await aNode({ extra: { options: '-c default_transaction_read_only=on' } })
      : await aNode({ extra: { connectionLimit: 1 } });
    // MariaDB: on the one connection of this pool, and nowhere else.
    if (!isPostgres) await source.query('SET SESSION TRANSACTION READ ONLY');
    const wanted = keys(10);
    allRejected(await claimAll(stores, wanted));
    allRejected(await claimAll(stores, wanted.slice(0, 1)));
    await expect(stores.bindings.saveInstance(anInstance())).rejects.toMatchObject(UNAVAILABLE);
    expect((await stores.bindings.load({ instanceId: anInstance().id })).instance).toBeUndefined();
    expect([waiting(stores), await present(wanted)]).toEqual([NONE, 0]);
    const health = new TabHealth({ ...stores, clock: Date.now, healthTimeout: 5_000 });
    expect(await health.check()).toMatchObject({ status: 'down', nonces: 'down', bindings: 'up' });
    const sound = await aSoundNode();
    expect(await acceptedByAnybody(wanted, sound.stores)).toBe(10);
  });

  it('the engine lets the transaction go again and again: refused after eight tries, and then it works', async () => {
    const { source, stores } = await aNode();
    const original = source.createQueryRunner.bind(source);
    let sent = 0;
    for (const driverError of isPostgres
      ? [{ code: '40001' }, { code: '40P01' }]
      : [
          { errno: 1213, code: 'ER_LOCK_DEADLOCK' },
          { errno: 1020, code: 'ER_CHECKREAD' },
        ]) {
      sent = 0;
      vi.spyOn(source, 'createQueryRunner').mockImplementation((mode) => {
        const runner = original(mode);
        aroundStatements(runner, () => {
          sent += 1;
          return Promise.reject(driverFailure(driverError));
        });
        return runner;
      });
      const wanted = keys(10);
      allRejected(await claimAll(stores, wanted));
      expect(sent).toBe(8);
      vi.restoreAllMocks();
      expect(accepted(await claimAll(stores, wanted))).toBe(10);
      await works(stores);
    }
  });

  if (isPostgres) {
    it('a real serialization failure is run again, and loses against the one that committed', async () => {
      const { stores } = await aNode({ extra: { options: '-c default_transaction_isolation=serializable' } });
      const wanted = keys(5);
      const holder = direct.createQueryRunner();
      await holder.startTransaction();
      await holder.query(`INSERT INTO ${TABLE} (nonce_key, expires_at) VALUES ('${wanted[2]}', ${NOW + 180})`);
      const outcomes = claimAll(stores, wanted);
      await vi.waitFor(
        async () => {
          const waits: unknown[] = await direct.query(
            `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'INSERT%'`,
          );
          expect(waits).toHaveLength(1);
        },
        { timeout: 10_000 },
      );
      await holder.commitTransaction();
      await holder.release();
      const values = (await outcomes).map((each) => each.status === 'fulfilled' && each.value);
      expect(values).toEqual(wanted.map((_, index) => index !== 2));
      await works(stores);
    });
  }

  it('a node that was ahead sweeps, and its clock steps back: nothing that may still be presented is forgotten', async () => {
    const [{ stores }, sound] = [await aNode(), await aSoundNode()];
    const wanted = keys(10);
    expect(accepted(await claimAll(stores, wanted))).toBe(10);
    // A token of this second, seen last 65 s later by a clock that is 15 s behind; one that is 15 s ahead sweeps just then.
    await stores.nonces.sweep(NOW + 65 + 15 + 15, 500);
    expect(await acceptedByAnybody(wanted, stores, sound.stores)).toBe(0);
  });
}
