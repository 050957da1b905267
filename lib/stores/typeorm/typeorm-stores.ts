import { DataSource } from 'typeorm';
import { TabConfigError } from '../../errors/tab-error.js';
import type { TabStores, TabStoresFactory } from '../stores.types.js';
import { openDatabase } from './database/open-database.js';
import {
  AppInstance,
  BlockedVersion,
  BoundSession,
  InstanceBreach,
  TAB_ENTITIES,
  UsedNonce,
} from './entities/index.js';
import { TypeOrmBindingStore } from './typeorm-binding-store.js';
import { TypeOrmNonceStore } from './typeorm-nonce-store.js';

/** Settings of `typeOrmStores`. */
export interface TypeOrmStoresOptions {
  /** An initialised data source. Default: the provider `DataSource` of the application, as `TypeOrmModule.forRoot` makes it. */
  readonly dataSource?: DataSource;
  /** Milliseconds since the epoch; says when a database that forgets (SQLite `:memory:`) began. Default: `Date.now`. */
  readonly clock?: () => number;
}

/**
 * Stores in the application's own database, through TypeORM: PostgreSQL, MySQL, MariaDB, or SQLite by `better-sqlite3`.
 * The data source needs `TAB_ENTITIES` among its entities and `TAB_MIGRATIONS` among its migrations.
 *
 * @throws TabConfigError from `create`, at start-up, when the data source lacks the entities, is not initialised, has another
 *   driver, or compares text case-insensitively
 */
export function typeOrmStores(options: TypeOrmStoresOptions = {}): TabStoresFactory {
  return {
    create: (lookup) => createStores(options.dataSource ?? lookup(DataSource), options.clock ?? Date.now),
  };
}

async function createStores(dataSource: DataSource, clock: () => number): Promise<TabStores> {
  const database = openDatabase(dataSource, clock);
  const missing = TAB_ENTITIES.filter((entity) => !dataSource.hasMetadata(entity));
  if (missing.length > 0) {
    throw new TabConfigError(
      `add TAB_ENTITIES to the entities of the DataSource: ${missing.map(({ name }) => name).join(', ')} missing`,
    );
  }
  const paths = TAB_ENTITIES.map((entity) => dataSource.getMetadata(entity).tablePath);
  await database.dialect.checkSchema?.(dataSource, paths);
  const table = (entity: (typeof TAB_ENTITIES)[number]): string => escapedPath(dataSource, entity);
  return {
    nonces: new TypeOrmNonceStore(database, table(UsedNonce)),
    bindings: new TypeOrmBindingStore(database, {
      instances: table(AppInstance),
      sessions: table(BoundSession),
      breaches: table(InstanceBreach),
      blocks: table(BlockedVersion),
    }),
  };
}

/** The table as the data source places it: under its `schema` and `entityPrefix`. */
function escapedPath(dataSource: DataSource, entity: (typeof TAB_ENTITIES)[number]): string {
  const path = dataSource.getMetadata(entity).tablePath.split('.');
  return path.map((part) => dataSource.driver.escape(part)).join('.');
}
