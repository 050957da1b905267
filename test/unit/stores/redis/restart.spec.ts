import type { Redis } from 'ioredis';
import { afterEach, describe, expect, it } from 'vitest';
import { TabConfigError } from '../../../../lib/errors/tab-error.js';
import { redisNonces, type RedisNoncesOptions } from '../../../../lib/stores/redis/index.js';
import { aKey } from '../../../../lib/testing/contract/factories.js';
import { JTI_KEPT } from '../../../../lib/token/claim-key.js';
import { ageLives, anIoredis, aPrivateRedis, type PrivateRedis } from './harness.js';

const now = (): number => Math.floor(Date.now() / 1000);
/** When the claim of a token expires that is made in so many seconds. */
const madeIn = (seconds: number): number => now() + seconds + JTI_KEPT;

const available = await aPrivateRedis();
await available?.remove();

/** Servers of one's own: what they lose, when they come back, and what of it may be accepted again. */
describe.skipIf(available === undefined)('used nonces in a Redis that loses some', () => {
  const servers: PrivateRedis[] = [];
  const clients: Redis[] = [];

  afterEach(async () => {
    for (const client of clients.splice(0)) client.disconnect();
    for (const server of servers.splice(0)) await server.remove();
  });

  async function aServer(...settings: string[]): Promise<PrivateRedis> {
    const server = await aPrivateRedis(...settings);
    if (server === undefined) throw new Error('no redis-server');
    servers.push(server);
    return server;
  }

  const volatile = ['--save', '', '--appendonly', 'no', '--repl-diskless-sync-delay', '0'];
  const refused = { code: 'store_unavailable', detail: expect.stringMatching(/restarted|only now/) as string };

  async function opened(client: Redis, options: RedisNoncesOptions = {}) {
    const store = redisNonces(client, options);
    await store.open();
    return store;
  }

  /** A store on a server that has been up for a while. */
  async function settled(client: Redis, options: RedisNoncesOptions = {}) {
    await opened(client, options);
    await ageLives(client, 'tab:n:');
    return opened(client, options);
  }

  it('the exploit: SET … NX on a server that was restarted empty wins again', async () => {
    const { client, start, stop } = await aServer(...volatile);
    const set = () => client.call('set', 'plain', '1', 'NX', 'PX', '60000');
    const before = await set();
    await stop();
    await start();
    expect([before, await set()]).toEqual(['OK', 'OK']);
  });

  it('restarted empty between two presentations: refused, by the nodes that knew it and by new ones', async () => {
    const { client, start, stop } = await aServer(...volatile);
    const store = await settled(client);
    const [key, expiresAt] = [aKey(), madeIn(0)];
    expect(await store.claim(key, expiresAt)).toBe(true);
    const before = store.volatility;
    await stop('SIGKILL');
    await start();
    for (let round = 0; round < 3; round++) await expect(store.claim(key, expiresAt)).rejects.toMatchObject(refused);
    const newcomer = await opened(client);
    await expect(newcomer.claim(key, expiresAt)).rejects.toMatchObject(refused);
    // Challenges of the former life end with it, and all nodes agree on the new one.
    await store.sweep();
    expect(store.volatility?.epoch).not.toBe(before?.epoch);
    expect(store.volatility?.epoch).toBe(newcomer.volatility?.epoch);
    expect(store.volatility?.startedAt).toBeGreaterThanOrEqual(now() + 10);
  });

  it('tokens that are made once the new life can be relied on are claimed, once', async () => {
    const { client, start, stop } = await aServer(...volatile);
    const store = await settled(client);
    await stop();
    await start();
    await expect(store.claim(aKey(), madeIn(0))).rejects.toMatchObject(refused);
    await store.sweep();
    // As of clocks that differ by 15 s, and tokens that were accepted 15 s before their time.
    const key = aKey();
    await expect(store.claim(key, madeIn(29))).rejects.toMatchObject(refused);
    await expect(store.claim(key, madeIn(0))).rejects.toMatchObject({ hints: { retryAfter: 30 } });
    expect(await store.claim(key, madeIn(33))).toBe(true);
    expect(await store.claim(key, madeIn(33))).toBe(false);
  });

  it('restarted with an old snapshot: refused, though the record of the life is in it', async () => {
    const { client, start, stop } = await aServer(...volatile);
    const store = await settled(client);
    await client.save();
    const [key, expiresAt] = [aKey(), madeIn(0)];
    expect(await store.claim(key, expiresAt)).toBe(true);
    await stop('SIGKILL');
    await start();
    expect(await client.keys('*:life')).toHaveLength(64);
    expect(await client.keys(`*${key}`)).toEqual([]);
    await expect(store.claim(key, expiresAt)).rejects.toMatchObject(refused);
    await expect((await opened(client)).claim(key, expiresAt)).rejects.toMatchObject(refused);
  });

  it('emptied: refused', async () => {
    const { client } = await aServer(...volatile);
    const store = await settled(client);
    const [key, expiresAt] = [aKey(), madeIn(0)];
    expect(await store.claim(key, expiresAt)).toBe(true);
    await client.flushall();
    await expect(store.claim(key, expiresAt)).rejects.toMatchObject(refused);
    await expect((await opened(client)).claim(key, expiresAt)).rejects.toMatchObject(refused);
  });

  it('a replica that took over without the last claims: refused; before that, it takes none', async () => {
    const [primary, replica] = [await aServer(...volatile), await aServer(...volatile)];
    const store = await settled(primary.client);
    await replica.client.call('replicaof', primary.address.host, String(primary.address.port));
    await replicated(replica.client);
    const follower = redisNonces(replica.client);
    await expect(follower.open()).rejects.toMatchObject({ detail: expect.stringMatching(/READONLY/) as string });
    await expect(follower.claim(aKey(), madeIn(0))).rejects.toMatchObject({ code: 'store_unavailable' });
    // The replica is cut off, so that it misses what comes.
    await replica.client.call('replicaof', '127.0.0.1', '1');
    const [key, expiresAt] = [aKey(), madeIn(0)];
    expect(await store.claim(key, expiresAt)).toBe(true);
    await primary.stop('SIGKILL');
    await replica.client.call('replicaof', 'no', 'one');
    await expect(follower.claim(key, expiresAt)).rejects.toMatchObject(refused);
    await expect((await opened(replica.client)).claim(key, expiresAt)).rejects.toMatchObject(refused);
  });

  it('durable: one that writes before it answers keeps the claims, and is used at once', async () => {
    const { client, start, stop } = await aServer('--save', '', '--appendonly', 'yes', '--appendfsync', 'always');
    const store = await opened(client, { durability: 'durable' });
    const [key, expiresAt] = [aKey(), madeIn(0)];
    expect(await store.claim(key, expiresAt)).toBe(true);
    await stop('SIGKILL');
    await start();
    expect([store.volatility, await store.claim(key, expiresAt)]).toEqual([undefined, false]);
    expect(await (await opened(client, { durability: 'durable' })).claim(key, expiresAt)).toBe(false);
    expect(await store.claim(aKey(), madeIn(0))).toBe(true);
  });

  it('durable: a promise that is broken in plain sight is not relied on', async () => {
    const { client } = await aServer(...volatile);
    const store = await opened(client, { durability: 'durable' });
    const [key, expiresAt] = [aKey(), madeIn(0)];
    expect(await store.claim(key, expiresAt)).toBe(true);
    await client.flushall();
    for (let round = 0; round < 2; round++) await expect(store.claim(key, expiresAt)).rejects.toMatchObject(refused);
    await store.sweep();
    await expect(store.claim(key, expiresAt)).rejects.toMatchObject(refused);
  });

  it('one that is down rejects, and is used again when it is back', async () => {
    const { address, start, stop } = await aServer('--save', '', '--appendonly', 'yes', '--appendfsync', 'always');
    const client = anIoredis(address);
    clients.push(client);
    const store = await settled(client, { durability: 'durable' });
    await stop();
    await expect(store.claim(aKey(), madeIn(0))).rejects.toMatchObject({ code: 'store_unavailable' });
    await start();
    await client.ping();
    expect(await store.claim(aKey(), madeIn(0))).toBe(true);
  });

  it('one that may evict claims is refused at start-up, and later until it no longer may', async () => {
    const { client } = await aServer(...volatile, '--maxmemory', '100mb', '--maxmemory-policy', 'volatile-ttl');
    const opening = redisNonces(client).open();
    await expect(opening).rejects.toThrow(TabConfigError);
    await expect(opening).rejects.toThrow(/maxmemory-policy noeviction/);
    await client.config('SET', 'maxmemory-policy', 'noeviction');
    const store = await settled(client);
    expect(await store.claim(aKey(), madeIn(0))).toBe(true);
    await client.config('SET', 'maxmemory-policy', 'allkeys-lru');
    await expect(store.sweep()).rejects.toThrow(/evict/);
    await expect(store.claim(aKey(), madeIn(0))).rejects.toMatchObject(refused);
    await client.config('SET', 'maxmemory-policy', 'noeviction');
    await store.sweep();
    await expect(store.claim(aKey(), madeIn(0))).rejects.toMatchObject(refused);
    expect(await store.claim(aKey(), madeIn(33))).toBe(true);
  });

  it('full is an error, and no live claim goes', async () => {
    const { client } = await aServer(...volatile);
    const store = await settled(client);
    const key = aKey();
    expect(await store.claim(key, madeIn(0))).toBe(true);
    await client.config('SET', 'maxmemory', '1');
    await expect(store.claim(aKey(), madeIn(0))).rejects.toMatchObject({
      detail: expect.stringMatching(/OOM/) as string,
    });
    await client.config('SET', 'maxmemory', '0');
    expect(await store.claim(key, madeIn(0))).toBe(false);
  });
});

async function replicated(replica: Redis): Promise<void> {
  for (;;) {
    const info = await replica.info('replication');
    if (info.includes('master_link_status:up')) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
