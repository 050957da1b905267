import { DataSource, getMetadataArgsStorage, type EntityMetadata } from 'typeorm';
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
import type { NonceTable } from './nonces/nonce-expiry.js';
import { TypeOrmBindingStore } from './typeorm-binding-store.js';
import { TypeOrmNonceStore } from './typeorm-nonce-store.js';

type TabEntity = (typeof TAB_ENTITIES)[number];

/** Settings of `typeOrmStores`. */
export interface TypeOrmStoresOptions {
  /** An initialised data source. Default: the provider `DataSource` of the application, as `TypeOrmModule.forRoot` makes it. */
  readonly dataSource?: DataSource;
  /**
   * Milliseconds since the epoch; says when a database that forgets (SQLite `:memory:`) began, and for which time the
   * first buckets of used nonces are made. Default: `Date.now`.
   */
  readonly clock?: () => number;
}

/**
 * Stores in the application's own database, through TypeORM: PostgreSQL, MySQL, MariaDB, or SQLite by `better-sqlite3`.
 * The data source needs `TAB_ENTITIES` among its entities and `TAB_MIGRATIONS` among its migrations. In the place of one of
 * the entities may stand a class that extends it, with nullable columns of your own.
 *
 * @throws TabConfigError from `create`, at start-up, when the data source lacks the entities, is not initialised, has another
 *   driver, or compares text case-insensitively; from `open` of the nonce store when PostgreSQL would empty it after a crash
 */
export function typeOrmStores(options: TypeOrmStoresOptions = {}): TabStoresFactory {
  return {
    create: (lookup) => createStores(options.dataSource ?? lookup(DataSource), options.clock ?? Date.now),
  };
}

async function createStores(dataSource: DataSource, clock: () => number): Promise<TabStores> {
  const database = openDatabase(dataSource, clock);
  const found = TAB_ENTITIES.map((entity) => metadataOf(dataSource, entity));
  const missing = TAB_ENTITIES.filter((_, index) => found[index] === undefined);
  if (missing.length > 0) {
    throw new TabConfigError(
      `add TAB_ENTITIES to the entities of the DataSource: ${missing.map(({ name }) => name).join(', ')} missing`,
    );
  }
  const paths = found.flatMap((metadata) => metadata?.tablePath ?? []);
  await database.dialect.checkSchema?.(dataSource, paths, isOurs);
  const table = (entity: TabEntity): string => escapedPath(dataSource, pathOf(dataSource, entity));
  return {
    nonces: new TypeOrmNonceStore(database, nonceTable(dataSource), clock),
    bindings: new TypeOrmBindingStore(database, {
      instances: table(AppInstance),
      sessions: table(BoundSession),
      breaches: table(InstanceBreach),
      blocks: table(BlockedVersion),
    }),
  };
}

/** Whether one of our entities declares the property, and not a class of the application that extends it. */
function isOurs(property: string): boolean {
  const entities: readonly unknown[] = TAB_ENTITIES;
  return getMetadataArgsStorage().columns.some(
    (column) => column.propertyName === property && entities.includes(column.target),
  );
}

/**
 * The metadata of one of our entities, or of the application's own class that extends it to add columns.
 *
 * @throws TabConfigError when several classes extend it
 */
function metadataOf(dataSource: DataSource, entity: TabEntity): EntityMetadata | undefined {
  const all = dataSource.entityMetadatas;
  const own = all.find(({ target }) => target === entity);
  if (own) return own;
  const derived = all.filter(({ target }) => typeof target === 'function' && target.prototype instanceof entity);
  if (derived.length > 1) {
    throw new TabConfigError(
      `leave one of the entities that extend ${entity.name}: ${derived.map(({ name }) => name).join(', ')}`,
    );
  }
  return derived[0];
}

function pathOf(dataSource: DataSource, entity: TabEntity): string {
  return metadataOf(dataSource, entity)?.tablePath ?? '';
}

function nonceTable(dataSource: DataSource): NonceTable {
  const path = pathOf(dataSource, UsedNonce).split('.');
  const beside = (name: string): string => escapedPath(dataSource, [...path.slice(0, -1), name].join('.'));
  const name = path.at(-1) ?? '';
  return { name, path: beside(name), beside };
}

/** The table as the data source places it: under its `schema` and `entityPrefix`. */
function escapedPath(dataSource: DataSource, path: string): string {
  const parts = path.split('.');
  return parts.map((part) => dataSource.driver.escape(part)).join('.');
}
