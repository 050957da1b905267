import type { DataSource, QueryRunner } from 'typeorm';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import type { TabStores } from '../../lib/stores/stores.types.js';
import {
  driveAsync,
  WorkConflict,
  type Statement,
  type StatementResult,
} from '../../lib/stores/typeorm/database/statement.js';
import { DIALECTS, isSupportedDriver } from '../../lib/stores/typeorm/database/dialects.js';
import { bindingSql } from '../../lib/stores/typeorm/work/binding-sql.js';
import { bindWork } from '../../lib/stores/typeorm/work/session-work.js';
import { aHash, aKey, anEnding, anInstance, aRebinding, aSession, NOW } from '../../lib/testing/contract/factories.js';
import { describeService } from '../utils/services.js';
import { connectTo, engine, storesOf, type TestDatabase } from './engines.js';

for (const name of ['PostgreSQL', 'MariaDB']) {
  const one = engine(name);
  if (one.service) await describeService(one.service, name, () => suite(() => one.create()));
}

function suite(create: () => Promise<TestDatabase>): void {
  let database: TestDatabase;
  let dataSource: DataSource;
  let stores: TabStores;

  beforeAll(async () => {
    database = await create();
  });
  afterAll(() => database.drop());
  beforeEach(async () => {
    dataSource = await connectTo(database);
    stores = await storesOf(dataSource);
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await dataSource.destroy();
  });

  const dialect = () => {
    const { type } = dataSource.options;
    if (!isSupportedDriver(type)) throw new Error(type);
    return DIALECTS[type];
  };

  /** Lets each query of the next connection through `change` first. */
  const interceptNext = (change: (sql: string) => Promise<void>): void => {
    const original = dataSource.createQueryRunner.bind(dataSource);
    vi.spyOn(dataSource, 'createQueryRunner').mockImplementationOnce((mode) => {
      const runner = original(mode);
      const query = runner.query.bind(runner) as (...args: unknown[]) => Promise<unknown>;
      runner.query = (async (sql: string, ...rest: unknown[]) => {
        await change(sql);
        return query(sql, ...rest);
      }) as QueryRunner['query'];
      return runner;
    });
  };

  it('a claim does not join a transaction that is carried along with the call', async () => {
    const runner = dataSource.createQueryRunner();
    const query = dataSource.query.bind(dataSource);
    vi.spyOn(dataSource, 'query').mockImplementation((sql, params) => query(sql, params as unknown[], runner));
    await runner.startTransaction();
    const key = aKey();
    expect(await stores.nonces.claim(key, NOW)).toBe(true);
    await runner.rollbackTransaction();
    expect(await stores.nonces.claim(key, NOW)).toBe(false);
    await runner.release();
  });

  it('a claim that the engine made a deadlock victim is made again; any other failure rejects', async () => {
    const victim = { driverError: { code: '40P01', errno: 1213 } };
    interceptNext(() => Promise.reject(Object.assign(new Error('deadlock'), victim)));
    expect(await stores.nonces.claim(aKey(), NOW)).toBe(true);
    const lost = { driverError: { code: 'ECONNRESET' } };
    interceptNext(() => Promise.reject(Object.assign(new Error('lost'), lost)));
    const refusal = { code: 'store_unavailable', detail: 'the database failed with ECONNRESET' };
    await expect(stores.nonces.claim(aKey(), NOW)).rejects.toMatchObject(refusal);
  });

  it('a commit without an answer rejects and is not tried again', async () => {
    const instance = anInstance();
    await stores.bindings.saveInstance(instance);
    let begun = 0;
    interceptNext(async (sql) => {
      if (sql.startsWith('START')) begun++;
      if (sql === 'COMMIT') throw Object.assign(new Error('lost'), { driverError: { code: '40P01', errno: 1213 } });
    });
    await expect(stores.bindings.revoke(instance.id, anEnding())).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(begun).toBe(1);
    // The lost connection was not given back with its transaction open: its row lock is gone.
    expect(await stores.bindings.revoke(instance.id, anEnding())).toBe(true);
  });

  it('a connection that cannot roll back is not used again', async () => {
    const instance = anInstance();
    await stores.bindings.saveInstance(instance);
    interceptNext(async (sql) => {
      if (sql.includes('tab_bound_session') || sql === 'ROLLBACK') throw new Error('refused');
    });
    await expect(stores.bindings.revoke(instance.id, anEnding())).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(await stores.bindings.revoke(instance.id, anEnding())).toBe(true);
    expect((await stores.bindings.load({ instanceId: instance.id })).instance?.revision).toBe(2);
  });

  it('errors carry no parameters', async () => {
    await dataSource.query('ALTER TABLE tab_used_nonce RENAME TO elsewhere');
    const key = aKey();
    const error: unknown = await stores.nonces.claim(key, NOW).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'store_unavailable' });
    expect(JSON.stringify([String(error), error, (error as Error).cause])).not.toContain(key);
    await dataSource.query('ALTER TABLE elsewhere RENAME TO tab_used_nonce');
  });

  it('a credential that is bound and replaced between a look and the insert is noticed', async () => {
    const instance = anInstance();
    await stores.bindings.saveInstance(instance);
    const [credentialHash, first] = [aHash(), aSession(instance)];
    const sql = bindingSql(dialect(), {
      instances: 'tab_app_instance',
      sessions: 'tab_bound_session',
      breaches: 'tab_breach',
      blocks: 'tab_blocked_version',
    });
    const runner = dataSource.createQueryRunner();
    const meanwhile = async (): Promise<void> => {
      expect(await stores.bindings.bind({ ...first, credentialHash })).toBe('bound');
      expect(await stores.bindings.rebind(aRebinding(first))).toBe('rebound');
    };
    const execute = async ({ sql: text, params }: Statement): Promise<StatementResult> => {
      if (text.startsWith('INSERT')) await meanwhile();
      const result = await runner.query(dialect().placeholders(text), [...params], true);
      return { rows: result.records, affected: result.affected ?? 0 };
    };
    for (const begin of dialect().begin) await runner.query(begin);
    await expect(driveAsync(bindWork(sql, aSession(instance, { credentialHash })), execute)).rejects.toThrow(
      WorkConflict,
    );
    await runner.query('ROLLBACK');
    await runner.release();
  });

  it('a database that is gone rejects, at the next call and at every one after it', async () => {
    await dataSource.destroy();
    await expect(stores.nonces.claim(aKey(), NOW)).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect(stores.nonces.sweep(NOW, 10)).rejects.toMatchObject({ code: 'store_unavailable' });
    await dataSource.initialize();
  });
}
