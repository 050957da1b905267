import type { DataSource } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TabStores } from '../../../lib/stores/stores.types.js';
import { connectTo, engine, storesOf, type TestDatabase } from '../../contract/engines.js';
import { aKey, anEnding, anInstance, aSession, NOW } from './factories.js';
import { sqliteDriver } from '../../../sample/bank/database/sqlite-driver.js';

const Database = sqliteDriver();
const UNAVAILABLE = { code: 'store_unavailable' };
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A transaction of the application that stays open until it is told to end. */
async function openTransaction(dataSource: DataSource) {
  const runner = dataSource.createQueryRunner();
  await runner.startTransaction();
  return { rollBack: () => runner.rollbackTransaction(), commit: () => runner.commitTransaction() };
}

let database: TestDatabase;
let dataSource: DataSource;
let stores: TabStores;

beforeEach(async () => {
  database = await engine('SQLite file').create();
  dataSource = await connectTo(database, { timeout: 20 });
  stores = await storesOf(dataSource);
});

afterEach(async () => {
  vi.useRealTimers();
  if (dataSource.isInitialized) await dataSource.destroy();
  await database.drop();
});

describe('while the application has a transaction open on the one SQLite connection', () => {
  it('a plain insert would be undone by its rollback: the attack that the gate stops', async () => {
    const open = await openTransaction(dataSource);
    await dataSource.query('INSERT INTO tab_used_nonce (nonce_key, expires_at) VALUES (?, ?)', ['A'.repeat(22), NOW]);
    await open.rollBack();
    expect(await dataSource.query('SELECT * FROM tab_used_nonce')).toEqual([]);
  });

  it.each(['rollBack', 'commit'] as const)('a claim survives its %s', async (end) => {
    const key = aKey();
    const open = await openTransaction(dataSource);
    const claim = stores.nonces.claim(key, NOW + 180);
    await turn();
    await open[end]();
    expect(await claim).toBe(true);
    expect(await stores.nonces.claim(key, NOW + 180)).toBe(false);
  });

  it('a revocation survives its rollback', async () => {
    const instance = anInstance();
    await stores.bindings.saveInstance(instance);
    const session = aSession(instance);
    await stores.bindings.bind(session);
    const open = await openTransaction(dataSource);
    const revocation = stores.bindings.revoke(instance.id, anEnding());
    await turn();
    await open.rollBack();
    expect(await revocation).toBe(true);
    const found = await stores.bindings.load({ instanceId: instance.id, sessionId: session.id });
    expect([found.instance?.status, found.session?.endReason]).toEqual(['revoked', 'contract']);
  });

  it('of many waiting claims of one key, one wins', async () => {
    const key = aKey();
    const open = await openTransaction(dataSource);
    const claims = Array.from({ length: 20 }, () => stores.nonces.claim(key, NOW + 180));
    await open.rollBack();
    expect((await Promise.all(claims)).filter((won) => won)).toHaveLength(1);
  });

  it('a claim gets in between transactions that follow each other without a gap', async () => {
    let transactions = 0;
    let claimed = false;
    const busy = (async () => {
      while (!claimed && transactions < 1000) {
        transactions++;
        await dataSource.transaction(async (manager) => {
          await manager.query('SELECT 1');
          await turn();
          await turn();
        });
      }
    })();
    await turn();
    expect(await stores.nonces.claim(aKey(), NOW + 180)).toBe(true);
    claimed = true;
    await busy;
    expect(transactions).toBeLessThan(10);
  });

  it('a claim gets in after a transaction that TypeORM knows nothing of', async () => {
    const handle = (dataSource.driver as unknown as { databaseConnection: InstanceType<typeof Database> })
      .databaseConnection;
    handle.exec('BEGIN');
    const claim = stores.nonces.claim(aKey(), NOW + 180);
    await turn();
    handle.exec('ROLLBACK');
    expect(await claim).toBe(true);
  });

  it('a claim that waited too long is refused and does not happen later', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] });
    const key = aKey();
    const open = await openTransaction(dataSource);
    const refusal = expect(stores.nonces.claim(key, NOW + 180)).rejects.toMatchObject(UNAVAILABLE);
    await vi.advanceTimersByTimeAsync(2_100);
    await refusal;
    await open.rollBack();
    expect(await stores.nonces.claim(key, NOW + 180)).toBe(true);
  });

  it('a claim does not join a transaction that is carried along with the call', async () => {
    const key = aKey();
    const runner = dataSource.createQueryRunner();
    const { query } = dataSource;
    vi.spyOn(dataSource, 'query').mockImplementation((sql, params) =>
      query.call(dataSource, sql, params as unknown[], runner),
    );
    await runner.startTransaction();
    const claim = stores.nonces.claim(key, NOW + 180);
    await runner.rollbackTransaction();
    expect(await claim).toBe(true);
    expect(await stores.nonces.claim(key, NOW + 180)).toBe(false);
  });
});

describe('when another process uses the file', () => {
  it('its write lock makes claims and bindings reject after the busy timeout, and nothing half-written stays', async () => {
    const instance = anInstance();
    await stores.bindings.saveInstance(instance);
    const other = new Database(database.options.database as string);
    other.exec('BEGIN IMMEDIATE');
    const [key, session] = [aKey(), aSession(instance)];
    await expect(stores.nonces.claim(key, NOW + 180)).rejects.toMatchObject({
      ...UNAVAILABLE,
      cause: { code: 'SQLITE_BUSY' },
    });
    await expect(stores.bindings.bind(session)).rejects.toMatchObject(UNAVAILABLE);
    other.exec('ROLLBACK');
    expect(await stores.nonces.claim(key, NOW + 180)).toBe(true);
    expect(await stores.bindings.bind(session)).toBe('bound');
    other.close();
  });

  it('two processes share one set of claims', async () => {
    const second = await connectTo(database);
    const key = aKey();
    const [one, two] = await Promise.all([
      stores.nonces.claim(key, NOW + 180),
      (await storesOf(second)).nonces.claim(key, NOW + 180),
    ]);
    expect([one, two].filter((won) => won)).toHaveLength(1);
    await second.destroy();
  });
});

it('a failure in the middle of a transaction leaves nothing of it', async () => {
  const instance = anInstance();
  await stores.bindings.saveInstance(instance);
  const session = aSession(instance);
  await stores.bindings.bind(session);
  await dataSource.query(
    'CREATE TRIGGER no_end BEFORE UPDATE OF ended_at ON tab_bound_session BEGIN SELECT RAISE(ABORT, "no"); END',
  );
  await expect(stores.bindings.revoke(instance.id, anEnding())).rejects.toMatchObject(UNAVAILABLE);
  expect((await stores.bindings.load({ instanceId: instance.id })).instance).toEqual(instance);
});
