import { DataSource, type DataSourceOptions } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TabConfigError } from '../../lib/errors/tab-error.js';
import {
  DecisionRecord,
  TAB_DECISION_ENTITIES,
  TAB_DECISION_MIGRATIONS,
  typeOrmDecisions,
} from '../../lib/stores/typeorm/decisions/index.js';
import { TAB_ENTITIES, TAB_MIGRATIONS } from '../../lib/stores/typeorm/index.js';
import type { DecisionStore } from '../../lib/telemetry/decision-store.js';
import { describeService } from '../utils/services.js';
import { decisionStoreContract } from '../unit/telemetry/decision-store-contract.js';
import { aDecision, aDecisionFullOf, aRefusal, AT, someDecisions, someTokens } from '../unit/telemetry/factories.js';
import { connectTo, engine, ENGINES, undoMigrations, type Engine, type TestDatabase } from './engines.js';
import { sqliteDriver } from '../../sample/bank/database/sqlite-driver.js';

const ours = { entities: TAB_DECISION_ENTITIES, migrations: TAB_DECISION_MIGRATIONS };

function connect(database: TestDatabase, change: object = {}, migrate = true): Promise<DataSource> {
  return connectTo(database, { ...ours, ...change }, migrate);
}

async function storeOf(dataSource: DataSource, keepFor?: number): Promise<DecisionStore> {
  return typeOrmDecisions({ dataSource, ...(keepFor !== undefined && { keepFor }) }).create(() => {
    throw new Error('no container in this test');
  });
}

/** What TypeORM would still change so that the schema matches the entity. */
async function wantedChanges(dataSource: DataSource): Promise<string[]> {
  const log = await dataSource.driver.createSchemaBuilder().log();
  return log.upQueries.map(({ query }) => query);
}

async function onEngine(one: Engine, body: (database: () => TestDatabase) => void): Promise<void> {
  const suite = (): void => {
    let database: TestDatabase;
    beforeAll(async () => {
      database = await one.create();
    });
    afterAll(() => database.drop());
    body(() => database);
  };
  if (one.service) await describeService(one.service, one.name, suite);
  else describe(one.name, suite);
}

/** Runs `body` on a migrated database, which is empty at first. */
async function withSource(database: TestDatabase, body: (dataSource: DataSource) => Promise<void>): Promise<void> {
  const dataSource = await connect(database);
  await dataSource.createQueryBuilder().delete().from(DecisionRecord).execute();
  try {
    await body(dataSource);
  } finally {
    await dataSource.destroy();
  }
}

for (const one of ENGINES) {
  await onEngine(one, (database) => {
    const open = async () => {
      const dataSource = await connect(database());
      await dataSource.createQueryBuilder().delete().from(DecisionRecord).execute();
      return { store: await storeOf(dataSource), close: () => dataSource.destroy() };
    };
    for (const { name, run } of decisionStoreContract(open)) it(name, run);

    it('sweeps what is older than told, the oldest first, and no more than told', () =>
      withSource(database(), async (dataSource) => {
        const store = await storeOf(dataSource, 60);
        expect(store.keepFor).toBe(60);
        await store.record([5, 3, 1, 4, 2].map((at) => aDecision({ at })));
        expect(await store.sweep(4, 2)).toBe(2);
        expect((await store.recent({})).map(({ at }) => at)).toEqual([5, 4, 3]);
        expect([await store.sweep(4.9, 10), await store.sweep(4, 10)]).toEqual([1, 0]);
        expect((await store.recent({})).map(({ at }) => at)).toEqual([5, 4]);
      }));

    it('keeps what is recorded while the application is in a transaction that it rolls back', () =>
      withSource(database(), async (dataSource) => {
        const store = await storeOf(dataSource);
        const decision = aDecision();
        const runner = dataSource.createQueryRunner();
        await runner.startTransaction();
        await runner.manager.query('SELECT 1');
        const recorded = store.record([decision]);
        await runner.rollbackTransaction();
        await recorded;
        await runner.release();
        expect(await store.find(decision.id)).toEqual(decision);
      }));

    it('many nodes write at once, the same ids too', () =>
      withSource(database(), async (dataSource) => {
        const [first, second] = [await storeOf(dataSource), await storeOf(dataSource)];
        const all = Array.from({ length: 70 }, () => aDecision());
        await Promise.all([first.record(all), second.record(all.toReversed()), second.record([aRefusal()])]);
        const { categories } = await first.summarize({ since: AT, by: 'threat' });
        expect([categories.verified, categories['unknown-origin']]).toEqual([70, 1]);
      }));

    it('has the records of TabDecisions, and no token in any of them', () =>
      withSource(database(), async (dataSource) => {
        const { decisions } = someDecisions({ store: typeOrmDecisions({ dataSource }) });
        await decisions.start(() => undefined as never);
        const tokens = someTokens();
        for (const token of tokens) decisions.record(aDecisionFullOf(token));
        decisions.record(aDecision({ subject: 'alice' }));
        await decisions.close();
        const rows = JSON.stringify(await dataSource.query('SELECT * FROM tab_decision'));
        expect(rows).toContain('alice');
        expect(rows).toContain('[token]');
        const segments = tokens.flatMap((token) => token.split('.')).filter((segment) => segment.length > 1);
        expect(segments.filter((segment) => rows.includes(segment))).toEqual([]);
        expect(decisions.dropped).toBe(0);
      }));

    it('says unavailable when the database is gone, without the values of the statement', async () => {
      const dataSource = await connect(database());
      const store = await storeOf(dataSource);
      await dataSource.destroy();
      const calls = [
        () => store.record([aDecision({ subject: 'alice' })]),
        () => store.find('x'),
        () => store.recent({}),
        () => store.summarize({ since: 0, by: 'code' }),
        () => store.sweep(0, 1),
      ];
      for (const call of calls) {
        const error: unknown = await call().catch((reason: unknown) => reason);
        expect(error).toMatchObject({ code: 'store_unavailable' });
        expect(JSON.stringify(error) + String(error)).not.toContain('alice');
      }
    });

    it('migrations make what the entity says, are undone, and can be run again', async () => {
      const dataSource = await connect(database());
      const runner = dataSource.createQueryRunner();
      expect(await wantedChanges(dataSource)).toEqual([]);
      await undoMigrations(dataSource, TAB_DECISION_MIGRATIONS.length);
      expect(await runner.hasTable('tab_decision')).toBe(false);
      await dataSource.runMigrations();
      expect(await wantedChanges(dataSource)).toEqual([]);
      await undoMigrations(dataSource, TAB_DECISION_MIGRATIONS.length);
      await runner.release();
      await dataSource.destroy();
    });

    it('takes the prefix of the data source, and stands beside the other tables', async () => {
      const dataSource = await connect(database(), {
        entityPrefix: 'my_',
        entities: [...TAB_ENTITIES, ...TAB_DECISION_ENTITIES],
        migrations: [...TAB_MIGRATIONS, ...TAB_DECISION_MIGRATIONS],
        migrationsTableName: 'my_migrations',
      });
      expect(await wantedChanges(dataSource)).toEqual([]);
      const store = await storeOf(dataSource);
      const decision = aDecision();
      await store.record([decision]);
      const read = await dataSource.getRepository(DecisionRecord).findOneByOrFail({ id: decision.id });
      expect(read).toMatchObject({ at: AT, subject: 'alice', enforced: 1, durationUs: 250, threats: [], code: null });
      await dataSource.dropDatabase();
      await dataSource.destroy();
    });

    it('works on tables that synchronize made, and that it leaves alone afterwards', async () => {
      const dataSource = await connect(database(), { synchronize: true }, false);
      const store = await storeOf(dataSource);
      const decision = aDecision();
      await store.record([decision]);
      expect(await wantedChanges(dataSource)).toEqual([]);
      await dataSource.synchronize();
      expect(await store.find(decision.id)).toEqual(decision);
      await dataSource.dropDatabase();
      await dataSource.destroy();
    });
  });
}

await onEngine(engine('MariaDB'), (database) => {
  it('a table that compares case-insensitively fails the start, with the remedy', async () => {
    const dataSource = await connect(database());
    await dataSource.query(
      'ALTER TABLE tab_decision MODIFY route varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NULL',
    );
    await expect(storeOf(dataSource)).rejects.toThrow(/tab_decision\.route/);
    await dataSource.destroy();
  });
});

await onEngine(engine('PostgreSQL'), (database) => {
  it('lives in the schema of the data source', async () => {
    const admin = await connectTo(database(), {}, false);
    await admin.query('CREATE SCHEMA apart');
    const dataSource = await connect(database(), { schema: 'apart' });
    const store = await storeOf(dataSource);
    await store.record([aDecision()]);
    expect(await admin.query('SELECT COUNT(*)::int AS n FROM apart.tab_decision')).toEqual([{ n: 1 }]);
    await dataSource.destroy();
    await admin.destroy();
  });
});

describe('typeOrmDecisions', () => {
  const memory: DataSourceOptions = {
    type: 'better-sqlite3',
    driver: sqliteDriver(),
    database: ':memory:',
    synchronize: true,
  };

  it('takes the DataSource of the application unless it is given one, and keeps for thirty days', async () => {
    const dataSource = await new DataSource({ ...memory, entities: TAB_DECISION_ENTITIES }).initialize();
    const store = await typeOrmDecisions().create((token) => {
      expect(token).toBe(DataSource);
      return dataSource as never;
    });
    await store.record([aDecision()]);
    expect([store.keepFor, (await store.recent({})).length]).toEqual([30 * 86_400, 1]);
    await dataSource.destroy();
  });

  it('fails the start without the entity, naming what to add', async () => {
    const dataSource = await new DataSource({ ...memory, entities: TAB_ENTITIES }).initialize();
    await expect(storeOf(dataSource)).rejects.toThrow(/TAB_DECISION_ENTITIES/);
    await dataSource.destroy();
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('refuses to keep for %s', (keepFor) => {
    expect(() => typeOrmDecisions({ keepFor })).toThrow(TabConfigError);
  });
});
