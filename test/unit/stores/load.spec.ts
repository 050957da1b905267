import { DataSource } from 'typeorm';
import { describe, expect, it } from 'vitest';
import type { BindingQuery } from '../../../lib/bindings/binding.types.js';
import { openDatabase } from '../../../lib/stores/typeorm/database/open-database.js';
import type { TabDatabase } from '../../../lib/stores/typeorm/database/database.types.js';
import type { SqlRow, Statement } from '../../../lib/stores/typeorm/database/statement.js';
import { TAB_ENTITIES, TypeOrmBindingStore } from '../../../lib/stores/typeorm/index.js';
import { readBindings } from '../../../lib/stores/typeorm/rows/bindings.js';
import { encodeRow, type RowShape } from '../../../lib/stores/typeorm/rows/column.js';
import { INSTANCE, SESSION } from '../../../lib/stores/typeorm/rows/shapes.js';
import { aBlock, aHash, anInstance, aSession, aSessionId } from './factories.js';
import { sqliteDriver } from '../../../sample/bank/database/sqlite-driver.js';

const TABLES = {
  instances: 'tab_app_instance',
  sessions: 'tab_bound_session',
  breaches: 'tab_breach',
  blocks: 'tab_blocked_version',
};

/** A store on a database that notes what is asked of it. */
async function aWatchedStore() {
  const options = {
    type: 'better-sqlite3',
    driver: sqliteDriver(),
    database: ':memory:',
    entities: TAB_ENTITIES,
    synchronize: true,
  } as const;
  const dataSource = await new DataSource(options).initialize();
  const database = openDatabase(dataSource, Date.now);
  const asked: string[] = [];
  const watched: TabDatabase = {
    dialect: database.dialect,
    volatility: undefined,
    run: (statement: Statement) => (asked.push(statement.sql), database.run(statement)),
    transaction: (work) => (asked.push('transaction'), database.transaction(work)),
  };
  return { store: new TypeOrmBindingStore(watched, TABLES), asked, close: () => dataSource.destroy() };
}

function rowOf<T extends object>(shape: RowShape<T>, record: T, prefix: string): SqlRow {
  const values = encodeRow(shape, record);
  return Object.fromEntries(shape.columns.map(({ name }, index) => [prefix + name, values[index]]));
}

describe('load', () => {
  it('asks the database once, whatever it looks for, with blocks and without', async () => {
    const { store, asked, close } = await aWatchedStore();
    const instance = anInstance();
    await store.saveInstance(instance);
    const query: BindingQuery = { instanceId: instance.id };
    const queries = [query, { ...query, sessionId: aSessionId() }, { ...query, credentialHash: aHash() }];
    for (const blocks of [0, 1, 64]) {
      for (let index = 0; index < blocks; index++) await store.blockVersions(aBlock({ range: `<${index}.0.0` }));
      for (const each of queries) {
        asked.length = 0;
        expect((await store.load(each)).blockedVersions?.length ?? 0).toBe(blocks);
        expect(asked).toHaveLength(1);
        expect(asked[0]).toMatch(/^SELECT /);
      }
    }
    await close();
  });

  it('takes nothing that differs in an octet from what was asked for', () => {
    const instance = anInstance();
    const session = aSession(instance);
    const row = {
      ...rowOf(INSTANCE, instance, 'i_'),
      ...rowOf(SESSION, session, 's_'),
      b_app_id: instance.appId,
      b_version_range: '<3.2.0',
    };
    const query = { instanceId: instance.id, sessionId: session.id };
    expect(readBindings([row], query)).toEqual({ instance, session, blockedVersions: ['<3.2.0'] });
    expect(readBindings([row], { ...query, instanceId: `${instance.id} ` })).toEqual({ session });
    expect(readBindings([row], { ...query, sessionId: `${session.id} ` })).toEqual({
      instance,
      blockedVersions: ['<3.2.0'],
    });
    expect(readBindings([{ ...row, b_app_id: 'COM.example.bank' }], query)).toEqual({ instance, session });
    expect(readBindings([], query)).toEqual({});
  });

  it('rejects rather than pass over a block that cannot be read', () => {
    const instance = anInstance();
    const row = { ...rowOf(INSTANCE, instance, 'i_'), b_app_id: instance.appId, b_version_range: null };
    expect(() => readBindings([row], { instanceId: instance.id })).toThrow(RangeError);
  });
});
