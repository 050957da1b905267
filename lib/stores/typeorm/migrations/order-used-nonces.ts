import type { MigrationInterface, QueryRunner } from 'typeorm';
import { TabConfigError } from '../../../errors/tab-error.js';
import { isSupportedDriver, type SupportedDriver } from '../database/dialects.js';
import { mysqlDown, mysqlUp } from './nonces-on-mysql.js';
import { postgresDown, postgresUp } from './nonces-on-postgres.js';
import { sqliteDown, sqliteUp } from './nonces-on-sqlite.js';

type Step = (queryRunner: QueryRunner) => Promise<void>;

const STEPS: Readonly<Record<SupportedDriver, { readonly up: Step; readonly down: Step }>> = {
  postgres: { up: postgresUp, down: postgresDown },
  mysql: { up: mysqlUp, down: mysqlDown },
  mariadb: { up: mysqlUp, down: mysqlDown },
  'better-sqlite3': { up: sqliteUp, down: sqliteDown },
};

/**
 * Gives the table of used nonces the primary key (expires_at, nonce_key) and, on PostgreSQL, partitions by expiry. Claims
 * wait meanwhile. Every row is kept, there and back: a used nonce that is lost lets its
 * token pass again. A migration never changes once it is published.
 */
export class OrderTabUsedNonces1772323200000 implements MigrationInterface {
  readonly name = 'OrderTabUsedNonces1772323200000';

  up(queryRunner: QueryRunner): Promise<void> {
    return wholly(queryRunner, stepsOf(queryRunner).up);
  }

  down(queryRunner: QueryRunner): Promise<void> {
    return wholly(queryRunner, stepsOf(queryRunner).down);
  }
}

/**
 * Runs all of a step or none. With `migrationsTransactionMode: 'none'` nobody else has opened a transaction, and between two
 * statements a table without its rows would let spent tokens pass.
 */
async function wholly(queryRunner: QueryRunner, step: Step): Promise<void> {
  if (queryRunner.isTransactionActive) return step(queryRunner);
  await queryRunner.startTransaction();
  try {
    await step(queryRunner);
    await queryRunner.commitTransaction();
  } catch (error) {
    await queryRunner.rollbackTransaction();
    throw error;
  }
}

function stepsOf({ manager }: QueryRunner): { readonly up: Step; readonly down: Step } {
  const { type } = manager.connection.options;
  if (isSupportedDriver(type)) return STEPS[type];
  throw new TabConfigError(`TAB_MIGRATIONS support ${Object.keys(STEPS).join(', ')}, not ${type}`);
}
