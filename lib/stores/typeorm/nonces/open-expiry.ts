import type { Dialect, TabDatabase } from '../database/database.types.js';
import { MysqlExpiry } from './mysql-expiry.js';
import type { NonceExpiry, NonceTable } from './nonce-expiry.js';
import { PostgresExpiry } from './postgres-expiry.js';
import { SqliteExpiry } from './sqlite-expiry.js';

const EXPIRIES: Readonly<Record<Dialect['engine'], new (database: TabDatabase, table: NonceTable) => NonceExpiry>> = {
  postgres: PostgresExpiry,
  mysql: MysqlExpiry,
  sqlite: SqliteExpiry,
};

/** How the engine of a database gets rid of expired claims. */
export function openExpiry(database: TabDatabase, table: NonceTable): NonceExpiry {
  return new EXPIRIES[database.dialect.engine](database, table);
}
