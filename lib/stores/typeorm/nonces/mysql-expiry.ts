import { TabConfigError } from '../../../errors/tab-error.js';
import type { TabDatabase } from '../database/database.types.js';
import type { NonceExpiry, NonceTable } from './nonce-expiry.js';

/**
 * MySQL and MariaDB: rows are deleted in small batches. Making or dropping a partition keeps every claim waiting for as long
 * as files are renamed and flushed, 50 ms and more, once a minute. Since the primary key begins with the expiry, what has
 * expired lies together at one end of the table, where no claim comes: to delete it costs little, and holds up nobody.
 */
export class MysqlExpiry implements NonceExpiry {
  constructor(
    private readonly database: TabDatabase,
    private readonly table: NonceTable,
  ) {}

  /** @throws TabConfigError when the table is in memory */
  async inspect(): Promise<void> {
    const { rows } = await this.database.run({ sql: `SHOW CREATE TABLE ${this.table.path}`, params: [] });
    if (!/\bENGINE=MEMORY\b/i.test(String(rows[0]?.['Create Table']))) return;
    throw new TabConfigError(
      `${this.table.name} is of the engine MEMORY: after a restart it is empty, without a sign, and used tokens pass again; ` +
        `write ALTER TABLE ${this.table.name} ENGINE = InnoDB`,
    );
  }

  maintain(): Promise<void> {
    return Promise.resolve();
  }

  /** Nothing that is live by the clock of the server goes, however far ahead that of the node is. */
  async deleteExpired(now: number, limit: number): Promise<number> {
    const { clock } = this.database.dialect;
    const sql =
      `DELETE FROM ${this.table.path} WHERE expires_at < LEAST(?, ${clock}) ` +
      `ORDER BY expires_at, nonce_key LIMIT ?`;
    return (await this.database.run({ sql, params: [now, limit] })).affected;
  }
}
