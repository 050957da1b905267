import { TableColumn, type MigrationInterface, type QueryRunner } from 'typeorm';
import { columnsFor, tableName } from '../migrations/table-builder.js';

/** What the token of a decision was made with, version 2 of the table. A migration never changes once it is published. */
export class AddDecisionProof1772409600000 implements MigrationInterface {
  readonly name = 'AddDecisionProof1772409600000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const { varchar } = columnsFor(queryRunner);
    const column = new TableColumn(varchar('proof', 16, { isNullable: true }));
    await queryRunner.addColumn(tableName(queryRunner, 'tab_decision'), column);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropColumn(tableName(queryRunner, 'tab_decision'), 'proof');
  }
}
