import type { DataSource } from 'typeorm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { NonceStore } from '../../lib/nonces/nonce-store.js';
import { aKey, NOW } from '../../lib/testing/contract/factories.js';
import { aroundStatements, driverFailure } from '../utils/intercept.js';
import { describeService } from '../utils/services.js';
import { connectTo, empty, ENGINES, engine, storesOf, type Engine, type TestDatabase } from './engines.js';

const UNAVAILABLE = { code: 'store_unavailable' };
const keys = (count: number): string[] => Array.from({ length: count }, aKey);
const claimAll = (store: NonceStore, wanted: readonly string[]): Promise<boolean[]> =>
  Promise.all(wanted.map((key) => store.claim(key, NOW + 180)));
const count = (values: readonly boolean[]): number => values.filter((won) => won).length;

/** The same values in another order, by a generator that always makes the same. */
function shuffled<T>(values: readonly T[], seed: number): T[] {
  let state = seed;
  const next = (): number => (state = (state * 48_271) % 2_147_483_647);
  return values
    .map((value) => ({ value, at: next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value);
}

async function onEngine(one: Engine, body: () => void): Promise<void> {
  if (one.service) await describeService(one.service, one.name, body);
  else describe(one.name, body);
}

/** The database, and one data source and store on it, for the tests of a `describe`. */
function setUp(one: Engine) {
  const context = {} as { database: TestDatabase; dataSource: DataSource; store: NonceStore; all: DataSource[] };
  beforeAll(async () => {
    context.database = await one.create();
  });
  afterAll(() => context.database.drop());
  beforeEach(async () => {
    context.all = [];
    const first = await connect();
    context.dataSource = first.dataSource;
    context.store = first.store;
    await empty(context.dataSource);
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    for (const dataSource of context.all) await dataSource.destroy();
  });
  const connect = async () => {
    const dataSource = await connectTo(context.database);
    context.all.push(dataSource);
    return { dataSource, store: (await storesOf(dataSource)).nonces };
  };
  const rows = async (): Promise<number> => {
    const [row]: { n: unknown }[] = await context.dataSource.query('SELECT COUNT(*) AS n FROM tab_used_nonce');
    return Number(row?.n);
  };
  return { context, connect, rows };
}

for (const one of ENGINES) await onEngine(one, () => everywhere(one));
for (const name of ['PostgreSQL', 'MariaDB']) await onEngine(engine(name), () => onServers(engine(name)));

function everywhere(one: Engine): void {
  const { context, connect, rows } = setUp(one);

  it('1,000 claims in one turn, five copies of each key, have one winner each', async () => {
    const wanted = keys(200);
    const calls = shuffled([wanted, wanted, wanted, wanted, wanted].flat(), 7);
    const won = await claimAll(context.store, calls);
    for (const key of wanted) {
      const outcomes = won.filter((_, index) => calls[index] === key);
      // The first to arrive is the one that wins.
      expect(outcomes).toEqual([true, false, false, false, false]);
    }
    expect(await rows()).toBe(200);
    expect(count(await claimAll(context.store, wanted))).toBe(0);
  });

  it('keys that are taken lose beside keys that are new, in batches of every size', async () => {
    for (const size of [1, 2, 3, 50, 256, 257, 600]) {
      const [taken, fresh] = [keys(Math.floor(size / 2)), keys(Math.ceil(size / 2))];
      await claimAll(context.store, taken);
      const calls = shuffled([...taken, ...fresh], size);
      const won = await claimAll(context.store, calls);
      expect(calls.filter((_, index) => won[index]).sort()).toEqual(fresh.sort());
    }
  });

  it('copies from four stores at once have one winner each', async () => {
    // A database in memory is one per connection.
    if (one.name === 'SQLite in memory') return;
    const stores = [context.store, ...(await Promise.all([connect(), connect(), connect()])).map(({ store }) => store)];
    const wanted = keys(1000);
    const winners = new Map(wanted.map((key) => [key, 0]));
    await Promise.all(
      stores.map(async (store, index) => {
        const calls = shuffled([wanted, wanted, wanted, wanted, wanted].flat(), index + 1);
        const won = await claimAll(store, calls);
        for (const [at, key] of calls.entries()) if (won[at]) winners.set(key, (winners.get(key) ?? 0) + 1);
      }),
    );
    expect([...new Set(winners.values())]).toEqual([1]);
    expect(await rows()).toBe(1000);
  });

  it('a batch that cannot be written refuses all its claims, and the next one is written', async () => {
    await context.dataSource.query('ALTER TABLE tab_used_nonce RENAME TO elsewhere');
    const wanted = keys(20);
    const outcomes = await Promise.allSettled(wanted.map((key) => context.store.claim(key, NOW + 180)));
    await context.dataSource.query('ALTER TABLE elsewhere RENAME TO tab_used_nonce');
    expect(outcomes.every((outcome) => outcome.status === 'rejected')).toBe(true);
    expect(count(await claimAll(context.store, wanted))).toBe(20);
  });
}

function onServers(one: Engine): void {
  const { context, connect, rows } = setUp(one);
  const isPostgres = one.name === 'PostgreSQL';

  /** A transaction that has inserted some keys and is not committed: whoever claims one of them waits for its end. */
  async function aHolder(held: readonly string[]) {
    const { dataSource } = await connect();
    const runner = dataSource.createQueryRunner();
    await runner.startTransaction();
    const insert = (more: readonly string[]) =>
      runner.query(
        `INSERT INTO tab_used_nonce (nonce_key, expires_at) VALUES ${more.map((key) => `('${key}', ${NOW + 180})`).join(', ')}`,
      );
    await insert(held);
    const end = async (how: 'commit' | 'rollback') => {
      await (how === 'commit' ? runner.commitTransaction() : runner.rollbackTransaction());
      await runner.release();
    };
    return { insert, end };
  }

  /** The server's ids of the connections that wait in an INSERT of this database. */
  async function blocked(): Promise<number[]> {
    const found: { id: unknown }[] = await context.dataSource.query(
      isPostgres
        ? `SELECT pid AS id FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'INSERT%'`
        : `SELECT p.id AS id FROM information_schema.innodb_trx t JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id ` +
            `WHERE t.trx_state = 'LOCK WAIT' AND p.db = DATABASE()`,
    );
    return found.map(({ id }) => Number(id));
  }

  const waitForBlocked = (): Promise<number[]> =>
    vi.waitFor(
      async () => {
        const ids = await blocked();
        expect(ids.length).toBeGreaterThan(0);
        return ids;
      },
      // InnoDB refreshes what it tells of its transactions only after 100 ms without a look.
      { timeout: 10_000, interval: 150 },
    );

  it('a connection that is cut in the middle of a batch refuses its claims, and nothing is accepted twice', async () => {
    const wanted = keys(50).sort();
    const holder = await aHolder(wanted.slice(25, 26));
    const outcomes = Promise.allSettled(wanted.map((key) => context.store.claim(key, NOW + 180)));
    for (const id of await waitForBlocked()) {
      await context.dataSource.query(isPostgres ? `SELECT pg_terminate_backend(${id})` : `KILL ${id}`);
    }
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: UNAVAILABLE });
    }
    await holder.end('rollback');
    // Not one of them was accepted, so each may be now, once, on whatever node.
    const second = await connect();
    const again = await Promise.all([claimAll(context.store, wanted), claimAll(second.store, wanted)]);
    expect(count(again.flat())).toBe(50);
    expect(await rows()).toBe(50);
  });

  it('claims go on beside a batch that hangs, which is answered when it can be', async () => {
    const [held, others] = [keys(1), keys(40)];
    const holder = await aHolder(held);
    let settled = false;
    const hung = claimAll(context.store, [...held, ...others.slice(0, 10)]).finally(() => (settled = true));
    await waitForBlocked();
    expect(count(await claimAll(context.store, others.slice(10, 20)))).toBe(10);
    for (const key of others.slice(20)) expect(await context.store.claim(key, NOW + 180)).toBe(true);
    expect(settled).toBe(false);
    await holder.end('commit');
    expect(await hung).toEqual([false, ...others.slice(0, 10).map(() => true)]);
  });

  it('the victim of a real deadlock is run again, and its claims are exact', async () => {
    const [low, high] = ['0', 'z'].map((first) => first + aKey().slice(1)) as [string, string];
    const between = keys(5).map((key) => `M${key.slice(1)}`);
    // Heavier than the batch, so that InnoDB lets the batch go.
    const holder = await aHolder([high, ...keys(300).map((key) => `~${key.slice(1)}`)]);
    const own = await connect();
    const connections = vi.spyOn(own.dataSource, 'createQueryRunner');
    const claims = claimAll(own.store, [high, ...between, low]);
    await waitForBlocked();
    await holder.insert([low]);
    await holder.end('commit');
    expect(await claims).toEqual([false, ...between.map(() => true), false]);
    // One statement more than without the deadlock; MariaDB looks for the duplicates and inserts the rest.
    expect(connections).toHaveBeenCalledTimes(isPostgres ? 2 : 4);
  });

  it('a victim is run again as a whole; after any other failure nothing is sent a second time', async () => {
    const sent = interceptNext(context.dataSource, { code: '40P01', errno: 1213 });
    expect(count(await claimAll(context.store, keys(30)))).toBe(30);
    expect(sent()).toBe(2);
    vi.restoreAllMocks();
    const sentOnce = interceptNext(context.dataSource, { code: 'ECONNRESET' });
    const wanted = keys(30);
    const outcomes = await Promise.allSettled(wanted.map((key) => context.store.claim(key, NOW + 180)));
    expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(['rejected']));
    expect(sentOnce()).toBe(1);
  });

  it('an answer that is lost after the commit is no acceptance, nor is any later claim', async () => {
    const original = context.dataSource.createQueryRunner.bind(context.dataSource);
    vi.spyOn(context.dataSource, 'createQueryRunner').mockImplementationOnce((mode) => {
      const runner = original(mode);
      aroundStatements(runner, async (send) => {
        await send();
        throw driverFailure({ code: 'ECONNRESET' });
      });
      return runner;
    });
    const wanted = keys(30);
    const outcomes = await Promise.allSettled(wanted.map((key) => context.store.claim(key, NOW + 180)));
    expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(['rejected']));
    expect(count(await claimAll(context.store, wanted))).toBe(0);
  });
}

/** Lets the next statement fail as told; says how many connections were asked for since. */
function interceptNext(dataSource: DataSource, driverError: object): () => number {
  const original = dataSource.createQueryRunner.bind(dataSource);
  const spy = vi.spyOn(dataSource, 'createQueryRunner').mockImplementationOnce((mode) => {
    const runner = original(mode);
    aroundStatements(runner, () => Promise.reject(driverFailure(driverError)));
    return runner;
  });
  return () => spy.mock.calls.length;
}
