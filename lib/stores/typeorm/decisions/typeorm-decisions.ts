import { DataSource } from 'typeorm';
import { TabConfigError } from '../../../errors/tab-error.js';
import type { DecisionStore, DecisionStoreFactory } from '../../../telemetry/decision-store.js';
import { openDatabase } from '../database/open-database.js';
import { DecisionRecord } from './decision-record.entity.js';
import { TypeOrmDecisionStore } from './typeorm-decision-store.js';

/** Thirty days, in seconds. */
const DEFAULT_KEEP_FOR = 30 * 86_400;

/** Settings of `typeOrmDecisions`. */
export interface TypeOrmDecisionsOptions {
  /** An initialised data source. Default: the provider `DataSource` of the application, as `TypeOrmModule.forRoot` makes it. */
  readonly dataSource?: DataSource;
  /** Seconds for which a record is kept. Default 30 days. */
  readonly keepFor?: number;
}

/**
 * Decision records in the application's own database, through TypeORM, so that all nodes find them and a report covers all
 * of them. The data source needs `TAB_DECISION_ENTITIES` among its entities and `TAB_DECISION_MIGRATIONS` among its
 * migrations. Every verified request becomes a row, written in batches in the background.
 *
 * @throws TabConfigError when `keepFor` is not a positive number; from `create`, at start-up, when the data source lacks the
 *   entity, is not initialised, has another driver, or compares text case-insensitively
 */
export function typeOrmDecisions(options: TypeOrmDecisionsOptions = {}): DecisionStoreFactory {
  const { keepFor = DEFAULT_KEEP_FOR } = options;
  if (!Number.isFinite(keepFor) || keepFor <= 0)
    throw new TabConfigError('typeOrmDecisions: keepFor must be a positive number of seconds');
  return { create: (lookup) => createStore(options.dataSource ?? lookup(DataSource), keepFor) };
}

async function createStore(dataSource: DataSource, keepFor: number): Promise<DecisionStore> {
  const database = openDatabase(dataSource, Date.now);
  if (!dataSource.hasMetadata(DecisionRecord))
    throw new TabConfigError('add TAB_DECISION_ENTITIES to the entities of the DataSource: DecisionRecord missing');
  const { tablePath } = dataSource.getMetadata(DecisionRecord);
  await database.dialect.checkSchema?.(dataSource, [tablePath]);
  // The table as the data source places it: under its `schema` and `entityPrefix`.
  const table = tablePath.split('.').map((part) => dataSource.driver.escape(part));
  return new TypeOrmDecisionStore(database, table.join('.'), keepFor);
}
