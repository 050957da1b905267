import type { QueryRunner, Table } from 'typeorm';
import { TableIndex } from 'typeorm';
import { tableName } from './table-builder.js';

/** A table that is one tree in the order of expiry, beside which the stores put one per bucket. */
export function sqliteUp(queryRunner: QueryRunner): Promise<void> {
  return replace(queryRunner, (table) => {
    table.withoutRowid = true;
    table.indices = [];
    // The order of the columns is the order of the key.
    table.columns.sort((a, b) => Number(b.name === 'expires_at') - Number(a.name === 'expires_at'));
    setKey(table, ['expires_at', 'nonce_key']);
  });
}

/** The plain table that was there before, with the rows of all buckets. */
export async function sqliteDown(queryRunner: QueryRunner): Promise<void> {
  const name = tableName(queryRunner, 'tab_used_nonce');
  for (const mark of await numbered(queryRunner, `${name}_o`)) await queryRunner.query(`DROP TABLE "${mark.name}"`);
  for (const bucket of await numbered(queryRunner, `${name}_b`)) {
    await queryRunner.query(
      `INSERT INTO "${name}" (nonce_key, expires_at) SELECT nonce_key, expires_at FROM "${bucket.name}"`,
    );
    await queryRunner.query(`DROP TABLE "${bucket.name}"`);
  }
  await replace(queryRunner, (table) => {
    table.withoutRowid = false;
    table.columns.sort((a, b) => Number(b.name === 'nonce_key') - Number(a.name === 'nonce_key'));
    setKey(table, ['nonce_key']);
    table.indices = [new TableIndex({ name: 'ix_tab_used_nonce_expires_at', columnNames: ['expires_at'] })];
  });
}

/** The tables whose names are a prefix and digits. */
function numbered(queryRunner: QueryRunner, prefix: string): Promise<{ name: string }[]> {
  return queryRunner.query(`SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB ? AND NOT name GLOB ?`, [
    `${prefix}[0-9]*`,
    `${prefix}*[^0-9]*`,
  ]);
}

/** Copies the table, with columns of the application's own, into one that `change` has made different. */
async function replace(queryRunner: QueryRunner, change: (table: Table) => void): Promise<void> {
  const name = tableName(queryRunner, 'tab_used_nonce');
  const old = await queryRunner.getTable(name);
  if (!old) throw new Error(`there is no table ${name}`);
  const next = old.clone();
  next.name = `${name}_next`;
  change(next);
  await queryRunner.createTable(next, false, true, false);
  const columns = old.columns.map((column) => `"${column.name}"`).join(', ');
  await queryRunner.query(`INSERT INTO "${next.name}" (${columns}) SELECT ${columns} FROM "${name}"`);
  await queryRunner.query(`DROP TABLE "${name}"`);
  await queryRunner.query(`ALTER TABLE "${next.name}" RENAME TO "${name}"`);
  await queryRunner.createIndices(name, next.indices);
}

function setKey(table: Table, key: readonly string[]): void {
  for (const column of table.columns) {
    column.isPrimary = key.includes(column.name);
    column.primaryKeyConstraintName = column.isPrimary ? 'pk_tab_used_nonce' : undefined;
  }
}
