import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DataSource } from 'typeorm';
import { SessionWatch, type SessionEnd } from '../../../lib/bindings/session-watch.js';
import type { TabStores } from '../../../lib/stores/stores.types.js';
import { connectTo, engine, storesOf, type TestDatabase } from '../../contract/engines.js';
import {
  aSet,
  aSignalWorld,
  COMPLIANCE,
  eventSet,
  INSTANCE,
  opaque,
  SESSION_ID,
  SESSION_REVOKED,
  user,
} from './fixture.js';

describe('signals over an SQL database', () => {
  let database: TestDatabase;
  let source: DataSource;
  let stores: TabStores;
  beforeAll(async () => {
    database = await engine('SQLite in memory').create();
    source = await connectTo(database);
    stores = await storesOf(source);
  });
  afterAll(async () => {
    await source.destroy();
    await database.drop();
  });

  it('find, end, watch and count once', async () => {
    const world = await aSignalWorld({}, {}, stores);
    const watch = new SessionWatch(world.settings, { every: () => () => undefined });
    const ends: SessionEnd[] = [];
    watch.watch(SESSION_ID).subscribe((end) => ends.push(end));
    await watch.poll();
    expect(ends).toEqual([]);
    expect(await world.take(eventSet(SESSION_REVOKED, opaque('nobody')))).toBe('invalid_request');
    const jwt = aSet({ claims: { jti: 'one', sub_id: opaque(SESSION_ID) } });
    expect(await world.take(jwt)).toBe('acted');
    expect(await world.live()).toEqual([]);
    await watch.poll();
    expect(ends).toEqual([{ id: SESSION_ID, reason: expect.stringMatching(/^signal session-revoked from/) }]);
    expect(await world.take(jwt)).toBe('duplicate');
    expect(await world.take(aSet({ claims: { jti: 'one', sub_id: user('alice') } }))).toBe('invalid_request');
    const unfit = eventSet(COMPLIANCE, opaque(INSTANCE), { current_status: 'not-compliant' });
    expect(await world.take(unfit)).toBe('acted');
    expect(await world.status()).toBe('suspended');
  });
});
