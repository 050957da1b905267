import type { TabDatabase } from '../database/database.types.js';
import type { Work } from '../database/statement.js';
import { bucketOf } from './bucket.js';
import type { Claim, InsertClaims } from './claim.types.js';
import { claimIsOver, type NonceTable } from './nonce-expiry.js';
import { bucketPath, SqliteBuckets } from './sqlite-buckets.js';

/**
 * Single inserts in one transaction, where a statement costs little and a commit is dear. Which table a claim goes into is
 * decided under the write lock: between a look and the insert, another process could make its bucket and move its copy.
 */
export function sqliteClaims(database: TabDatabase, table: NonceTable): InsertClaims {
  const buckets = new SqliteBuckets(database, table);
  const inserts = new Map<number | undefined, string>();
  const insertInto = (bucket: number | undefined): string => {
    let sql = inserts.get(bucket);
    if (sql === undefined) {
      const path = bucket === undefined ? table.path : bucketPath(table, bucket);
      sql = `INSERT INTO ${path} (nonce_key, expires_at) VALUES (?, ?)${database.dialect.ignoreConflict}`;
      if (inserts.size > 100) inserts.clear();
      inserts.set(bucket, sql);
    }
    return sql;
  };
  return (claims) => database.transaction(() => insertWork(buckets, insertInto, claims));
}

function* insertWork(
  buckets: SqliteBuckets,
  insertInto: (bucket: number | undefined) => string,
  claims: readonly Claim[],
): Work<ReadonlySet<string>> {
  const { starts, goneBefore } = yield* buckets.places();
  const won = new Set<string>();
  for (const { key, expiresAt } of claims) {
    // Ensures that nothing wins which may have been spent and forgotten.
    if (expiresAt < goneBefore) throw claimIsOver();
    const { from } = bucketOf(expiresAt);
    const { affected } = yield { sql: insertInto(starts.has(from) ? from : undefined), params: [key, expiresAt] };
    if (affected === 1) won.add(key);
  }
  return won;
}
