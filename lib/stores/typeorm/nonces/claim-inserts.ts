import { TabError } from '../../../errors/tab-error.js';
import type { TabDatabase } from '../database/database.types.js';
import type { Statement } from '../database/statement.js';
import type { Claim, ClaimInsert, InsertClaims } from './claim.types.js';
import type { NonceTable } from './nonce-expiry.js';
import { sqliteClaims } from './sqlite-claims.js';

/** How often a batch with duplicates is tried without those that are found, before its claims are tried singly. */
const ROUNDS = 3;

/** The batch insert of an engine. */
export function claimInserts(database: TabDatabase, nonces: NonceTable): InsertClaims {
  const { claimInsert } = database.dialect;
  if (claimInsert === 'one-by-one') return sqliteClaims(database, nonces);
  const table = nonces.path;
  const insertMany = INSERTS[claimInsert](database, table);
  const insert = insertSql(database, table);
  return async (claims) => {
    const [only] = claims;
    // An idle server has batches of one, for which a plain statement costs the engine least.
    if (!only || claims.length > 1) return insertMany(claims);
    return (await insertOne(database, insert, only)) ? keysOf(claims) : new Set();
  };
}

const INSERTS: Readonly<
  Record<Exclude<ClaimInsert, 'one-by-one'>, (database: TabDatabase, table: string) => InsertClaims>
> = {
  returning: insertReturning,
  'all-or-none': insertAllOrNone,
};

/** One statement that passes over what is there and returns what is new. */
function insertReturning(database: TabDatabase, table: string): InsertClaims {
  const sql =
    `INSERT INTO ${table} (nonce_key, expires_at) SELECT * FROM unnest(?::text[], ?::bigint[])` +
    `${database.dialect.ignoreConflict} RETURNING nonce_key`;
  return async (claims) => {
    const rows = inKeyOrder(claims);
    const params = [rows.map(({ key }) => key), rows.map(({ expiresAt }) => expiresAt)];
    const result = await database.run({ sql, params, isPrepared: true });
    return new Set(result.rows.map((row) => row['nonce_key']));
  };
}

/**
 * Where a statement cannot tell which rows it passed over, but fails as a whole on a duplicate: what is there is looked up
 * only then, and the rest inserted. That a key was not found proves nothing: only an insert that succeeds makes a winner.
 */
function insertAllOrNone(database: TabDatabase, table: string): InsertClaims {
  const insert = insertSql(database, table);
  return async (claims) => {
    let rows = inKeyOrder(claims);
    for (let round = 0; round < ROUNDS && rows.length > 0; round++) {
      if (await insertRows(database, table, rows)) return keysOf(rows);
      const taken = await findKeys(database, table, rows);
      rows = rows.filter(({ key }) => !taken.has(key));
    }
    const won = new Set<string>();
    for (const row of rows) if (await insertOne(database, insert, row)) won.add(row.key);
    return won;
  };
}

/** Inserts all rows and is true, or finds a duplicate, inserts none and is false. */
async function insertRows(database: TabDatabase, table: string, rows: readonly Claim[]): Promise<boolean> {
  const sql = `INSERT INTO ${table} (nonce_key, expires_at) VALUES ${listOf('(?, ?)', rows.length)}`;
  try {
    const { affected } = await database.run({ sql, params: rows.flatMap(({ key, expiresAt }) => [key, expiresAt]) });
    // Ensures that nothing between here and the table (a trigger, a proxy) dropped a row and called it a success.
    if (affected !== rows.length) throw new TabError('store_unavailable', 'a batch of claims was written in part');
    return true;
  } catch (error) {
    if (database.dialect.isDuplicate(error)) return false;
    throw error;
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

async function insertOne(database: TabDatabase, insert: string, claim: Claim): Promise<boolean> {
  try {
    return (await database.run(oneRow(insert, claim))).affected === 1;
  } catch (error) {
    if (database.dialect.isDuplicate(error)) return false;
    throw error;
  }
}

/** An INSERT of one row, which touches none or fails when the key is there. */
function insertSql({ dialect }: TabDatabase, table: string): string {
  return `INSERT INTO ${table} (nonce_key, expires_at) VALUES (?, ?)${dialect.ignoreConflict}`;
}

function oneRow(sql: string, { key, expiresAt }: Claim): Statement {
  return { sql, params: [key, expiresAt] };
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
