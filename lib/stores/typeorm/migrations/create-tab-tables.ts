import type { MigrationInterface, QueryRunner } from 'typeorm';
import { columnsFor, createTable, tableName } from './table-builder.js';

/** The tables of version 1. A migration never changes once it is published. */
export class CreateTabTables1767225600000 implements MigrationInterface {
  readonly name = 'CreateTabTables1767225600000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await createUsedNonce(queryRunner);
    await createAppInstance(queryRunner);
    await createBoundSession(queryRunner);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const name of ['tab_bound_session', 'tab_app_instance', 'tab_used_nonce']) {
      await queryRunner.dropTable(tableName(queryRunner, name), false, true, true);
    }
  }
}

async function createUsedNonce(queryRunner: QueryRunner): Promise<void> {
  const { varchar, time } = columnsFor(queryRunner);
  await createTable(
    queryRunner,
    'tab_used_nonce',
    [varchar('nonce_key', 22, { isPrimary: true, primaryKeyConstraintName: 'pk_tab_used_nonce' }), time('expires_at')],
    [['ix_tab_used_nonce_expires_at', 'expires_at']],
  );
}

async function createAppInstance(queryRunner: QueryRunner): Promise<void> {
  const { varchar, text, time, int } = columnsFor(queryRunner);
  await createTable(
    queryRunner,
    'tab_app_instance',
    [
      varchar('id', 43, { isPrimary: true, primaryKeyConstraintName: 'pk_tab_app_instance' }),
      varchar('app_id', 128),
      varchar('app_version', 255),
      varchar('platform', 32),
      varchar('algorithm', 16),
      text('public_key'),
      varchar('status', 16),
      varchar('status_reason', 200, { isNullable: true }),
      time('status_at'),
      text('suspended_by'),
      varchar('assurance', 16),
      varchar('format', 64),
      time('attested_at'),
      time('attestation_expires_at'),
      text('attestation_claims'),
      time('created_at'),
      int('revision'),
    ],
    [
      ['ix_tab_app_instance_app', 'app_id', 'id'],
      ['ix_tab_app_instance_status', 'status', 'id'],
      ['ix_tab_app_instance_format', 'format', 'created_at'],
    ],
  );
}

async function createBoundSession(queryRunner: QueryRunner): Promise<void> {
  const { varchar, time } = columnsFor(queryRunner);
  await createTable(
    queryRunner,
    'tab_bound_session',
    [
      varchar('id', 64, { isPrimary: true, primaryKeyConstraintName: 'pk_tab_bound_session' }),
      varchar('instance_id', 43),
      varchar('subject', 255),
      varchar('credential_hash', 43, { isNullable: true }),
      varchar('previous_credential_hash', 43, { isNullable: true }),
      time('previous_valid_until', true),
      time('created_at'),
      time('expires_at'),
      time('ended_at', true),
      varchar('end_reason', 200, { isNullable: true }),
    ],
    [
      ['uq_tab_bound_session_credential', 'credential_hash'],
      ['ix_tab_bound_session_previous', 'previous_credential_hash'],
      ['ix_tab_bound_session_instance', 'instance_id'],
      ['ix_tab_bound_session_subject', 'subject'],
      ['ix_tab_bound_session_expires_at', 'expires_at'],
      ['ix_tab_bound_session_ended_at', 'ended_at'],
    ],
  );
}
