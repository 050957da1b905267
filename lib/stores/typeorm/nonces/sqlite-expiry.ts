import type { TabDatabase } from '../database/database.types.js';
import type { Work } from '../database/statement.js';
import { bucketBefore, bucketOf, isOver, MAX_MOVED, missingBuckets, type Bucket } from './bucket.js';
import { pause, untilBusy, type NonceExpiry, type NonceTable } from './nonce-expiry.js';
import { bucketPath, SqliteBuckets } from './sqlite-buckets.js';

/** Rows that are deleted in one go: the event loop stands still meanwhile, for some 2 ms. */
const STEP = 10_000;
/** Rows that are left to a DROP TABLE, which takes some 10 ms for them. */
const DROPPED = 200_000;
const COLUMNS = '(nonce_key, expires_at)';

/**
 * SQLite: a table per bucket beside the one table. Claims go into the table of their bucket if there is one, decided in
 * their own transaction, and a bucket is made in one transaction with the move of its rows: a key is in one place at any
 * time. Tables of an older migration, or with columns of the application's own, are left as they are: rows are deleted.
 */
export class SqliteExpiry implements NonceExpiry {
  private readonly buckets: SqliteBuckets;

  constructor(
    private readonly database: TabDatabase,
    private readonly table: NonceTable,
  ) {
    this.buckets = new SqliteBuckets(database, table);
  }

  inspect(): Promise<void> {
    return Promise.resolve();
  }

  async maintain(now: number): Promise<void> {
    if (!(await this.mayRotate())) return;
    const existing = await this.database.transaction(() => this.buckets.list());
    const missing = missingBuckets(now, existing);
    await untilBusy(
      this.database,
      missing.map((bucket) => () => this.database.transaction(() => createWork(this.buckets, this.table, bucket))),
    );
    // Another clock, ahead of that of the machine, must not drop what is live by this.
    const { rows } = await this.database.run({ sql: `SELECT MIN(?, ${this.clock}) AS now`, params: [now] });
    const over = existing.filter((bucket) => isOver(bucket, Number(rows[0]?.['now'])));
    await untilBusy(
      this.database,
      over.map((bucket) => () => this.drop(bucket)),
    );
  }

  /** What expired before the present bucket began: the mark that remembers it names whole buckets. */
  deleteExpired(now: number, limit: number): Promise<number> {
    return this.database.transaction(() => deleteWork(this.buckets, this.table.path, this.clock, now, limit));
  }

  private get clock(): string {
    return this.database.dialect.clock;
  }

  private async drop(bucket: Bucket): Promise<void> {
    const path = bucketPath(this.table, bucket.from);
    while (await this.database.transaction(() => dropWork(this.buckets, path, bucket))) {
      await pause();
    }
  }

  /** The table is one tree by expiry and has no columns but ours, which alone are in buckets. */
  private async mayRotate(): Promise<boolean> {
    const { rows } = await this.database.run({
      sql:
        `SELECT (SELECT group_concat(name) FROM (SELECT name FROM pragma_table_info(?) ORDER BY name)) AS columns, ` +
        `(SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?) AS sql`,
      params: [this.table.name, this.table.name],
    });
    const [{ columns, sql } = {}] = rows;
    return columns === 'expires_at,nonce_key' && /\bWITHOUT ROWID\b/i.test(String(sql));
  }
}

/**
 * Deletes rows that are in no bucket, once it is noted that they are gone: up to the last of them and no further, since by
 * a clock that is ahead of its time everything before `now` would be refused until then.
 */
function* deleteWork(buckets: SqliteBuckets, path: string, clock: string, now: number, limit: number): Work<number> {
  const { rows: moments } = yield { sql: `SELECT MIN(?, ${clock}) AS now`, params: [now] };
  const { to } = bucketBefore(Number(moments[0]?.['now']));
  const chosen = `SELECT expires_at, nonce_key FROM ${path} WHERE expires_at < ? ORDER BY expires_at, nonce_key LIMIT ?`;
  const { rows } = yield { sql: `SELECT MAX(expires_at) AS latest FROM (${chosen})`, params: [to, limit] };
  const latest = rows[0]?.['latest'];
  if (latest === null || latest === undefined) return 0;
  yield* buckets.markGone(bucketOf(Number(latest)));
  const sql = `DELETE FROM ${path} WHERE (expires_at, nonce_key) IN (${chosen})`;
  return (yield { sql, params: [to, limit] }).affected;
}

/** Makes a bucket, unless another process has, or many claims would have to be moved at once. */
function* createWork(buckets: SqliteBuckets, table: NonceTable, { from, to }: Bucket): Work<void> {
  const existing = yield* buckets.list();
  if (existing.some((bucket) => bucket.from === from)) return;
  const range = `FROM ${table.path} WHERE expires_at >= ? AND expires_at < ?`;
  const { rows } = yield { sql: `SELECT 1 ${range} LIMIT ?`, params: [from, to, MAX_MOVED + 1] };
  if (rows.length > MAX_MOVED) return;
  const path = bucketPath(table, from);
  yield {
    sql:
      `CREATE TABLE ${path} (nonce_key varchar(22) NOT NULL, expires_at bigint NOT NULL, ` +
      `PRIMARY KEY (expires_at, nonce_key)) WITHOUT ROWID`,
    params: [],
  };
  yield { sql: `INSERT INTO ${path} ${COLUMNS} SELECT nonce_key, expires_at ${range}`, params: [from, to] };
  yield { sql: `DELETE ${range}`, params: [from, to] };
}

/** Drops a bucket, or a step of the rows of one that is large; whether anything of it is left. */
function* dropWork(buckets: SqliteBuckets, path: string, bucket: Bucket): Work<boolean> {
  const existing = yield* buckets.list();
  if (!existing.some(({ from }) => from === bucket.from)) return false;
  yield* buckets.markGone(bucket);
  const { rows: large } = yield { sql: `SELECT 1 FROM ${path} LIMIT 1 OFFSET ?`, params: [DROPPED] };
  if (large.length === 0) {
    yield { sql: `DROP TABLE ${path}`, params: [] };
    return false;
  }
  const ordered = `SELECT expires_at, nonce_key FROM ${path} ORDER BY expires_at, nonce_key LIMIT 1 OFFSET ?`;
  yield { sql: `DELETE FROM ${path} WHERE (expires_at, nonce_key) < (${ordered})`, params: [STEP] };
  return true;
}
