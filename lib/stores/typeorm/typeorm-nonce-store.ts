import { assertClaimArguments } from '../../nonces/claim-arguments.js';
import { NonceStore, type Volatility } from '../../nonces/nonce-store.js';
import { unavailable } from './database/database-error.js';
import type { TabDatabase } from './database/database.types.js';

/**
 * The used nonces in a table: a claim is one INSERT in a transaction of its own, which the primary key lets succeed once.
 *
 * As durable as the database is set to be: `synchronous_commit = off`, `innodb_flush_log_at_trx_commit = 2` or SQLite's
 * `synchronous = NORMAL` in WAL mode may forget the last claims when the machine loses power.
 */
export class TypeOrmNonceStore extends NonceStore {
  private readonly insert: string;
  private readonly deleteExpired: string;

  /** @param table the escaped name of the table */
  constructor(
    private readonly database: TabDatabase,
    table: string,
  ) {
    super();
    const { ignoreConflict, deleteSome } = database.dialect;
    this.insert = `INSERT INTO ${table} (nonce_key, expires_at) VALUES (?, ?)${ignoreConflict}`;
    this.deleteExpired = deleteSome(table, 'nonce_key', 'expires_at < ?', 'expires_at');
  }

  override async claim(key: string, expiresAt: number): Promise<boolean> {
    assertClaimArguments(key, expiresAt);
    try {
      const { affected } = await this.database.run({ sql: this.insert, params: [key, expiresAt] });
      return affected === 1;
    } catch (error) {
      if (this.database.dialect.isDuplicate(error)) return false;
      throw unavailable(error);
    }
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
