import { assertClaimArguments } from '../../nonces/claim-arguments.js';
import { NonceStore, type Volatility } from '../../nonces/nonce-store.js';
import { TabConfigError } from '../../errors/tab-error.js';
import { unavailable } from './database/database-error.js';
import type { TabDatabase } from './database/database.types.js';
import { ClaimBatcher } from './nonces/claim-batcher.js';
import { claimInserts } from './nonces/claim-inserts.js';
import type { NonceExpiry, NonceTable } from './nonces/nonce-expiry.js';
import { openExpiry } from './nonces/open-expiry.js';

/**
 * The used nonces in a table: a claim is a row that the primary key lets in once. Claims that arrive together are written
 * by one statement, in a transaction of its own. They lie in buckets by their expiry, which are made ahead and dropped as a
 * whole; see `nonces/bucket.ts`.
 *
 * Three statements may be under way: while all of them hang, claims wait, and above 10,000 are refused. How long a dead
 * connection hangs is up to the driver: set its timeouts (`query_timeout` of `pg`, for one) in the options of the data source.
 *
 * As durable as the database is set to be: `synchronous_commit = off`, `innodb_flush_log_at_trx_commit = 2` or SQLite's
 * `synchronous = NORMAL` in WAL mode may forget the last claims when the machine loses power.
 */
export class TypeOrmNonceStore extends NonceStore {
  private readonly claims: ClaimBatcher;
  private readonly expiry: NonceExpiry;
  private maintainedAt: number | undefined;
  /** What the last maintenance failed with, until a sweep has told it. */
  private trouble: Error | undefined;

  /** @param clock milliseconds since the epoch; for which time the first buckets are made */
  constructor(
    private readonly database: TabDatabase,
    table: NonceTable,
    private readonly clock: () => number,
  ) {
    super();
    this.claims = new ClaimBatcher(claimInserts(database, table));
    this.expiry = openExpiry(database, table);
  }

  /**
   * Checks the table and makes the first buckets.
   *
   * @throws TabConfigError when the table may forget claims without a sign
   */
  override async open(): Promise<void> {
    await this.guarded(() => this.expiry.inspect());
    // Claims do without buckets: what is in the way here is told by every sweep, and fails no start.
    await this.maintain(Math.floor(this.clock() / 1000)).catch(() => undefined);
  }

  override async claim(key: string, expiresAt: number): Promise<boolean> {
    assertClaimArguments(key, expiresAt);
    return this.claims.claim(key, expiresAt);
  }

  /** Deletes up to `limit` rows that are in no bucket; makes and drops buckets, once for each `now`. */
  override async sweep(now: number, limit: number): Promise<number> {
    const removed = await this.guarded(() => this.expiry.deleteExpired(now, limit));
    if (this.maintainedAt !== now) {
      this.maintainedAt = now;
      this.trouble = await this.maintain(now).then(
        () => undefined,
        (error: unknown) => error as Error,
      );
    }
    // Told once the old rows are gone: what is in the way of buckets, such as a missing privilege, must not keep them.
    const { trouble } = this;
    if (trouble === undefined || removed >= limit) return removed;
    this.trouble = undefined;
    this.maintainedAt = undefined;
    throw trouble;
  }

  override get volatility(): Volatility | undefined {
    return this.database.volatility;
  }

  private async maintain(now: number): Promise<void> {
    await this.guarded(() => this.expiry.maintain(now));
  }

  private async guarded<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      throw error instanceof TabConfigError ? error : unavailable(error);
    }
  }
}
