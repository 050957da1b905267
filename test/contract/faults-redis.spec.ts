import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { callStore } from '../../lib/bindings/store-call.js';
import { redisBindings, redisNonces, type RedisClient } from '../../lib/stores/redis/index.js';
import { aKey, anInstance } from '../../lib/testing/contract/factories.js';
import { ageLives, anIoredis, aPrefix, deleteKeys } from '../unit/stores/redis/harness.js';
import { FaultyProxy } from '../utils/faulty-proxy.js';
import { describeService, serviceAddress, type ServiceAddress } from '../utils/services.js';

/* What networks and servers do to a claim in Redis; what a restart or failover loses is in the unit tests of the stores. */

const UNAVAILABLE = { code: 'store_unavailable' };
const seconds = (): number => Math.floor(Date.now() / 1000);
const soon = (): number => seconds() + 180;

interface Client {
  readonly client: RedisClient;
  close(): void;
}

const CLIENTS: readonly { name: string; open(address: ServiceAddress): Promise<Client> }[] = [
  {
    name: 'ioredis that sends again',
    open: async (address) => {
      const client = anIoredis(address, { maxRetriesPerRequest: 1 });
      return { client, close: () => client.disconnect() };
    },
  },
  {
    name: 'ioredis that sends once',
    open: async (address) => {
      const options = { maxRetriesPerRequest: 0, autoResendUnfulfilledCommands: false };
      const client = anIoredis(address, options);
      return { client, close: () => client.disconnect() };
    },
  },
  {
    name: 'node-redis',
    open: async (socket) => {
      const client = createClient({ socket: { ...socket, reconnectStrategy: () => 20 } });
      client.on('error', () => undefined);
      await client.connect();
      return { client, close: () => client.destroy() };
    },
  },
];

await describeService('redis', 'faults of Redis', () => {
  describe.each(CLIENTS)('$name', ({ open }) => {
    let direct: Redis;
    let prefix: string;
    let proxy: FaultyProxy;
    let client: Client;

    beforeAll(() => {
      direct = anIoredis();
    });
    afterAll(() => direct.disconnect());
    beforeEach(async () => {
      prefix = aPrefix();
      await redisNonces(direct, { prefix }).open();
      // A Redis that has been up for a while.
      await ageLives(direct, prefix);
      proxy = new FaultyProxy(serviceAddress('redis'));
      client = await open(await proxy.listen());
    });
    afterEach(async () => {
      client.close();
      await proxy.close();
      await deleteKeys(direct, prefix);
    });

    async function aStore(clock?: () => number) {
      const store = redisNonces(client.client, { prefix, clock });
      await store.open();
      return store;
    }

    const present = (key: string): Promise<number> => direct.exists(`${prefix}{tab-${key.charAt(0)}}:${key}`);
    const elsewhere = (key: string, expiresAt: number) => redisNonces(direct, { prefix }).claim(key, expiresAt);

    async function works(store: { claim(key: string, expiresAt: number): Promise<boolean> }): Promise<void> {
      // A client takes a moment to connect again, and may refuse meanwhile.
      await vi.waitFor(() => store.claim(aKey(), soon()), { timeout: 10_000 });
      const key = aKey();
      expect([await store.claim(key, soon()), await store.claim(key, soon())]).toEqual([true, false]);
    }

    it('the connection ends before a claim reaches Redis: refused, or made once by the client itself', async () => {
      const store = await aStore();
      await works(store);
      const [key, expiresAt] = [aKey(), soon()];
      const hit = proxy.inject('cut', key);
      const claim = store.claim(key, expiresAt).catch((error: unknown) => error);
      await hit;
      proxy.heal();
      const outcome = await claim;
      if (outcome !== true) expect(outcome).toMatchObject(UNAVAILABLE);
      await works(store);
      const later = [await store.claim(key, expiresAt), await elsewhere(key, expiresAt)];
      expect([outcome, ...later].filter((each) => each === true)).toHaveLength(1);
    });

    it('the connection ends after Redis has made the claim: accepted by nobody', async () => {
      const store = await aStore();
      await works(store);
      const [key, expiresAt] = [aKey(), soon()];
      void proxy.inject('swallow answers', key);
      const claim = store.claim(key, expiresAt).catch((error: unknown) => error);
      await vi.waitFor(async () => expect(await present(key)).toBe(1), { timeout: 10_000 });
      proxy.heal();
      proxy.cut();
      const outcome = await claim;
      if (outcome !== false) expect(outcome).toMatchObject(UNAVAILABLE);
      await works(store);
      expect([await store.claim(key, expiresAt), await elsewhere(key, expiresAt)]).toEqual([false, false]);
    });

    it('nothing answers: refused at the deadline, and accepted by nobody afterwards', async () => {
      const store = await aStore();
      await works(store);
      const wanted = Array.from({ length: 20 }, aKey);
      const expiresAt = soon();
      void proxy.inject('swallow answers', prefix);
      const claims = wanted.map((key) => callStore('nonce store', 200, () => store.claim(key, expiresAt)));
      for (const each of await Promise.allSettled(claims)) {
        expect(each).toMatchObject({ status: 'rejected', reason: UNAVAILABLE });
      }
      proxy.heal();
      proxy.cut();
      await works(store);
      const made = await Promise.all(wanted.map(present));
      const later = await Promise.all(wanted.map((key) => elsewhere(key, expiresAt)));
      // What was made before is spent; what was not is free, once.
      for (const [index, won] of later.entries()) expect(won).toBe(made[index] === 0);
    });

    it.each([
      '-LOADING Redis is loading the dataset in memory\r\n',
      "-READONLY You can't write against a read only replica.\r\n",
      '-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to no.\r\n',
      '-OOM command not allowed when used memory > maxmemory.\r\n',
      '-BUSY Redis is busy running a script.\r\n',
      '+QUEUED\r\n',
      '$-1\r\n',
    ])('%j instead of an answer: refused, and claimed once when that is over', async (answer) => {
      const store = await aStore();
      const bindings = redisBindings(client.client, { prefix });
      await works(store);
      const [key, expiresAt] = [aKey(), soon()];
      void proxy.inject({ answer }, prefix);
      await expect(store.claim(key, expiresAt)).rejects.toMatchObject(UNAVAILABLE);
      await expect(bindings.load({ instanceId: anInstance().id })).rejects.toMatchObject(UNAVAILABLE);
      await expect(bindings.saveInstance(anInstance())).rejects.toMatchObject(UNAVAILABLE);
      proxy.heal();
      expect([await store.claim(key, expiresAt), await store.claim(key, expiresAt)]).toEqual([true, false]);
      expect((await bindings.load({ instanceId: anInstance().id })).instance).toBeUndefined();
    });

    it('the clock of a node steps forward and back: the clock of Redis decides', async () => {
      let offset = 0;
      const store = await aStore(() => Date.now() + offset);
      const [key, expiresAt] = [aKey(), soon()];
      expect(await store.claim(key, expiresAt)).toBe(true);
      for (offset of [600_000, -60_000, -600_000, 0]) {
        await store.sweep();
        const again: unknown = await store.claim(key, expiresAt).catch((error: unknown) => error);
        if (again !== false) expect(again).toMatchObject(UNAVAILABLE);
      }
      expect(await store.claim(key, expiresAt)).toBe(false);
    });
  });
});
