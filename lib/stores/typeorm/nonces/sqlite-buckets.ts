import type { TabDatabase } from '../database/database.types.js';
import type { Statement, Work } from '../database/statement.js';
import { bucketNamed, bucketOf, type Bucket } from './bucket.js';
import type { NonceTable } from './nonce-expiry.js';

/** What the names of tables of buckets begin with. */
export function bucketPrefix({ name }: NonceTable): string {
  return `${name}_b`;
}

/** The buckets that have a table, and when they were read. */
interface Known {
  readonly connection: object | undefined;
  readonly version: unknown;
  readonly starts: ReadonlySet<number>;
}

const VERSION: Statement = { sql: 'PRAGMA schema_version', params: [] };

/**
 * The buckets of a table on SQLite, each a table of its own beside it. Other processes make and drop them: which there are
 * is only known inside a transaction that has the write lock.
 */
export class SqliteBuckets {
  private known: Known | undefined;

  constructor(
    private readonly database: TabDatabase,
    private readonly table: NonceTable,
  ) {}

  /**
   * Where a claim belongs, as long as the transaction lasts: the start of its bucket to whether that has a table. To be used
   * by transactions that change no table, so that what is remembered is nothing that may be rolled back.
   */
  *starts(): Work<ReadonlySet<number>> {
    const connection = this.database.connection?.();
    const { rows } = yield VERSION;
    const version = rows[0]?.['schema_version'];
    const { known } = this;
    // SQLite counts every change of the schema by whatever process; another connection may be to another file.
    if (known && known.version === version && known.connection === connection) return known.starts;
    const starts = new Set((yield* this.list()).map(({ from }) => from));
    this.known = version === undefined ? undefined : { connection, version, starts };
    return starts;
  }

  /** The buckets that have a table. */
  *list(): Work<readonly Bucket[]> {
    const prefix = bucketPrefix(this.table);
    const { rows } = yield {
      sql: `SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, ?) = ?`,
      params: [prefix.length, prefix],
    };
    return rows.flatMap((row) => bucketNamed(prefix, String(row['name'])) ?? []);
  }
}

/** The escaped name of the table of a bucket. */
export function bucketPath(table: NonceTable, expiresAt: number): string {
  return table.beside(`${bucketPrefix(table)}${bucketOf(expiresAt).from}`);
}
