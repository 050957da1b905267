import type { QueryRunner } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { OrderTabUsedNonces1772323200000 } from '../../../../lib/stores/typeorm/migrations/order-used-nonces.js';

/** A runner that notes what is asked of it and fails at its second statement. */
function aRunner(isTransactionActive: boolean): { runner: QueryRunner; calls: string[] } {
  const calls: string[] = [];
  const note = (name: string) => () => Promise.resolve(void calls.push(name));
  let statements = 0;
  const runner = {
    manager: { connection: { options: { type: 'postgres' }, driver: { escape: (name: string) => `"${name}"` } } },
    isTransactionActive,
    startTransaction: note('start'),
    commitTransaction: note('commit'),
    rollbackTransaction: note('rollback'),
    query: () => {
      calls.push('statement');
      statements += 1;
      return statements > 1 ? Promise.reject(new Error('failed')) : Promise.resolve([]);
    },
  };
  return { runner: runner as unknown as QueryRunner, calls };
}

describe('OrderTabUsedNonces', () => {
  const migration = new OrderTabUsedNonces1772323200000();

  it.each(['up', 'down'] as const)(
    '%s is whole or not done, where nobody has opened a transaction',
    async (direction) => {
      const { runner, calls } = aRunner(false);
      await expect(migration[direction](runner)).rejects.toThrow();
      expect([calls[0], calls.at(-1)]).toEqual(['start', 'rollback']);
      expect(calls).not.toContain('commit');
    },
  );

  it('leaves a transaction that is open to whoever opened it', async () => {
    const { runner, calls } = aRunner(true);
    await expect(migration.up(runner)).rejects.toThrow();
    expect(calls.filter((name) => name !== 'statement')).toEqual([]);
  });
});
