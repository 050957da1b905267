import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TabStores } from '../../lib/stores/stores.types.js';
import { memoryStores } from '../../lib/stores/memory/index.js';
import { redisBindings, redisNonces } from '../../lib/stores/redis/index.js';
import { ProofKeys } from '../../lib/token/proof-key.js';
import { readSecret } from '../../lib/token/secrets.js';
import { aProofKey, NOW, outcomeOf, requiring, SECRET, SESSION_ID, World } from '../utils/core/index.js';
import { ageLives, anIoredis, aPrefix, deleteKeys } from '../unit/stores/redis/harness.js';
import { describeService } from '../utils/services.js';
import { connectTo, ENGINES, storesOf, type Engine, type TestDatabase } from './engines.js';

const ending = { reason: 'lost', at: NOW };

/** What holds on every store: a proof key outlives neither its instance nor its session, and a token is good once. */
function itHolds(stores: () => TabStores): void {
  const proofKeys = new ProofKeys({
    secrets: [readSecret(SECRET)],
    origin: 'https://api.example.com',
    lifetime: 300,
    cacheSize: 10,
  });
  /** Alice's instance, and a call under a proof key of its own. */
  const aCaller = async () => {
    const world = new World({ ...stores(), proofKeys, storeTimeout: 10_000 });
    const proofKey = aProofKey({ secret: SECRET, instanceId: world.key.id, exp: NOW + 300 });
    const call = async (jti?: string) => {
      const claims = jti === undefined ? {} : { jti };
      const parts = { session: true, token: { proofKey, claims } };
      return outcomeOf(await world.verify(parts, requiring({ session: 'required' })));
    };
    return { world, call };
  };

  it('from the first request to a revocation', async () => {
    const { world, call } = await aCaller();
    const { bindings } = world.settings;
    expect(await call()).toBe('unknown_instance');
    await world.enrol();
    expect(await call()).toBe('invalid_session');
    await world.startSession();
    expect(await call()).toBe('accepted');
    const copies = await Promise.all(Array.from({ length: 8 }, () => call('j'.repeat(22))));
    expect(copies.filter((outcome) => outcome === 'accepted')).toHaveLength(1);
    expect(await call('j'.repeat(22))).toBe('replayed_token');
    await bindings.endSession(SESSION_ID, ending);
    expect(await call()).toBe('invalid_session');
    await bindings.suspend(world.key.id, ending, []);
    expect(await call()).toBe('instance_suspended');
    await bindings.revoke(world.key.id, ending);
    expect(await call()).toBe('instance_revoked');
  });
}

async function onEngine({ name, service, create }: Engine): Promise<void> {
  const body = (): void => {
    let database: TestDatabase;
    let source: DataSource;
    let stores: TabStores;
    beforeAll(async () => {
      database = await create();
      source = await connectTo(database);
      stores = await storesOf(source);
      await stores.nonces.open?.();
    });
    afterAll(async () => {
      await source.destroy();
      await database.drop();
    });
    itHolds(() => stores);
  };
  if (service) await describeService(service, `proof keys on ${name}`, body);
  else describe(`proof keys on ${name}`, body);
}

describe('proof keys in memory', () => {
  const stores = memoryStores({ clock: () => NOW * 1000 });
  itHolds(() => stores);
});

for (const engine of ENGINES) await onEngine(engine);

await describeService('redis', 'proof keys on Redis', () => {
  const [prefix, redis] = [aPrefix(), anIoredis()];
  let stores: TabStores;
  beforeAll(async () => {
    const opened = redisNonces(redis as never, { prefix, durability: 'durable' });
    await opened.open?.();
    await ageLives(redis, prefix);
    const nonces = redisNonces(redis as never, { prefix, durability: 'durable' });
    await nonces.open?.();
    stores = { nonces, bindings: redisBindings(redis as never, { prefix }) };
  });
  afterAll(async () => {
    await deleteKeys(redis, prefix);
    redis.disconnect();
  });
  itHolds(() => stores);
});
