import type { QueryRunner } from 'typeorm';
import { tableName } from './table-builder.js';

/** A table in the order of expiry, of which what has expired is one end. */
export async function mysqlUp(queryRunner: QueryRunner): Promise<void> {
  const table = `\`${tableName(queryRunner, 'tab_used_nonce')}\``;
  await queryRunner.query(
    `ALTER TABLE ${table} DROP PRIMARY KEY, DROP INDEX ix_tab_used_nonce_expires_at, ADD PRIMARY KEY (expires_at, nonce_key)`,
  );
}

/** The plain table that was there before. */
export async function mysqlDown(queryRunner: QueryRunner): Promise<void> {
  const table = `\`${tableName(queryRunner, 'tab_used_nonce')}\``;
  await queryRunner.query(
    `ALTER TABLE ${table} DROP PRIMARY KEY, ADD PRIMARY KEY (nonce_key), ADD INDEX ix_tab_used_nonce_expires_at (expires_at)`,
  );
}
