import { Column, Entity, type DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AppInstance, BoundSession, TAB_ENTITIES, TAB_MIGRATIONS, UsedNonce } from '../../lib/stores/typeorm/index.js';
import { aBlock, aBreach, aKey, anInstance, aSession, NOW, swapCase } from '../../lib/testing/contract/factories.js';
import { describeService } from '../utils/services.js';
import { connectTo, ENGINES, engine, storesOf, undoMigrations, type Engine, type TestDatabase } from './engines.js';

@Entity({ name: 'tab_used_nonce', withoutRowid: true })
class MyNonce extends UsedNonce {
  @Column({ type: 'varchar', length: 20, nullable: true })
  note!: string | null;
}

@Entity({ name: 'tab_app_instance' })
class MyInstance extends AppInstance {
  @Column({ type: 'varchar', length: 20, nullable: true })
  note!: string | null;
}

@Entity({ name: 'tab_bound_session' })
class MySession extends BoundSession {
  @Column({ type: 'varchar', length: 20, nullable: true })
  note!: string | null;
}

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

    it('later migrations add to the first and leave what is stored alone', async () => {
      const dataSource = await connectTo(database());
      for (const _ of TAB_MIGRATIONS.slice(1)) await dataSource.undoLastMigration();
      expect(await tables(dataSource)).toEqual(['tab_used_nonce', 'tab_app_instance', 'tab_bound_session']);
      const instance = anInstance();
      const { bindings } = await storesOf(dataSource);
      await bindings.saveInstance(instance);
      await dataSource.runMigrations();
      expect(await wantedChanges(dataSource)).toEqual([]);
      expect((await bindings.load({ instanceId: instance.id })).instance).toEqual(instance);
      await undoMigrations(dataSource);
      await dataSource.destroy();
    });

    it('used nonces stay used when their table is partitioned, and when that is undone', async () => {
      const dataSource = await connectTo(database());
      await dataSource.undoLastMigration();
      const store = (await storesOf(dataSource)).nonces;
      const later = Math.floor(Date.now() / 1000) + 180;
      const wanted = Array.from({ length: 300 }, (_, index) => ({ key: aKey(), expiresAt: later + 7 * index }));
      const claimAll = () => Promise.all(wanted.map(({ key, expiresAt }) => store.claim(key, expiresAt)));
      const [none, all] = [new Set([false]), new Set([true])];
      expect(new Set(await claimAll())).toEqual(all);
      await store.open?.();
      expect(new Set(await claimAll())).toEqual(none);
      await dataSource.runMigrations();
      expect(new Set(await claimAll())).toEqual(none);
      // Buckets are made, and rows of theirs are moved.
      await store.open?.();
      expect(new Set(await claimAll())).toEqual(none);
      const more = aKey();
      expect(await store.claim(more, later)).toBe(true);
      await dataSource.undoLastMigration();
      expect(new Set(await claimAll())).toEqual(none);
      expect(await store.claim(more, later)).toBe(false);
      await undoMigrations(dataSource, TAB_MIGRATIONS.length - 1);
      await dataSource.destroy();
    });

    it('columns of a class of the application are kept, and its class stands in for ours', async () => {
      const entities = [MyNonce, MyInstance, MySession, ...TAB_ENTITIES.slice(3)];
      const dataSource = await connectTo(database(), { entities });
      await dataSource.undoLastMigration();
      for (const table of ['tab_used_nonce', 'tab_app_instance', 'tab_bound_session']) {
        await dataSource.query(`ALTER TABLE ${table} ADD COLUMN note varchar(20) NULL`);
      }
      await dataSource.query(
        `INSERT INTO tab_used_nonce (nonce_key, expires_at, note) VALUES ('${'A'.repeat(22)}', ${NOW}, 'mine')`,
      );
      await dataSource.runMigrations();
      expect(await wantedChanges(dataSource)).toEqual([]);
      await roundTrip(dataSource);
      await (await storesOf(dataSource)).nonces.open?.();
      await roundTrip(dataSource);
      expect(await dataSource.getRepository(MyNonce).findOneBy({ key: 'A'.repeat(22) })).toMatchObject({
        note: 'mine',
      });
      await dataSource.undoLastMigration();
      expect(
        await dataSource.query(`SELECT note FROM tab_used_nonce WHERE expires_at = ${NOW} AND note IS NOT NULL`),
      ).toEqual([{ note: 'mine' }]);
      await dataSource.runMigrations();
      await undoMigrations(dataSource);
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
