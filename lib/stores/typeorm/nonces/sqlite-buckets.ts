import type { TabDatabase } from '../database/database.types.js';
import type { Statement, Work } from '../database/statement.js';
import { bucketNamed, bucketOf, type Bucket } from './bucket.js';
import type { NonceTable } from './nonce-expiry.js';

/** What the names of tables of buckets begin with. */
export function bucketPrefix({ name }: NonceTable): string {
  return `${name}_b`;
}

/** What the names of marks begin with: tables without rows whose names say which buckets are gone. */
function markPrefix({ name }: NonceTable): string {
  return `${name}_o`;
}

/** Where claims go, and which are late, at one moment. */
export interface Places {
  /** The starts of the buckets that have a table. */
  readonly starts: ReadonlySet<number>;
  /** What expires before this second may have been forgotten. */
  readonly goneBefore: number;
}

/** What was read, and from which connection when its schema had which version. */
interface Known extends Places {
  readonly connection: object | undefined;
  readonly version: unknown;
}

/**
 * The buckets of a table on SQLite, each a table of its own beside it. Other processes make and drop them: which there are
 * is only known inside a transaction that has the write lock.
 */
export class SqliteBuckets {
  private known: Known | undefined;
  private readonly moment: Statement;

  constructor(
    private readonly database: TabDatabase,
    private readonly table: NonceTable,
  ) {
    const sql = `SELECT schema_version AS version, ${database.dialect.clock} AS now FROM pragma_schema_version`;
    this.moment = { sql, params: [] };
  }

  /**
   * Where claims belong, as long as the transaction lasts. To be used by transactions that change no table, so that what is
   * remembered is nothing that may be rolled back.
   */
  *places(): Work<Places> {
    const connection = this.database.connection?.();
    const { rows } = yield this.moment;
    const [{ version, now } = {}] = rows;
    let { known } = this;
    // SQLite counts every change of the schema by whatever process; another connection may be to another file.
    if (known === undefined || known.version !== version || known.connection !== connection) {
      const starts = new Set((yield* this.list()).map(({ from }) => from));
      known = { connection, version, starts, goneBefore: yield* this.goneBefore() };
      this.known = version === undefined ? undefined : known;
    }
    return { starts: known.starts, goneBefore: Math.max(known.goneBefore, Number(now)) };
  }

  /** The buckets that have a table. */
  *list(): Work<readonly Bucket[]> {
    return yield* this.named(bucketPrefix(this.table));
  }

  /**
   * Notes that a bucket is about to go. The machine has one clock, so if that is set back, nothing but this tells that
   * claims of the bucket were spent before.
   */
  *markGone({ from, to }: Bucket): Work<void> {
    if ((yield* this.goneBefore()) >= to) return;
    const earlier = yield* this.named(markPrefix(this.table));
    yield { sql: `CREATE TABLE ${this.markPath(from)} (gone int)`, params: [] };
    for (const mark of earlier) yield { sql: `DROP TABLE ${this.markPath(mark.from)}`, params: [] };
  }

  private *goneBefore(): Work<number> {
    const marks = yield* this.named(markPrefix(this.table));
    return Math.max(0, ...marks.map(({ to }) => to));
  }

  private *named(prefix: string): Work<readonly Bucket[]> {
    const { rows } = yield {
      sql: `SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, ?) = ?`,
      params: [prefix.length, prefix],
    };
    return rows.flatMap((row) => bucketNamed(prefix, String(row['name'])) ?? []);
  }

  private markPath(from: number): string {
    return this.table.beside(`${markPrefix(this.table)}${from}`);
  }
}

/** The escaped name of the table of a bucket. */
export function bucketPath(table: NonceTable, expiresAt: number): string {
  return table.beside(`${bucketPrefix(table)}${bucketOf(expiresAt).from}`);
}
