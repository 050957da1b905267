import { Table, TableIndex, type QueryRunner, type TableColumnOptions } from 'typeorm';
import { TabConfigError } from '../../../errors/tab-error.js';
import { DIALECTS, isSupportedDriver } from '../database/dialects.js';

/** A column of a migration. Text columns get the collation of the engine. */
export type MigrationColumn = TableColumnOptions;

/** An index of a migration: its name, then its columns. */
export type MigrationIndex = readonly [name: string, ...columns: string[]];

/** Columns for the tables of one engine. */
export function columnsFor(queryRunner: QueryRunner) {
  const { type } = queryRunner.manager.connection.options;
  if (!isSupportedDriver(type))
    throw new TabConfigError(`TAB_MIGRATIONS support ${Object.keys(DIALECTS).join(', ')}, not ${type}`);
  const { textColumn } = DIALECTS[type];
  return {
    varchar: (name: string, length: number, more: Partial<MigrationColumn> = {}): MigrationColumn => ({
      name,
      type: 'varchar',
      length: String(length),
      ...textColumn,
      ...more,
    }),
    text: (name: string): MigrationColumn => ({ name, type: 'text', ...textColumn }),
    time: (name: string, isNullable = false): MigrationColumn => ({ name, type: 'bigint', isNullable }),
    int: (name: string): MigrationColumn => ({
      name,
      type: type === 'postgres' || type === 'better-sqlite3' ? 'integer' : 'int',
    }),
  };
}

/** The name of a table under the `entityPrefix` of the data source. */
export function tableName(queryRunner: QueryRunner, name: string): string {
  return (queryRunner.manager.connection.options.entityPrefix ?? '') + name;
}

/** Creates a table with its indices; index names that start with `uq_` are unique. */
export async function createTable(
  queryRunner: QueryRunner,
  name: string,
  columns: MigrationColumn[],
  indices: readonly MigrationIndex[],
): Promise<void> {
  const table = new Table({
    name: tableName(queryRunner, name),
    columns,
    indices: indices.map(
      ([index, ...columnNames]) => new TableIndex({ name: index, columnNames, isUnique: index.startsWith('uq_') }),
    ),
  });
  await queryRunner.createTable(table, false, true, true);
}
