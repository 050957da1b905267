import type { MigrationInterface, QueryRunner } from 'typeorm';
import { columnsFor, createTable, tableName } from '../migrations/table-builder.js';
import { AddDecisionProof1772409600000 } from './add-decision-proof.js';

/** The table of decision records, version 1. A migration never changes once it is published. */
export class CreateTabDecision1767398400000 implements MigrationInterface {
  readonly name = 'CreateTabDecision1767398400000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const { varchar, text, time, int } = columnsFor(queryRunner);
    const optional = (name: string, length: number) => varchar(name, length, { isNullable: true });
    await createTable(
      queryRunner,
      'tab_decision',
      [
        varchar('id', 64, { isPrimary: true, primaryKeyConstraintName: 'pk_tab_decision' }),
        time('decided_at'),
        varchar('outcome', 16),
        int('enforced'),
        varchar('category', 32),
        optional('code', 64),
        optional('detail', 500),
        varchar('method', 32),
        varchar('path', 256),
        optional('route', 255),
        optional('handler', 255),
        optional('instance_id', 43),
        optional('app_id', 128),
        optional('app_version', 255),
        optional('session_id', 64),
        optional('subject', 255),
        text('threats'),
        text('flags'),
        text('watched'),
        optional('breach_action', 32),
        time('duration_us'),
      ],
      [['ix_tab_decision_decided_at', 'decided_at', 'id']],
    );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropTable(tableName(queryRunner, 'tab_decision'), false, true, true);
  }
}

/** The migrations of the decision store, in order, for the `migrations` of the application's `DataSource`. */
export const TAB_DECISION_MIGRATIONS: [typeof CreateTabDecision1767398400000, typeof AddDecisionProof1772409600000] = [
  CreateTabDecision1767398400000,
  AddDecisionProof1772409600000,
];
