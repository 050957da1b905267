import type { MigrationInterface, QueryRunner } from 'typeorm';
import { columnsFor, createTable, tableName } from './table-builder.js';

/** The tables of breaches and version blocks. A migration never changes once it is published. */
export class CreateTabBreachTables1769904000000 implements MigrationInterface {
  readonly name = 'CreateTabBreachTables1769904000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await createBreach(queryRunner);
    await createBlockedVersion(queryRunner);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const name of ['tab_blocked_version', 'tab_breach']) {
      await queryRunner.dropTable(tableName(queryRunner, name), false, true, true);
    }
  }
}

async function createBreach(queryRunner: QueryRunner): Promise<void> {
  const { varchar, text, time } = columnsFor(queryRunner);
  await createTable(
    queryRunner,
    'tab_breach',
    [
      varchar('id', 22, { isPrimary: true, primaryKeyConstraintName: 'pk_tab_breach' }),
      varchar('instance_id', 43),
      varchar('session_id', 64, { isNullable: true }),
      time('breached_at'),
      varchar('code', 64),
      text('threats'),
      varchar('action', 16),
      varchar('detail', 500),
    ],
    [
      ['ix_tab_breach_instance', 'instance_id', 'breached_at', 'id'],
      ['ix_tab_breach_at', 'breached_at', 'id'],
    ],
  );
}

async function createBlockedVersion(queryRunner: QueryRunner): Promise<void> {
  const { varchar, time, int } = columnsFor(queryRunner);
  const key = { isPrimary: true, primaryKeyConstraintName: 'pk_tab_blocked_version' };
  await createTable(
    queryRunner,
    'tab_blocked_version',
    [
      varchar('app_id', 128, key),
      { ...int('slot'), ...key },
      varchar('version_range', 255),
      varchar('reason', 200),
      time('blocked_at'),
    ],
    [['uq_tab_blocked_version_range', 'app_id', 'version_range']],
  );
}
