import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readReplies } from '../../../../lib/stores/redis/nonces/claim-replies.js';
import { CLAIM } from '../../../../lib/stores/redis/nonces/scripts.js';
import { redisNonces, type RedisSend } from '../../../../lib/stores/redis/index.js';
import { aKey, race } from '../../../../lib/testing/contract/factories.js';
import { describeService } from '../../../utils/services.js';
import { ageLives, anIoredis, aPrefix, aPrivateRedis, deleteKeys, intercepted } from './harness.js';

const soon = (): number => Math.floor(Date.now() / 1000) + 180;
const isClaim = ([command, script]: readonly string[]): boolean =>
  (command === 'evalsha' && script === CLAIM.sha1) || (command === 'eval' && script === CLAIM.source);
const unavailable = (detail: RegExp) => ({
  code: 'store_unavailable',
  detail: expect.stringMatching(detail) as string,
});

await describeService('redis', 'claims of one turn, in Redis', () => {
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

  /** A store on a Redis that has been up for a while, and what it sends from here on. */
  async function settled(over?: RedisSend) {
    const { send, sent, hooks } = intercepted(redis);
    await redisNonces(over ?? redis, { prefix }).open();
    await ageLives(redis, prefix);
    const store = redisNonces(over ?? send, { prefix });
    await store.open();
    return { store, sent, hooks, claims: () => sent.filter(({ args }) => isClaim(args)) };
  }

  /** The numbers of nonces and of lives of a script. */
  const shape = (args: readonly string[]): [number, number] => {
    const [nonces, keys] = [Number(args[4 + Number(args[2])]), Number(args[2])];
    return [nonces, keys - nonces];
  };

  it('are one script, whatever their buckets are, and each is answered for itself', async () => {
    const { store, claims } = await settled();
    const keys = Array.from({ length: 60 }, aKey);
    const spent = keys.filter((_, index) => index % 3 === 0);
    for (const key of spent) await store.claim(key, soon());
    const before = claims().length;
    const outcomes = await Promise.all(keys.map((key) => store.claim(key, soon())));
    expect(outcomes).toEqual(keys.map((key) => !spent.includes(key)));
    const [script, ...more] = claims().slice(before);
    expect(more).toEqual([]);
    expect(shape(script?.args ?? [])).toEqual([60, new Set(keys.map((key) => key.charAt(0))).size]);
    expect(await Promise.all(keys.map((key) => store.claim(key, soon())))).not.toContain(true);
  });

  it('have one winner for each key, in one script and in several', async () => {
    const { store, claims } = await settled();
    const keys = Array.from({ length: 50 }, aKey);
    const wins = await race(500, (index) => store.claim(keys[index % 50] ?? '', soon()));
    // The first to come is the first in the script, and the others lose.
    expect(wins.slice(0, 50)).not.toContain(false);
    expect(wins.slice(50)).not.toContain(true);
    expect(claims().map(({ args }) => shape(args)[0])).toEqual([128, 128, 128, 116]);
  });

  it('that are over are told so, and do not hold up the others', async () => {
    const { store } = await settled();
    const over = Math.floor(Date.now() / 1000) - 2;
    const [good, late] = [store.claim(aKey(), soon()), store.claim(aKey(), over)];
    await expect(late).rejects.toMatchObject(unavailable(/over by the clock of Redis/));
    expect(await good).toBe(true);
  });

  it.each(['won', 'won won won', 'won lost won won', 'won lost lots', 'won  lost', ' won lost won', 'won\nlost won'])(
    'a reply that does not answer each of them answers none: %o',
    async (reply) => {
      const { store, hooks } = await settled();
      const count = reply === 'won won won' ? 2 : 3;
      hooks.answer = (args) => (isClaim(args) ? reply : undefined);
      for (const outcome of await Promise.allSettled(several(count, () => store.claim(aKey(), soon()))))
        expect(outcome).toMatchObject({ status: 'rejected', reason: unavailable(/unexpected reply/) });
    },
  );

  it('are all refused when the script fails, and it is sent once', async () => {
    const { store, hooks, claims } = await settled();
    const keys = Array.from({ length: 20 }, aKey);
    hooks.answer = (args) => {
      if (isClaim(args)) throw new Error('Connection is closed.');
      return undefined;
    };
    for (const outcome of await Promise.allSettled(keys.map((key) => store.claim(key, soon()))))
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'store_unavailable' } });
    expect(claims()).toHaveLength(1);
  });

  it('go by buckets after keys of several slots were refused, until one server is known to have all', async () => {
    const { store, hooks, claims } = await settled();
    hooks.answer = (args) => {
      if (isClaim(args) && shape(args)[1] > 1) throw new Error("CROSSSLOT Keys in request don't hash to the same slot");
      return undefined;
    };
    const keys = ['A', 'B', 'A'].map((first) => first + aKey().slice(1));
    const claimAll = () => Promise.allSettled(keys.map((key) => store.claim(key, soon())));
    for (const outcome of await claimAll()) expect(outcome).toMatchObject({ reason: unavailable(/CROSSSLOT/) });
    expect((await claimAll()).map((outcome) => outcome.status === 'fulfilled' && outcome.value)).toEqual([
      true,
      true,
      true,
    ]);
    expect(claims().map(({ args }) => shape(args))).toEqual([
      [3, 2],
      [2, 1],
      [1, 1],
    ]);
    hooks.answer = undefined;
    await store.sweep();
    await claimAll();
    expect(shape(claims().at(-1)?.args ?? [])).toEqual([3, 2]);
  });

  it('are judged by the life that they are sent with, though another was known when they came', async () => {
    const { store, hooks, claims } = await settled();
    const now = Math.floor(Date.now() / 1000);
    hooks.answer = (args) => (isClaim(args) ? undefined : `${aKey()} ${'a'.repeat(40)} ${now} ${now}`);
    const sweep = store.sweep();
    await expect(store.claim(aKey(), soon())).rejects.toMatchObject(unavailable(/only now/));
    expect(claims()).toEqual([]);
    await sweep;
  });

  it('are refused at once when too many wait', async () => {
    const { store, hooks } = await settled();
    hooks.answer = (args) => (isClaim(args) ? new Promise(() => undefined) : undefined);
    for (let count = 0; count < 10_000; count++) void store.claim(aKey(), soon());
    await expect(store.claim(aKey(), soon())).rejects.toMatchObject(unavailable(/too many/));
  });
});

const spare = await aPrivateRedis('--save', '');
const other = spare && (await aPrivateRedis('--save', ''));

/** Two servers, and a function that spreads keys over them, as some proxies do: no server has the lives of all buckets. */
describe.skipIf(other === undefined)('claims of one turn, spread over servers', () => {
  afterAll(() => Promise.all([spare?.remove(), other?.remove()]));

  it('go by buckets; one that goes to the wrong server is refused there', async () => {
    if (spare === undefined || other === undefined) return;
    const scripts: number[] = [];
    let deceive = false;
    const send: RedisSend = ([command = '', ...args], firstKey) => {
      const { client } = /\{tab-[A-Z]/.test(firstKey) ? spare : other;
      if (isClaim([command, ...args])) scripts.push(Number(args[1]) - Number(args[3 + Number(args[1])]));
      // As if one server had all, which is what must not be relied on alone.
      else if (deceive && args[1] === '64') return Promise.resolve('together');
      return client.call(command, ...args);
    };
    // Durable servers have no owner by whom they could be told apart.
    const store = redisNonces(send, { durability: 'durable' });
    await store.open();
    const keys = ['A', 'B', 'c', 'd'].map((first) => first + aKey().slice(1));
    const claimAll = () => Promise.all(keys.map((key) => store.claim(key, soon())));
    expect([await claimAll(), await claimAll()]).toEqual([Array(4).fill(true), Array(4).fill(false)]);
    expect(new Set(scripts)).toEqual(new Set([1]));
    deceive = true;
    await store.sweep();
    for (const outcome of await Promise.allSettled(
      ['A', 'c'].map((first) => store.claim(first + aKey().slice(1), soon())),
    ))
      expect(outcome).toMatchObject({ status: 'rejected', reason: unavailable(/restarted/) });
    expect(scripts.at(-1)).toBe(2);
  });
});

it('replies are read as a whole', () => {
  expect(readReplies('won lost over', 3)).toEqual(['won', 'lost', 'over']);
  expect(readReplies('changed', 3)).toBe('changed');
  for (const reply of ['', 'won', 'changed changed changed', 'won lost constructor', null, ['won', 'lost', 'over']])
    expect(readReplies(reply, 3)).toBeUndefined();
});

function several<T>(count: number, call: () => Promise<T>): Promise<T>[] {
  return Array.from({ length: count }, call);
}
