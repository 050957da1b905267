import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { TAB_ENTITIES, TAB_MIGRATIONS, typeOrmStores } from '../../lib/stores/typeorm/index.js';
import type { TabStores } from '../../lib/stores/stores.types.js';
import { serviceAddress, type ServiceName } from '../utils/services.js';
import { sqliteDriver } from '../../sample/bank/database/sqlite-driver.js';

/** A database of one engine that a test made for itself. */
export interface TestDatabase {
  /** Options of a data source on it, without a schema yet unless a change says otherwise. */
  readonly options: DataSourceOptions;
  drop(): Promise<void>;
}

/** An engine under test. */
export interface Engine {
  readonly name: string;
  /** Needed for it; none for SQLite. */
  readonly service?: ServiceName;
  /** Makes an empty database under a name of its own, so that parallel runs do not meet. */
  create(): Promise<TestDatabase>;
}

const uniqueName = (): string => `tab_test_${process.pid}_${randomBytes(5).toString('hex')}`;
const ours = { entities: TAB_ENTITIES, migrations: TAB_MIGRATIONS };

async function createOnServer(server: DataSourceOptions, drop: (name: string) => string): Promise<TestDatabase> {
  const name = uniqueName();
  const onServer = async (sql: string): Promise<void> => {
    const admin = await new DataSource(server).initialize();
    await admin.query(sql);
    await admin.destroy();
  };
  await onServer(`CREATE DATABASE ${name}`);
  return { options: { ...server, database: name, ...ours } as DataSourceOptions, drop: () => onServer(drop(name)) };
}

const sqliteMemory: Engine = {
  name: 'SQLite in memory',
  create: async () => ({
    options: { type: 'better-sqlite3', driver: sqliteDriver(), database: ':memory:', ...ours },
    drop: async () => undefined,
  }),
};

const sqliteFile: Engine = {
  name: 'SQLite file',
  create: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tab-test-'));
    return {
      options: {
        type: 'better-sqlite3',
        driver: sqliteDriver(),
        database: join(folder, 'tab.sqlite'),
        enableWAL: true,
        ...ours,
      },
      drop: async () => rmSync(folder, { recursive: true, force: true }),
    };
  },
};

const postgres: Engine = {
  name: 'PostgreSQL',
  service: 'postgres',
  create: () =>
    createOnServer(
      { type: 'postgres', ...serviceAddress('postgres'), username: 'postgres', database: 'test' },
      (name) => `DROP DATABASE ${name} WITH (FORCE)`,
    ),
};

const mariadb: Engine = {
  name: 'MariaDB',
  service: 'mariadb',
  create: () =>
    createOnServer(
      { type: 'mariadb', ...serviceAddress('mariadb'), username: 'root', database: 'test' },
      (name) => `DROP DATABASE ${name}`,
    ),
};

/** Every engine that the stores support and a test can reach. */
export const ENGINES: readonly Engine[] = [sqliteMemory, sqliteFile, postgres, mariadb];

/** The engine of one name. */
export function engine(name: string): Engine {
  const found = ENGINES.find((one) => one.name === name);
  if (!found) throw new Error(`no engine ${name}`);
  return found;
}

/** An initialised data source, migrated unless told otherwise. */
export async function connectTo(
  database: TestDatabase,
  change: Partial<DataSourceOptions> = {},
  migrate = true,
): Promise<DataSource> {
  const dataSource = await new DataSource({ ...database.options, ...change } as DataSourceOptions).initialize();
  if (migrate) await dataSource.runMigrations();
  return dataSource;
}

/** The stores over a data source. */
export async function storesOf(dataSource: DataSource): Promise<TabStores> {
  return typeOrmStores({ dataSource }).create(() => {
    throw new Error('no container in this test');
  });
}

/** Empties the tables. */
export async function empty(dataSource: DataSource): Promise<void> {
  for (const entity of TAB_ENTITIES) await dataSource.createQueryBuilder().delete().from(entity).execute();
}

/** Undoes every migration of ours, or the last `count` of them, the last one first. */
export async function undoMigrations(dataSource: DataSource, count: number = TAB_MIGRATIONS.length): Promise<void> {
  for (let undone = 0; undone < count; undone += 1) await dataSource.undoLastMigration();
}
