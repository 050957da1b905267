import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { callStore } from '../../../../lib/bindings/store-call.js';
import { RedisNonceStore, redisNonces, type RedisNoncesOptions } from '../../../../lib/stores/redis/index.js';
import { TabConfigError } from '../../../../lib/errors/tab-error.js';
import { aKey } from '../../../../lib/testing/contract/factories.js';
import { describeService } from '../../../utils/services.js';
import { ageLives, anIoredis, aPrefix, CLIENTS, deleteKeys, intercepted, LossyProxy } from './harness.js';

const soon = (): number => Math.floor(Date.now() / 1000) + 180;

await describeService('redis', 'used nonces in Redis', () => {
  let redis: Redis;
  let prefix: string;

  beforeAll(() => {
    redis = anIoredis();
  });
  afterAll(() => redis.disconnect());
  beforeEach(() => {
    prefix = aPrefix();
  });
  afterEach(() => deleteKeys(redis, prefix));

  const storeOn = (client: Parameters<typeof redisNonces>[0], options: RedisNoncesOptions = {}) =>
    redisNonces(client, { prefix, ...options });

  /** A store on a Redis that has been up for a while. */
  async function settled(client: Parameters<typeof redisNonces>[0] = redis, options: RedisNoncesOptions = {}) {
    await storeOn(redis, options).open();
    await ageLives(redis, prefix);
    const store = storeOn(client, options);
    await store.open();
    return store;
  }

  const unavailable = (detail: RegExp) => ({
    code: 'store_unavailable',
    detail: expect.stringMatching(detail) as string,
  });

  it('the exploit: SET … NX PXAT with a time that has passed is OK every time', async () => {
    const set = () => redis.call('set', `${prefix}plain`, '1', 'NX', 'PXAT', String(Date.now() - 1));
    expect([await set(), await set()]).toEqual(['OK', 'OK']);
  });

  it.each(['forgetful', 'durable'] as const)('a claim that is over never wins (%s)', async (durability) => {
    const store = await settled(redis, { durability });
    const [key, past] = [aKey(), Math.floor(Date.now() / 1000) - 2];
    for (let round = 0; round < 3; round++)
      await expect(store.claim(key, past)).rejects.toMatchObject(unavailable(/over by the clock of Redis/));
    expect(await redis.exists(`${prefix}{tab-${key.charAt(0)}}:${key}`)).toBe(0);
  });

  it('a claim that is about to be over is kept for a minute after', async () => {
    const store = await settled();
    const [key, now] = [aKey(), Math.floor(Date.now() / 1000)];
    expect(await store.claim(key, now + 5)).toBe(true);
    const expiry = Number(await redis.call('pexpiretime', `${prefix}{tab-${key.charAt(0)}}:${key}`));
    expect(expiry).toBeGreaterThanOrEqual((now + 65) * 1000);
    expect(expiry).toBeLessThan((now + 75) * 1000);
  });

  it('the clock of a node that is far off decides nothing', async () => {
    const store = await settled();
    const slow = storeOn(redis, { clock: () => Date.now() - 3_600_000 });
    const key = aKey();
    expect(await store.claim(key, soon())).toBe(true);
    expect(await slow.claim(key, soon())).toBe(false);
    await expect(slow.claim(aKey(), soon() - 1000)).rejects.toMatchObject(unavailable(/over/));
  });

  it('each claim shares a slot with its life, and only with claims of the same first character', async () => {
    const { send, sent } = intercepted(redis);
    const store = await settled(send);
    sent.length = 0;
    const key = aKey();
    await store.claim(key, soon());
    const tag = `${prefix}{tab-${key.charAt(0)}}`;
    expect(sent.at(-1)).toMatchObject({ firstKey: `${tag}:${key}` });
    expect(sent.at(-1)?.args.slice(2, 5)).toEqual(['2', `${tag}:${key}`, `${tag}:life`]);
  });

  it.each([
    'OK',
    1,
    0,
    null,
    undefined,
    true,
    Buffer.from('won'),
    ['won'],
    'won ',
    'WON',
    'QUEUED',
    { won: true },
    new Error('in a reply'),
  ])('a reply that is not one of ours is never an answer: %s', async (reply) => {
    const { send, hooks } = intercepted(redis);
    const store = await settled(send);
    hooks.answer = () => reply ?? null;
    await expect(store.claim(aKey(), soon())).rejects.toMatchObject(unavailable(/unexpected reply/));
    const odd = storeOn(() => Promise.resolve(reply));
    await expect(odd.open()).rejects.toMatchObject(unavailable(/unexpected reply/));
    await expect(odd.claim(aKey(), soon())).rejects.toMatchObject(unavailable(/unexpected reply/));
    expect(() => odd.volatility).toThrow(/open\(\)/);
  });

  it.each([
    'LOADING Redis is loading the dataset in memory',
    "READONLY You can't write against a read only replica.",
    'MOVED 3999 127.0.0.1:6381',
    'CLUSTERDOWN The cluster is down',
    'OOM command not allowed when used memory > maxmemory.',
    'NOREPLICAS Not enough good replicas to write.',
    'Command timed out',
    'Connection is closed.',
  ])('%s: rejects without the words of the client, and no key in it', async (message) => {
    const { send, hooks } = intercepted(redis);
    const store = await settled(send);
    const key = aKey();
    hooks.answer = (args) => {
      throw Object.assign(new Error(`${message} ${key}`), { command: { name: args[0], args } });
    };
    const error: unknown = await store.claim(key, soon()).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'store_unavailable',
      detail: expect.stringMatching(/^Redis failed with \w+$/) as string,
    });
    expect(
      JSON.stringify([String(error), error, (error as Error).cause, String((error as Error).cause)]),
    ).not.toContain(key);
    hooks.answer = undefined;
    expect(await store.claim(key, soon())).toBe(true);
  });

  it('a claim whose answer was lost rejects, and is not accepted when it is made again', async () => {
    const proxy = new LossyProxy();
    await proxy.listen();
    for (const kind of CLIENTS) {
      const { client, close } = await kind.open(proxy.address);
      const store = await settled(client);
      await store.claim(aKey(), soon());
      const key = aKey();
      proxy.loseNext();
      const lost = proxy.lost;
      // ioredis sends the command again on its own, and is then told that the nonce is spent.
      const outcome: unknown = await store.claim(key, soon()).catch((reason: unknown) => reason);
      expect(proxy.lost).toBe(lost + 1);
      expect(outcome === false || outcome instanceof Error).toBe(true);
      expect(await redis.exists(`${prefix}{tab-${key.charAt(0)}}:${key}`)).toBe(1);
      expect(await storeOn(redis).claim(key, soon())).toBe(false);
      await close();
    }
    await proxy.close();
  });

  it('an ioredis client that does not retry rejects when the answer is lost', async () => {
    const proxy = new LossyProxy();
    const client = anIoredis(await proxy.listen(), { maxRetriesPerRequest: 0, autoResendUnfulfilledCommands: false });
    const store = await settled(client);
    await store.claim(aKey(), soon());
    const key = aKey();
    proxy.loseNext();
    await expect(store.claim(key, soon())).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(await storeOn(redis).claim(key, soon())).toBe(false);
    client.disconnect();
    await proxy.close();
  });

  it('an answer that does not come in time rejects, and the nonce is spent all the same', async () => {
    const { send } = intercepted(redis);
    const store = await settled(async (args, key) => {
      const answer = send(args, key);
      // The claim has reached Redis, and its answer never reaches the store.
      return args[2] === '2' ? answer.then(() => new Promise<never>(() => undefined)) : answer;
    });
    const key = aKey();
    const claim = callStore('nonce store', 50, () => store.claim(key, soon()));
    await expect(claim).rejects.toMatchObject(unavailable(/no answer within 50 ms/));
    expect(await storeOn(redis).claim(key, soon())).toBe(false);
  });

  it('a script that Redis has forgotten is sent again', async () => {
    const { send, sent, hooks } = intercepted(redis);
    const store = await settled(send);
    hooks.answer = (args) => {
      if (args[0] === 'evalsha') throw new Error('NOSCRIPT No matching script. Please use EVAL.');
      return undefined;
    };
    const key = aKey();
    expect([await store.claim(key, soon()), await store.claim(key, soon())]).toEqual([true, false]);
    expect(sent.at(-1)?.args[0]).toBe('eval');
  });

  it('claims before open() find out for themselves', async () => {
    await settled();
    const store = storeOn(redis);
    const key = aKey();
    expect([await store.claim(key, soon()), await store.claim(key, soon())]).toEqual([true, false]);
  });

  it('a Redis that does not say who it is must be said to be durable', async () => {
    const { send, hooks } = intercepted(redis);
    hooks.answer = () => 'anonymous';
    await expect(storeOn(send).open()).rejects.toThrow(/^redisNonces: .*durability: 'durable'/);
    await expect(storeOn(send).open()).rejects.toThrow(TabConfigError);
  });

  it('stores are what index says', () => expect(storeOn(redis)).toBeInstanceOf(RedisNonceStore));
});
