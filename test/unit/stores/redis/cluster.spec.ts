import { Cluster, type Redis } from 'ioredis';
import { createCluster } from 'redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { redisBindings, redisNonces, type RedisClient } from '../../../../lib/stores/redis/index.js';
import {
  aBlock,
  aHash,
  aKey,
  anEnding,
  anInstance,
  aRebinding,
  aSession,
  race,
} from '../../../../lib/testing/contract/factories.js';
import { freePort } from '../../../utils/http/app.js';
import { aPrefix, aPrivateRedis, ageLives, type PrivateRedis } from './harness.js';

const soon = (): number => Math.floor(Date.now() / 1000) + 180;

async function aNode(): Promise<PrivateRedis | undefined> {
  return aPrivateRedis('--save', '', '--cluster-enabled', 'yes', '--cluster-port', String(await freePort()));
}

const first = await aNode();
const second = first && (await aNode());

/** Two primaries, each with half of the slots: what uses keys of two slots, or asks the wrong node, fails here. */
describe.skipIf(first === undefined || second === undefined)('Redis Cluster', () => {
  const nodes = [first, second].filter((node) => node !== undefined);

  beforeAll(async () => {
    const [one, other] = nodes;
    if (one === undefined || other === undefined) return;
    await one.client.call('cluster', 'addslotsrange', '0', '8191');
    await other.client.call('cluster', 'addslotsrange', '8192', '16383');
    const busPort = await other.client.config('GET', 'cluster-port');
    const { host, port } = other.address;
    await one.client.call('cluster', 'meet', host, String(port), String((busPort as string[])[1]));
    for (const { client } of nodes) await formed(client);
  });
  afterAll(() => Promise.all(nodes.map((node) => node.remove())));

  const clients: [name: string, open: () => Promise<{ client: RedisClient; close: () => void }>][] = [
    [
      'ioredis',
      async () => {
        const client = new Cluster(nodes.map(({ address }) => address));
        return { client, close: () => client.disconnect() };
      },
    ],
    [
      'node-redis',
      async () => {
        const client = createCluster({ rootNodes: nodes.map(({ address }) => ({ socket: { ...address } })) });
        await client.connect();
        return { client, close: () => client.destroy() };
      },
    ],
  ];

  it.each(clients)('%s: claims are spread, and win once', async (_name, open) => {
    const prefix = aPrefix();
    const { client, close } = await open();
    await redisNonces(client, { prefix }).open();
    for (const node of nodes) await ageLives(node.client, prefix);
    const store = redisNonces(client, { prefix });
    await store.open();
    for (let round = 0; round < 100; round++) {
      const key = aKey();
      const wins = await race(5, () => store.claim(key, soon()));
      expect(wins.filter(Boolean)).toHaveLength(1);
    }
    const counts = await Promise.all(nodes.map(async (node) => (await node.client.keys(`${prefix}*`)).length));
    expect(counts.reduce((sum, count) => sum + count)).toBe(164);
    expect(Math.min(...counts)).toBeGreaterThan(20);
    close();
  });

  it.each(clients)('%s: bindings work, in one slot', async (_name, open) => {
    const prefix = aPrefix();
    const { client, close } = await open();
    const store = redisBindings(client, { prefix });
    const instance = anInstance();
    expect(await store.saveInstance(instance)).toBe(true);
    const session = aSession(instance, { credentialHash: aHash() });
    expect(await store.bind(session)).toBe('bound');
    expect(await store.rebind(aRebinding(session))).toBe('rebound');
    await store.blockVersions(aBlock());
    expect(await store.suspend(instance.id, anEnding(), ['root'])).toBe(true);
    expect(await store.revoke(instance.id, anEnding())).toBe(true);
    const found = await store.load({ instanceId: instance.id, sessionId: session.id });
    expect(found).toMatchObject({
      instance: { status: 'revoked' },
      session: { endReason: 'contract' },
      blockedVersions: ['<3.2.0'],
    });
    expect(await store.findInstances({})).toHaveLength(1);
    expect(await store.findSessions(session.subject)).toHaveLength(1);
    const what = { sessionsBefore: 3e9, unattestedBefore: 3e9, breachesBefore: 3e9, limit: 10 };
    expect(await store.sweep(what)).toBe(1);
    close();
  });
});

async function formed(client: Redis): Promise<void> {
  for (;;) {
    const info = String(await client.call('cluster', 'info'));
    if (info.includes('cluster_state:ok') && info.includes('cluster_known_nodes:2')) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
