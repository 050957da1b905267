import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CreateTabTables1767225600000, TAB_ENTITIES } from '../../lib/stores/typeorm/index.js';
import { aBlock, aBreach, aKey, anInstance, aSession, NOW, swapCase } from '../../lib/testing/contract/factories.js';
import { describeService } from '../utils/services.js';
import { connectTo, ENGINES, engine, storesOf, undoMigrations, type Engine, type TestDatabase } from './engines.js';

/** What TypeORM would still change so that the schema matches the entities. */
async function wantedChanges(dataSource: DataSource): Promise<string[]> {
  const log = await dataSource.driver.createSchemaBuilder().log();
  return log.upQueries.map(({ query }) => query);
}

async function tables(dataSource: DataSource): Promise<string[]> {
  const runner = dataSource.createQueryRunner();
  const names = TAB_ENTITIES.map((entity) => dataSource.getMetadata(entity).tablePath);
  const found: string[] = [];
  for (const name of names) if (await runner.hasTable(name)) found.push(name);
  await runner.release();
  return found;
}

/** A row of every table, written and read back. */
async function roundTrip(dataSource: DataSource): Promise<void> {
  const { nonces, bindings } = await storesOf(dataSource);
  const key = aKey();
  expect([await nonces.claim(key, NOW), await nonces.claim(key, NOW)]).toEqual([true, false]);
  const instance = anInstance();
  const session = aSession(instance);
  expect(await bindings.saveInstance(instance)).toBe(true);
  expect(await bindings.bind(session)).toBe('bound');
  expect(await bindings.load({ instanceId: instance.id, sessionId: session.id })).toEqual({ instance, session });
  const [breach, block] = [aBreach({ instanceId: instance.id }), aBlock({ appId: instance.appId })];
  await bindings.recordBreach(breach);
  expect(await bindings.findBreaches({ instanceId: instance.id })).toEqual([breach]);
  await bindings.blockVersions(block);
  expect((await bindings.load({ instanceId: instance.id })).blockedVersions).toEqual([block.range]);
  expect(await bindings.unblockVersions(block.appId, block.range)).toBe(true);
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

for (const one of ENGINES) {
  await onEngine(one, (database) => {
    it('migrations make what the entities say, are undone, and can be run again', async () => {
      const dataSource = await connectTo(database());
      expect(await wantedChanges(dataSource)).toEqual([]);
      await roundTrip(dataSource);
      await undoMigrations(dataSource);
      expect(await tables(dataSource)).toEqual([]);
      await dataSource.runMigrations();
      expect(await wantedChanges(dataSource)).toEqual([]);
      await roundTrip(dataSource);
      await undoMigrations(dataSource);
      await dataSource.destroy();
    });

    it('the second migration adds to the first and leaves what is stored alone', async () => {
      const early = await connectTo(database(), {
        migrations: [CreateTabTables1767225600000],
        entities: TAB_ENTITIES.slice(0, 3),
      });
      expect(await wantedChanges(early)).toEqual([]);
      const instance = anInstance();
      await early.getRepository(TAB_ENTITIES[1]).insert(instance as never);
      // One connection that is kept open is the whole of a database in memory; the others are opened again.
      const dataSource = one === ENGINES[0] ? early : await connectTo(database());
      if (dataSource !== early) {
        await early.destroy();
        expect(await wantedChanges(dataSource)).toEqual([]);
        expect((await (await storesOf(dataSource)).bindings.load({ instanceId: instance.id })).instance).toEqual(
          instance,
        );
        await dataSource.undoLastMigration();
        expect(await tables(dataSource)).toEqual(['tab_used_nonce', 'tab_app_instance', 'tab_bound_session']);
      }
      await dataSource.undoLastMigration();
      await dataSource.destroy();
    });

    it('the tables take the prefix of the data source', async () => {
      const dataSource = await connectTo(database(), { entityPrefix: 'my_' });
      expect(await tables(dataSource)).toEqual([
        'my_tab_used_nonce',
        'my_tab_app_instance',
        'my_tab_bound_session',
        'my_tab_breach',
        'my_tab_blocked_version',
      ]);
      expect(await wantedChanges(dataSource)).toEqual([]);
      await roundTrip(dataSource);
      await undoMigrations(dataSource);
      await dataSource.destroy();
    });

    it('synchronize makes tables that work as well, and that it leaves alone afterwards', async () => {
      const dataSource = await connectTo(database(), { synchronize: true }, false);
      const { nonces } = await storesOf(dataSource);
      const key = `${aKey().slice(0, 20)}aB`;
      expect([await nonces.claim(key, NOW), await nonces.claim(swapCase(key), NOW)]).toEqual([true, true]);
      await roundTrip(dataSource);
      expect(await wantedChanges(dataSource)).toEqual([]);
      await dataSource.synchronize();
      expect(await nonces.claim(key, NOW)).toBe(false);
      await dataSource.dropDatabase();
      await dataSource.destroy();
    });

    it('the entities read what the stores wrote', async () => {
      const dataSource = await connectTo(database());
      const { nonces, bindings } = await storesOf(dataSource);
      const instance = anInstance();
      const session = aSession(instance);
      await bindings.saveInstance(instance);
      await bindings.bind(session);
      await nonces.claim(aKey(), NOW);
      const [breach, block] = [aBreach(), aBlock()];
      await bindings.recordBreach(breach);
      await bindings.blockVersions(block);
      const [nonceEntity, instanceEntity, sessionEntity, breachEntity, blockEntity] = TAB_ENTITIES;
      expect(await dataSource.getRepository(instanceEntity).findOneBy({ id: instance.id })).toMatchObject(instance);
      expect(await dataSource.getRepository(sessionEntity).findOneBy({ id: session.id })).toMatchObject(session);
      expect(await dataSource.getRepository(nonceEntity).find()).toMatchObject([{ expiresAt: NOW }]);
      expect(await dataSource.getRepository(breachEntity).find()).toMatchObject([breach]);
      expect(await dataSource.getRepository(blockEntity).find()).toMatchObject([{ ...block, slot: 0 }]);
      await dataSource.dropDatabase();
      await dataSource.destroy();
    });
  });
}

await onEngine(engine('PostgreSQL'), (database) => {
  it('the tables live in the schema of the data source', async () => {
    const admin = await connectTo(database(), {}, false);
    await admin.query('CREATE SCHEMA apart');
    const dataSource = await connectTo(database(), { schema: 'apart' });
    expect(await wantedChanges(dataSource)).toEqual([]);
    await roundTrip(dataSource);
    expect(
      await admin.query(
        "SELECT 1 FROM information_schema.tables WHERE table_schema = 'public' AND table_name LIKE 'tab_%'",
      ),
    ).toEqual([]);
    await dataSource.destroy();
    await admin.destroy();
  });
});

await onEngine(engine('MariaDB'), (database) => {
  it('tables that compare case-insensitively fail the start, with the remedy', async () => {
    const dataSource = await connectTo(database());
    await dataSource.query(
      'ALTER TABLE tab_bound_session MODIFY subject varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL',
    );
    await expect(storesOf(dataSource)).rejects.toThrow(/tab_bound_session\.subject.*TAB_MIGRATIONS/);
    await dataSource.dropDatabase();
    await dataSource.destroy();
  });

  it('a mode that cuts off what is too long changes nothing', async () => {
    const dataSource = await connectTo(database(), { poolSize: 1 });
    await dataSource.query("SET SESSION sql_mode = ''");
    const { bindings } = await storesOf(dataSource);
    const instance = anInstance();
    await bindings.saveInstance(instance);
    await expect(bindings.bind(aSession(instance, { subject: 'x'.repeat(256) }))).rejects.toThrow(RangeError);
    await expect(bindings.saveInstance(anInstance({ appId: 'x'.repeat(129) }))).rejects.toThrow(RangeError);
    await dataSource.destroy();
  });
});
