import { assertClaimArguments } from '../../nonces/claim-arguments.js';
import { NonceStore, type Volatility } from '../../nonces/nonce-store.js';
import { unavailable } from './database/database-error.js';
import type { TabDatabase } from './database/database.types.js';
import { ClaimBatcher } from './nonces/claim-batcher.js';
import { claimInserts } from './nonces/claim-inserts.js';

/**
 * The used nonces in a table: a claim is a row that the primary key lets in once. Claims that arrive together are written
 * by one statement, in a transaction of its own.
 *
 * Three statements may be under way: while all of them hang, claims wait, and above 10,000 are refused. How long a dead
 * connection hangs is up to the driver: set its timeouts (`query_timeout` of `pg`, for one) in the options of the data source.
 *
 * As durable as the database is set to be: `synchronous_commit = off`, `innodb_flush_log_at_trx_commit = 2` or SQLite's
 * `synchronous = NORMAL` in WAL mode may forget the last claims when the machine loses power.
 */
export class TypeOrmNonceStore extends NonceStore {
  private readonly claims: ClaimBatcher;
  private readonly deleteExpired: string;

  /** @param table the escaped name of the table */
  constructor(
    private readonly database: TabDatabase,
    table: string,
  ) {
    super();
    this.claims = new ClaimBatcher(claimInserts(database, table));
    this.deleteExpired = database.dialect.deleteSome(table, 'nonce_key', 'expires_at < ?', 'expires_at');
  }

  override async claim(key: string, expiresAt: number): Promise<boolean> {
    assertClaimArguments(key, expiresAt);
    return this.claims.claim(key, expiresAt);
  }

  override async sweep(now: number, limit: number): Promise<number> {
    try {
      const { affected } = await this.database.run({ sql: this.deleteExpired, params: [now, limit] });
      return affected;
    } catch (error) {
      throw unavailable(error);
    }
  }

  override get volatility(): Volatility | undefined {
    return this.database.volatility;
  }
}
