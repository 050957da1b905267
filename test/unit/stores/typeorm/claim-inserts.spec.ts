import { describe, expect, it } from 'vitest';
import { DIALECTS } from '../../../../lib/stores/typeorm/database/dialects.js';
import type { TabDatabase } from '../../../../lib/stores/typeorm/database/database.types.js';
import type { Statement, StatementResult } from '../../../../lib/stores/typeorm/database/statement.js';
import { claimInserts } from '../../../../lib/stores/typeorm/nonces/claim-inserts.js';
import { aKey, NOW } from '../factories.js';

const DUPLICATE = Object.assign(new Error('duplicate'), { driverError: { errno: 1062 } });
const NONCES = { name: 'tab_used_nonce', path: 'tab_used_nonce', beside: (name: string) => name };
const claimsOf = (keys: readonly string[]) => keys.map((key) => ({ key, expiresAt: NOW }));

/** A table as MySQL has it: an INSERT of many rows writes all or none. */
function aTable({
  before,
  finds = true,
}: { before?: (sql: string, table: Set<string>) => void; finds?: boolean } = {}) {
  const table = new Set<string>();
  const asked: string[] = [];
  const run = async ({ sql, params }: Statement): Promise<StatementResult> => {
    asked.push(sql.slice(0, 6));
    before?.(sql, table);
    const keys = params.filter((value): value is string => typeof value === 'string');
    if (sql.startsWith('SELECT')) {
      const rows = finds ? keys.filter((key) => table.has(key)).map((key) => ({ nonce_key: key })) : [];
      return { rows, affected: 0 };
    }
    if (keys.some((key) => table.has(key))) throw DUPLICATE;
    for (const key of keys) table.add(key);
    return { rows: [], affected: keys.length };
  };
  const database: TabDatabase = {
    dialect: DIALECTS.mysql,
    volatility: undefined,
    run,
    transaction: () => Promise.reject(new Error('not used')),
  };
  return { insert: claimInserts(database, NONCES), table, asked };
}

describe('where an insert of many rows fails on a duplicate as a whole', () => {
  it('one statement is enough without duplicates', async () => {
    const { insert, asked } = aTable();
    const keys = [aKey(), aKey(), aKey()];
    expect(await insert(claimsOf(keys))).toEqual(new Set(keys));
    expect(asked).toEqual(['INSERT']);
  });

  it('three are enough with any number of duplicates', async () => {
    const { insert, table, asked } = aTable();
    const [old, fresh] = [Array.from({ length: 20 }, aKey), Array.from({ length: 20 }, aKey)];
    for (const key of old) table.add(key);
    expect(await insert(claimsOf([...old, ...fresh]))).toEqual(new Set(fresh));
    expect(asked).toEqual(['INSERT', 'SELECT', 'INSERT']);
  });

  it('nobody wins, and nothing is inserted, when all are there', async () => {
    const { insert, table, asked } = aTable();
    const keys = [aKey(), aKey()];
    for (const key of keys) table.add(key);
    expect(await insert(claimsOf(keys))).toEqual(new Set());
    expect(asked).toEqual(['INSERT', 'SELECT']);
  });

  it('a key that another node inserts after the look does not win', async () => {
    const [old, raced, fresh] = [aKey(), aKey(), aKey()];
    let looked = false;
    const { insert } = aTable({
      before: (sql, table) => {
        if (looked) table.add(raced);
        table.add(old);
        looked = sql.startsWith('SELECT');
      },
    });
    expect(await insert(claimsOf([old, raced, fresh]))).toEqual(new Set([fresh]));
  });

  it('a look that sees nothing, as on a replica that lags, makes no winner and costs no loser its refusal', async () => {
    const { insert, table } = aTable({ finds: false });
    const [old, fresh] = [aKey(), aKey()];
    table.add(old);
    expect(await insert(claimsOf([old, fresh]))).toEqual(new Set([fresh]));
  });

  it('a row that was dropped on the way is no success', async () => {
    const short: TabDatabase = {
      dialect: DIALECTS.mysql,
      volatility: undefined,
      run: async () => ({ rows: [], affected: 1 }),
      transaction: () => Promise.reject(new Error('not used')),
    };
    await expect(claimInserts(short, NONCES)(claimsOf([aKey(), aKey()]))).rejects.toMatchObject({
      code: 'store_unavailable',
    });
  });

  it('any other failure ends the batch', async () => {
    const lost = new Error('lost');
    const { insert, asked } = aTable({
      before: () => {
        throw lost;
      },
    });
    await expect(insert(claimsOf([aKey(), aKey()]))).rejects.toBe(lost);
    await expect(insert(claimsOf([aKey()]))).rejects.toBe(lost);
    expect(asked).toEqual(['INSERT', 'INSERT']);
  });
});
