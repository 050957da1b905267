import type { DataSource } from 'typeorm';
import { afterAll, afterEach, beforeAll, beforeEach, describe } from 'vitest';
import type { NonceStore } from '../../lib/nonces/nonce-store.js';
import { aKey } from '../../lib/testing/contract/factories.js';
import { describeService } from '../utils/services.js';
import { connectTo, storesOf, undoMigrations, type Engine, type TestDatabase } from './engines.js';

/** The names of the buckets that are there, per engine. */
const BUCKETS: Readonly<Record<string, string>> = {
  PostgreSQL: `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'tab_used_nonce'::regclass AND inhrelid::regclass::text <> 'tab_used_nonce_default'`,
  'SQLite file': `SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB 'tab_used_nonce_b*'`,
};

/** A store that is ready, on a connection of its own. */
export interface Node {
  readonly dataSource: DataSource;
  readonly store: NonceStore;
}

export interface Partitions {
  /** Seconds since the epoch, by the real clock, which is that of the servers too. */
  readonly now: number;
  readonly first: Node;
  /** One more node; its store is not opened. */
  connect(): Promise<Node>;
  /** When the buckets that are there begin, in order. */
  buckets(): Promise<readonly number[]>;
}

export const keys = (count: number): string[] => Array.from({ length: count }, aKey);
export const claimAll = (store: NonceStore, wanted: readonly string[], expiresAt: number): Promise<boolean[]> =>
  Promise.all(wanted.map((key) => store.claim(key, expiresAt)));
export const count = (values: readonly boolean[]): number => values.filter((won) => won).length;

/** Puts claims of the past where they would be: no store takes such any more. */
export async function spent(
  { dataSource }: Node,
  wanted: readonly string[],
  expiresAt: number,
  table = 'tab_used_nonce',
): Promise<void> {
  const rows = wanted.map((key) => `('${key}', ${expiresAt})`).join(', ');
  await dataSource.query(`INSERT INTO ${table} (nonce_key, expires_at) VALUES ${rows}`);
}

/** Runs `body` on an engine, with a database that is migrated and has no bucket before each test. */
export async function onPartitions(one: Engine, body: (context: () => Partitions) => void): Promise<void> {
  const suite = (): void => {
    let database: TestDatabase;
    let context: Partitions;
    let open: DataSource[] = [];
    beforeAll(async () => {
      database = await one.create();
    });
    afterAll(() => database.drop());
    beforeEach(async () => {
      const connect = async (): Promise<Node> => {
        const dataSource = await connectTo(database);
        open.push(dataSource);
        return { dataSource, store: (await storesOf(dataSource)).nonces };
      };
      const first = await connect();
      // The migration makes those of the time at which it runs.
      for (const { name } of await bucketTables(one, first.dataSource))
        await first.dataSource.query(`DROP TABLE ${name}`);
      context = { first, connect, now: Math.floor(Date.now() / 1000), buckets: () => bucketsOf(one, first.dataSource) };
    });
    afterEach(async () => {
      await undoMigrations(context.first.dataSource);
      for (const dataSource of open) await dataSource.destroy();
      open = [];
    });
    body(() => context);
  };
  if (one.service) await describeService(one.service, one.name, suite);
  else describe(one.name, suite);
}

async function bucketsOf(one: Engine, dataSource: DataSource): Promise<number[]> {
  const found = await bucketTables(one, dataSource);
  return found.map((bucket) => Number(/\d+$/.exec(bucket.name)?.[0])).sort((a, b) => a - b);
}

async function bucketTables({ name }: Engine, dataSource: DataSource): Promise<{ name: string }[]> {
  const sql = BUCKETS[name];
  return sql === undefined ? [] : await dataSource.query(sql);
}
