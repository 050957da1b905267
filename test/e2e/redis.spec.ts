import { Redis } from 'ioredis';
import { DataSource } from 'typeorm';
import { TabSessions, TabInstances, type TabStoresFactory } from 'nestjs-tab';
import { redisBindings, redisNonces, type RedisDurability } from 'nestjs-tab/redis';
import { TAB_ENTITIES, TAB_MIGRATIONS, typeOrmStores } from 'nestjs-tab/typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ageLives, anIoredis, aPrefix, aPrivateRedis, deleteKeys } from '../unit/stores/redis/harness.js';
import { startApp, type TestApp } from '../utils/http/app.js';
import { Device, type Call } from '../utils/http/client.js';
import { expectAccepted, expectRefusal } from '../utils/http/expectations.js';
import { PLATFORMS } from '../utils/http/platforms.js';
import { describeService } from '../utils/services.js';
import { exchange } from '../utils/http/wire.js';
import { OpenController } from './controllers.js';
import { sqliteDriver } from '../../sample/bank/database/sqlite-driver.js';

const ORIGIN = 'https://api.example';
const ONCE: Call = { method: 'POST', target: '/open/once' };

/** Nodes on each platform over the same stores, and a client that is routed to any of them. */
async function startNodes(stores: () => TabStoresFactory, clock: () => number = Date.now) {
  const nodes: TestApp[] = [];
  for (const platform of PLATFORMS) {
    nodes.push(
      await startApp(platform, { controllers: [OpenController], tab: { origins: ORIGIN, clock, stores: stores() } }),
    );
  }
  const at = (index: number, device?: Device): Device => {
    const routed = new Device({ port: nodes[index]?.port ?? 0, origin: ORIGIN, clock, key: device?.key });
    routed.nonce = device?.nonce;
    return routed;
  };
  return { nodes, at, stop: () => Promise.all(nodes.map((node) => node.stop())) };
}

async function aDatabase(): Promise<DataSource> {
  const options = { entities: TAB_ENTITIES, migrations: TAB_MIGRATIONS, migrationsRun: true };
  return new DataSource({
    type: 'better-sqlite3',
    driver: sqliteDriver(),
    database: ':memory:',
    ...options,
  }).initialize();
}

/** Claims in Redis, everything else in the database of the application. */
function mixed(redis: Redis, dataSource: DataSource, prefix: string, durability?: RedisDurability): TabStoresFactory {
  return {
    create: async (lookup) => {
      const { bindings } = await typeOrmStores({ dataSource }).create(lookup);
      return { bindings, nonces: redisNonces(redis, { prefix, durability }) };
    },
  };
}

await describeService('redis', 'nodes that share a Redis', () => {
  const redis = anIoredis();
  const prefix = aPrefix();
  let dataSource: DataSource;

  beforeAll(async () => {
    dataSource = await aDatabase();
    // A Redis that has been up for a while.
    await redisNonces(redis, { prefix }).open();
    await ageLives(redis, prefix);
  });
  afterAll(async () => {
    await dataSource.destroy();
    await deleteKeys(redis, prefix);
    redis.disconnect();
  });

  describe.each([
    ['nonces in Redis, bindings in SQL', () => mixed(redis, dataSource, prefix)],
    [
      'nonces and bindings in Redis',
      () => ({
        create: () => ({ nonces: redisNonces(redis, { prefix }), bindings: redisBindings(redis, { prefix }) }),
      }),
    ],
  ])('%s', (_name, stores) => {
    let cluster: Awaited<ReturnType<typeof startNodes>>;

    beforeAll(async () => {
      cluster = await startNodes(stores);
    });
    afterAll(() => cluster.stop());

    it('accept each token once, wherever it comes first', async () => {
      const device = await cluster.at(0).enrolled();
      for (let round = 0; round < 10; round++) {
        const { wire } = device.prepare();
        const answers = await Promise.all([...cluster.nodes, ...cluster.nodes].map(({ port }) => exchange(port, wire)));
        const codes = answers.map((answer) => answer.header('tab-error') ?? `accepted ${answer.status}`).sort();
        expect(codes.slice(0, 2)).toEqual(['accepted 200', 'replayed_token']);
        expect(codes.filter((code) => code.startsWith('accepted'))).toHaveLength(1);
      }
    });

    it('accept each single-use challenge once', async () => {
      const device = await cluster.at(0).enrolled();
      const asked = await device.send({ ...ONCE, claims: { nonce: undefined } });
      const nonce = asked.header('tab-nonce');
      expectAccepted(await cluster.at(1, device).send({ ...ONCE, claims: { nonce } }));
      expectRefusal(await cluster.at(0, device).send({ ...ONCE, claims: { nonce } }), 'use_tab_nonce');
    });

    it('see a revocation from the next request on', async () => {
      const device = await cluster.at(1).enrolled();
      for (const index of cluster.nodes.keys()) expectAccepted(await cluster.at(index, device).send());
      await cluster.nodes[0]?.nest.get(TabInstances, { strict: false }).revoke(device.id, 'stolen');
      for (const index of cluster.nodes.keys())
        expectRefusal(await cluster.at(index, device).send(), 'instance_revoked');
    });

    it('list what they keep', async () => {
      const [node] = cluster.nodes;
      expect(await node?.nest.get(TabSessions, { strict: false }).list('nobody')).toEqual([]);
      expect((await node?.nest.get(TabInstances, { strict: false }).list({}))?.length).toBeGreaterThan(0);
    });
  });

  it('a Redis that does not answer at start-up fails the start', async () => {
    const nowhere = anIoredis({ host: '127.0.0.1', port: 1 }, { retryStrategy: () => null });
    const starting = startNodes(() => mixed(nowhere, dataSource, prefix));
    await expect(starting).rejects.toMatchObject({ code: 'store_unavailable' });
    nowhere.disconnect();
  });
});

const server = await aPrivateRedis('--save', '', '--appendonly', 'no');

describe.skipIf(server === undefined)('nodes whose Redis is restarted empty', () => {
  let offset = 0;
  const clock = () => Date.now() + offset;
  let dataSource: DataSource;
  let cluster: Awaited<ReturnType<typeof startNodes>>;

  beforeAll(async () => {
    if (server === undefined) return;
    dataSource = await aDatabase();
    await redisNonces(server.client).open();
    await ageLives(server.client, 'tab:n:');
    const { client } = server;
    cluster = await startNodes(
      () => ({
        create: async (lookup) => ({
          ...(await typeOrmStores({ dataSource }).create(lookup)),
          nonces: redisNonces(client, { clock }),
        }),
      }),
      clock,
    );
  });
  afterAll(async () => {
    await cluster?.stop();
    await dataSource?.destroy();
    await server?.remove();
  });

  it('accept nothing again that was accepted before, and go on half a minute later', async () => {
    if (server === undefined) return;
    const device = await cluster.at(0).enrolled();
    const prepared = device.prepare();
    expectAccepted(await device.replay(prepared));
    await server.stop('SIGKILL');
    await server.start();
    // Each node finds out by its first claim; from then on the challenges of before are no good.
    for (const index of [1, 0]) {
      expectRefusal(await cluster.at(index, device).replay(prepared), 'store_unavailable');
      await expect
        .poll(() =>
          cluster
            .at(index, device)
            .replay(prepared)
            .then((answer) => answer.header('tab-error')),
        )
        .toBe('use_tab_nonce');
    }
    const renewed = await cluster.at(0, device).send();
    expectRefusal(renewed, 'use_tab_nonce');
    device.nonce = renewed.header('tab-nonce');
    // The challenge is known to both nodes; the token may still be one from before.
    for (const index of [0, 1]) {
      const early = await cluster.at(index, device).send();
      expectRefusal(early, 'store_unavailable');
      expect(Number(early.header('retry-after'))).toBeGreaterThan(20);
    }
    offset = 40_000;
    for (const index of [0, 1]) expectAccepted(await cluster.at(index, device).send());
    expectRefusal(await device.replay(prepared), 'use_tab_nonce');
  });
});
