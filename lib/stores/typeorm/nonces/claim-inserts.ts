import { TabError } from '../../../errors/tab-error.js';
import type { TabDatabase } from '../database/database.types.js';
import type { Statement } from '../database/statement.js';
import type { Claim, ClaimInsert, InsertClaims } from './claim.types.js';
import { claimIsOver, type NonceTable } from './nonce-expiry.js';
import { sqliteClaims } from './sqlite-claims.js';

/** How often a batch with duplicates is tried without those that are found, before its claims are tried singly. */
const ROUNDS = 3;

/** What MySQL and MariaDB cannot evaluate, and fail on, whatever their SQL mode; only evaluated where it is chosen. */
const TOO_LARGE = 'UNIX_TIMESTAMP() + 18446744073709551615';

/** Inserts one claim: whether it is new. */
type InsertOne = (claim: Claim) => Promise<boolean>;

/** The batch insert of an engine, and where a batch of one has a cheaper statement, that. */
interface Inserts {
  readonly many: InsertClaims;
  readonly one: InsertOne;
}

/**
 * The batch insert of an engine. A claim that is over by the clock of the engine wins nowhere: what expired by it may have
 * been deleted, so a node whose clock went back would let every token of that time in again.
 */
export function claimInserts(database: TabDatabase, nonces: NonceTable): InsertClaims {
  const { claimInsert } = database.dialect;
  if (claimInsert === 'one-by-one') return sqliteClaims(database, nonces);
  const { many, one } = INSERTS[claimInsert](database, nonces.path);
  return async (claims) => {
    const [only] = claims;
    // An idle server has batches of one, for which a plain statement costs the engine least.
    if (!only || claims.length > 1) return many(claims);
    return (await one(only)) ? keysOf(claims) : new Set();
  };
}

const INSERTS: Readonly<Record<Exclude<ClaimInsert, 'one-by-one'>, (database: TabDatabase, table: string) => Inserts>> =
  {
    returning: insertReturning,
    'all-or-none': insertAllOrNone,
  };

/** One statement that passes over what is there and returns what is new. */
function insertReturning(database: TabDatabase, table: string): Inserts {
  const { dialect } = database;
  const insert = (rows: string): string =>
    `INSERT INTO ${table} (nonce_key, expires_at) ${rows}${dialect.ignoreConflict} ` +
    `RETURNING nonce_key, expires_at < ${dialect.clock} AS is_over`;
  const several = insert('SELECT * FROM unnest(?::text[], ?::bigint[])');
  const single = insert('VALUES (?, ?)');
  const write = async (statement: Statement): Promise<ReadonlySet<unknown>> => {
    const { rows } = await database.run(statement);
    // Ensures, once the rows are there, that no copy of them had been deleted before: that is done by the same clock.
    if (rows.some((row) => row['is_over'] !== false)) throw claimIsOver();
    return new Set(rows.map((row) => row['nonce_key']));
  };
  return {
    many: (claims) => {
      const rows = inKeyOrder(claims);
      const params = [rows.map(({ key }) => key), rows.map(({ expiresAt }) => expiresAt)];
      return write({ sql: several, params, isPrepared: true });
    },
    one: async ({ key, expiresAt }) => (await write({ sql: single, params: [key, expiresAt] })).has(key),
  };
}

/**
 * Where a statement cannot tell which rows it passed over, but fails as a whole on a duplicate: what is there is looked up
 * only then, and the rest inserted. That a key was not found proves nothing: only an insert that succeeds makes a winner.
 */
function insertAllOrNone(database: TabDatabase, table: string): Inserts {
  const one: InsertOne = (claim) => insertRows(database, table, [claim]);
  const many: InsertClaims = async (claims) => {
    let rows = inKeyOrder(claims);
    for (let round = 0; round < ROUNDS && rows.length > 0; round++) {
      if (await insertRows(database, table, rows)) return keysOf(rows);
      const taken = await findKeys(database, table, rows);
      rows = rows.filter(({ key }) => !taken.has(key));
    }
    const won = new Set<string>();
    for (const row of rows) if (await one(row)) won.add(row.key);
    return won;
  };
  return { many, one };
}

/** Inserts all rows and is true, or finds a duplicate, inserts none and is false. */
async function insertRows(database: TabDatabase, table: string, rows: readonly Claim[]): Promise<boolean> {
  const { dialect } = database;
  const [first, ...others] = rows;
  if (!first) return true;
  const live = `(?, IF(? >= ${dialect.clock}, ?, ${TOO_LARGE}))`;
  const sql = `INSERT INTO ${table} (nonce_key, expires_at) VALUES ${[live, ...others.map(() => '(?, ?)')].join(', ')}`;
  const soonest = Math.min(...rows.map(({ expiresAt }) => expiresAt));
  const rest = others.flatMap(({ key, expiresAt }) => [key, expiresAt]);
  try {
    const { affected } = await database.run({ sql, params: [first.key, soonest, first.expiresAt, ...rest] });
    // Ensures that nothing between here and the table (a trigger, a proxy) dropped a row and called it a success.
    if (affected !== rows.length) throw new TabError('store_unavailable', 'a batch of claims was written in part');
    return true;
  } catch (error) {
    if (dialect.isDuplicate(error)) return false;
    throw dialect.isTooLarge(error) ? claimIsOver() : error;
  }
}

/** Those of the keys that are in the table. The expiry says in which partition, and in which part of the index. */
async function findKeys(database: TabDatabase, table: string, rows: readonly Claim[]): Promise<ReadonlySet<unknown>> {
  const byExpiry = new Map<number, string[]>();
  for (const { key, expiresAt } of rows) byExpiry.set(expiresAt, [...(byExpiry.get(expiresAt) ?? []), key]);
  const groups = [...byExpiry];
  const where = groups.map(([, keys]) => `expires_at = ? AND nonce_key IN (${listOf('?', keys.length)})`);
  const sql = `SELECT nonce_key FROM ${table} WHERE ${where.join(' OR ')}`;
  const found = await database.run({ sql, params: groups.flatMap(([expiresAt, keys]) => [expiresAt, ...keys]) });
  return new Set(found.rows.map((row) => row['nonce_key']));
}

/** In one order on all nodes, so that batches which share keys wait for each other in a line, not in a circle. */
function inKeyOrder(claims: readonly Claim[]): readonly Claim[] {
  return claims.toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

function keysOf(claims: readonly Claim[]): ReadonlySet<string> {
  return new Set(claims.map(({ key }) => key));
}

function listOf(text: string, count: number): string {
  return Array.from({ length: count }, () => text).join(', ');
}
