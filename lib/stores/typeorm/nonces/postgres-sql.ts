import { MAX_MOVED, type Bucket } from './bucket.js';

/** A relation by its catalogue names. */
export interface Named {
  readonly schema: string;
  readonly name: string;
}

/** Longest wait for a lock, in milliseconds: claims queue behind whoever waits for one. */
const LOCK_TIMEOUT = 25;
/** First half of the advisory lock, of which the second is the table; says `tabn`. */
const LOCK_CLASS = 0x7461626e;

/**
 * The table (kind `table`), its partitions, and buckets beside it that are no partitions (`detached`).
 * Parameters: the escaped path of the table, a regular expression of the names of buckets.
 */
export const SHAPE_SQL =
  `SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name, pg_get_expr(c.relpartbound, c.oid) AS bound, ` +
  `c.relpersistence AS persistence, pg_get_partkeydef(c.oid) AS key, pg_relation_size(c.oid) AS size, ` +
  `floor(extract(epoch FROM clock_timestamp()))::bigint AS now, ` +
  `CASE WHEN c.oid = t.oid THEN 'table' WHEN i.inhparent IS NULL THEN 'detached' ELSE 'partition' END AS kind ` +
  `FROM (SELECT oid, relnamespace FROM pg_class WHERE oid = to_regclass(?)) t ` +
  `JOIN pg_class c ON c.relnamespace = t.relnamespace OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = t.oid) ` +
  `JOIN pg_namespace n ON n.oid = c.relnamespace ` +
  `LEFT JOIN pg_inherits i ON i.inhrelid = c.oid AND i.inhparent = t.oid ` +
  `WHERE c.oid = t.oid OR i.inhparent IS NOT NULL OR (c.relkind = 'r' AND NOT c.relispartition AND c.relname ~ ?)`;

/** The escaped, qualified path of a relation. */
export function qualified({ schema, name }: Named): string {
  return `${escaped(schema)}.${escaped(name)}`;
}

/** What is done for a table by one maintainer at a time, in one statement, so that no lock waits for a client. */
function alone(oid: string, body: string): string {
  return (
    `DO $tab$ BEGIN ` +
    `IF NOT pg_try_advisory_xact_lock(${(BigInt(LOCK_CLASS) << 32n) | BigInt(oid)}) THEN RETURN; END IF; ` +
    // Not waiting for the disk under locks is safe: whatever is written after this is not durable before it.
    `PERFORM set_config('lock_timeout', '${LOCK_TIMEOUT}', true), set_config('synchronous_commit', 'off', true); ` +
    `${body} END $tab$`
  );
}

/**
 * Makes a bucket. Only SHARE UPDATE EXCLUSIVE is taken on the table, so claims go on. The DEFAULT partition is locked
 * before its rows of that range are moved: a claim that was on its way into it finds that it no longer belongs there.
 */
export function attachSql(
  { table, rest, bucket }: { table: Named & { readonly oid: string }; rest: Named; bucket: Named },
  { from, to }: Bucket,
): string {
  const [parent, others, own] = [qualified(table), qualified(rest), qualified(bucket)];
  const range = `expires_at >= ${from} AND expires_at < ${to}`;
  const tooMany = `(SELECT count(*) FROM (SELECT FROM ONLY ${others} WHERE ${range} LIMIT ${MAX_MOVED + 1}) s) > ${MAX_MOVED}`;
  return alone(
    table.oid,
    `IF to_regclass(${literal(own)}) IS NOT NULL OR ${tooMany} THEN RETURN; END IF; ` +
      `CREATE TABLE ${own} (LIKE ${parent} INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING STORAGE INCLUDING CONSTRAINTS INCLUDING INDEXES, ` +
      `CONSTRAINT tab_bucket CHECK (${range})); ` +
      `LOCK TABLE ONLY ${others} IN ACCESS EXCLUSIVE MODE; ` +
      `WITH moved AS (DELETE FROM ONLY ${others} WHERE ${range} RETURNING *) INSERT INTO ${own} SELECT * FROM moved; ` +
      `ALTER TABLE ${parent} ATTACH PARTITION ${own} FOR VALUES FROM (${from}) TO (${to}); ` +
      `ALTER TABLE ${own} DROP CONSTRAINT tab_bucket;`,
  );
}

/** Takes a bucket out of the table. This alone stops claims: for a change of the catalogue, without waiting for the disk. */
export function detachSql(table: Named & { readonly oid: string }, bucket: Named): string {
  return alone(table.oid, `ALTER TABLE ${qualified(table)} DETACH PARTITION ${qualified(bucket)};`);
}

/** Drops a bucket that is no partition any more, which is nobody's concern; one that still is stays. */
export function dropSql(bucket: Named & { readonly oid: string }): string {
  return alone(
    bucket.oid,
    `IF EXISTS (SELECT FROM pg_class WHERE oid = ${bucket.oid} AND NOT relispartition) THEN DROP TABLE ${qualified(bucket)}; END IF;`,
  );
}

function escaped(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
