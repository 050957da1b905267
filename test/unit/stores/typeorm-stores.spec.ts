import { DataSource, type DataSourceOptions } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { TabConfigError } from '../../../lib/errors/tab-error.js';
import type { ProviderLookup } from '../../../lib/stores/stores.types.js';
import { TAB_ENTITIES, typeOrmStores } from '../../../lib/stores/typeorm/index.js';
import { openDatabase } from '../../../lib/stores/typeorm/database/open-database.js';
import { fakeClock, NOW } from './factories.js';
import { sqliteDriver } from '../../../sample/bank/database/sqlite-driver.js';

const noLookup: ProviderLookup = () => {
  throw new Error('looked up');
};
const memory: DataSourceOptions = {
  type: 'better-sqlite3',
  driver: sqliteDriver(),
  database: ':memory:',
  entities: [...TAB_ENTITIES],
  synchronize: true,
};
const initialised = (change: object = {}): Promise<DataSource> => new DataSource({ ...memory, ...change }).initialize();

describe('typeOrmStores', () => {
  it('takes the DataSource of the application unless it is given one', async () => {
    const dataSource = await initialised();
    const asked: unknown[] = [];
    const lookup: ProviderLookup = (token) => {
      asked.push(token);
      return dataSource as never;
    };
    const stores = await typeOrmStores().create(lookup);
    expect(asked).toEqual([DataSource]);
    expect(await stores.nonces.claim('A'.repeat(22), NOW)).toBe(true);
    const same = await typeOrmStores({ dataSource }).create(noLookup);
    expect(await same.nonces.claim('A'.repeat(22), NOW)).toBe(false);
    await dataSource.destroy();
  });

  it('fails the start without the entities, naming what to add', async () => {
    const dataSource = await initialised({ entities: [TAB_ENTITIES[0]] });
    await expect(typeOrmStores({ dataSource }).create(noLookup)).rejects.toThrow(
      /TAB_ENTITIES.*AppInstance, BoundSession, InstanceBreach, BlockedVersion/,
    );
    await dataSource.destroy();
  });

  it('fails the start on a data source that is not initialised, or of an engine that it does not know', async () => {
    await expect(typeOrmStores({ dataSource: new DataSource(memory) }).create(noLookup)).rejects.toThrow(
      /initialize\(\)/,
    );
    const foreign = { options: { type: 'mssql' }, isInitialized: true } as unknown as DataSource;
    expect(() => openDatabase(foreign, Date.now)).toThrow(TabConfigError);
    const inherited = { options: { type: 'constructor' }, isInitialized: true } as unknown as DataSource;
    expect(() => openDatabase(inherited, Date.now)).toThrow(TabConfigError);
  });
});

describe('volatility', () => {
  it('is one per connection to a database in memory, and new after a restart', async () => {
    const dataSource = await initialised();
    const clock = fakeClock().read;
    const [one, two] = [
      await typeOrmStores({ dataSource, clock }).create(noLookup),
      await typeOrmStores({ dataSource }).create(noLookup),
    ];
    const first = one.nonces.volatility;
    expect(first).toMatchObject({ startedAt: NOW });
    expect(two.nonces.volatility).toEqual(first);
    await dataSource.destroy();
    await dataSource.initialize();
    expect(one.nonces.volatility?.epoch).not.toBe(first?.epoch);
    await dataSource.destroy();
  });

  it('is also that of a schema that is dropped at every start', async () => {
    const dataSource = await initialised({ dropSchema: true, database: '' });
    const stores = await typeOrmStores({ dataSource }).create(noLookup);
    expect(stores.nonces.volatility).toBeDefined();
    await dataSource.destroy();
    const server = { options: { type: 'postgres', dropSchema: true }, isInitialized: true } as unknown as DataSource;
    expect(openDatabase(server, fakeClock().read).volatility).toMatchObject({ startedAt: NOW });
  });
});
