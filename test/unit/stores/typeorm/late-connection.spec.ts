import type { DataSource } from 'typeorm';
import { describe, expect, it, vi } from 'vitest';
import { DIALECTS } from '../../../../lib/stores/typeorm/database/dialects.js';
import { ServerDatabase } from '../../../../lib/stores/typeorm/database/server-database.js';

describe('a connection that does not come', () => {
  it('is given up, does nothing when it comes after all, and goes back to the pool', async () => {
    let come: (connection: object) => void = () => undefined;
    const released = withResolvers();
    const runner = {
      connect: () => new Promise<object>((resolve) => (come = resolve)),
      query: vi.fn(),
      release: vi.fn(() => Promise.resolve(released.resolve(undefined))),
    };
    const source = { createQueryRunner: () => runner } as unknown as DataSource;
    const database = new ServerDatabase(source, DIALECTS.postgres, undefined);
    Object.assign(database, { patience: 5 });
    await expect(database.run({ sql: 'SELECT 1', params: [] })).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(runner.release).not.toHaveBeenCalled();
    come({});
    await released.promise;
    expect([runner.query.mock.calls.length, runner.release.mock.calls.length]).toEqual([0, 1]);
  });
});

function withResolvers(): { promise: Promise<unknown>; resolve: (value: unknown) => void } {
  let resolve: (value: unknown) => void = () => undefined;
  const promise = new Promise<unknown>((settle) => (resolve = settle));
  return { promise, resolve };
}
