import type { DataSource } from 'typeorm';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { NonceStore } from '../../../../lib/nonces/nonce-store.js';
import { connectTo, engine, storesOf, type TestDatabase } from '../../../contract/engines.js';
import { aKey, NOW } from '../factories.js';
import { sqliteDriver } from '../../../../sample/bank/database/sqlite-driver.js';

const Database = sqliteDriver();
let database: TestDatabase;
let dataSource: DataSource;
let store: NonceStore;

beforeEach(async () => {
  database = await engine('SQLite file').create();
  dataSource = await connectTo(database, { timeout: 20 });
  store = (await storesOf(dataSource)).nonces;
});
afterEach(async () => {
  await dataSource.destroy();
  await database.drop();
});

const keys = (count: number): string[] => Array.from({ length: count }, aKey);
const settle = (wanted: readonly string[]) =>
  Promise.allSettled(wanted.map((key) => store.claim(key, NOW + 180))).then((all) => all.map(({ status }) => status));
const claimAll = (wanted: readonly string[]) => Promise.all(wanted.map((key) => store.claim(key, NOW + 180)));
const rows = async (): Promise<number> => {
  const [row]: { n: number }[] = await dataSource.query('SELECT COUNT(*) AS n FROM tab_used_nonce');
  return row?.n ?? -1;
};

it('a failure in the middle of a batch refuses all of it and leaves none of it', async () => {
  const wanted = keys(20);
  await dataSource.query(
    `CREATE TRIGGER no_more BEFORE INSERT ON tab_used_nonce WHEN NEW.nonce_key = '${wanted[10]}' BEGIN SELECT RAISE(ABORT, 'no'); END`,
  );
  expect(new Set(await settle(wanted))).toEqual(new Set(['rejected']));
  expect(await rows()).toBe(0);
  await dataSource.query('DROP TRIGGER no_more');
  expect(new Set(await claimAll(wanted))).toEqual(new Set([true]));
});

it('a lock of another process refuses a batch, which may be claimed when it is gone', async () => {
  const other = new Database(database.options.database as string);
  other.exec('BEGIN IMMEDIATE');
  const wanted = keys(20);
  expect(new Set(await settle(wanted))).toEqual(new Set(['rejected']));
  other.exec('ROLLBACK');
  other.close();
  expect(new Set(await claimAll(wanted))).toEqual(new Set([true]));
});

it('a batch waits for the transaction of the application, and survives its rollback', async () => {
  const runner = dataSource.createQueryRunner();
  await runner.startTransaction();
  const wanted = keys(20);
  const claims = claimAll(wanted);
  await new Promise((resolve) => setImmediate(resolve));
  await runner.rollbackTransaction();
  expect(new Set(await claims)).toEqual(new Set([true]));
  expect(await rows()).toBe(20);
  expect(new Set(await claimAll(wanted))).toEqual(new Set([false]));
});

it('the claims of a turn are one transaction, and so is a claim alone', async () => {
  const handle = (dataSource.driver as unknown as { databaseConnection: InstanceType<typeof Database> })
    .databaseConnection;
  const transactions = vi.spyOn(handle, 'transaction');
  expect(new Set(await claimAll(keys(200)))).toEqual(new Set([true]));
  expect(transactions).toHaveBeenCalledTimes(1);
  expect(await store.claim(aKey(), NOW + 180)).toBe(true);
  expect(transactions).toHaveBeenCalledTimes(2);
});
