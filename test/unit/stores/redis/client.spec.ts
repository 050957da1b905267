import { Cluster, Redis } from 'ioredis';
import { createClient, createClientPool, createCluster, createSentinel } from 'redis';
import { describe, expect, it } from 'vitest';
import type { RedisClient } from '../../../../lib/stores/redis/index.js';
import { redisNonces } from '../../../../lib/stores/redis/index.js';
import { redisSend } from '../../../../lib/stores/redis/client/redis-client.js';
import { redisScript, runScript } from '../../../../lib/stores/redis/client/redis-script.js';
import { unavailable } from '../../../../lib/stores/redis/client/redis-error.js';
import { TabConfigError } from '../../../../lib/errors/tab-error.js';

/** A client of some form, with what it was called with. */
function fake(form: (record: (...args: unknown[]) => Promise<unknown>) => unknown) {
  const calls: unknown[][] = [];
  const record = (...args: unknown[]) => {
    calls.push(args);
    return Promise.resolve('reply');
  };
  return { client: form(record) as RedisClient, calls };
}

describe('redisSend', () => {
  const command = ['evalsha', 'sha', '1', '{a}:k'];
  const never = () => Promise.reject(new Error('must not be called'));

  it.each([
    ['a function', fake((record) => record), [command, '{a}:k']],
    // Its own `sendCommand` takes a Command object.
    ['ioredis', fake((record) => ({ call: record, sendCommand: never })), command],
    ['node-redis', fake((record) => ({ sendCommand: record })), [command]],
    [
      'a node-redis cluster',
      fake((record) => ({ sendCommand: record, getSlotRandomNode: never })),
      ['{a}:k', false, command],
    ],
    ['a node-redis sentinel', fake((record) => ({ sendCommand: record, getSentinelNode: never })), [false, command]],
  ])('sends a command through %s', async (_name, { client, calls }, expected) => {
    expect(await redisSend('test', client)(command, '{a}:k')).toBe('reply');
    expect(calls).toEqual([expected]);
  });

  it('takes the clients of both libraries as they are, by type and by form', () => {
    const options = { lazyConnect: true };
    const clients: RedisClient[] = [
      new Redis(options),
      new Cluster([{ port: 1 }], options),
      createClient(),
      createClientPool(),
      createCluster({ rootNodes: [{ url: 'redis://127.0.0.1:1' }] }),
      createSentinel({ name: 'bank', sentinelRootNodes: [{ host: '127.0.0.1', port: 1 }] }),
    ];
    for (const client of clients) expect(redisSend('test', client)).toBeTypeOf('function');
  });

  it.each([undefined, null, 'redis://localhost', 6379, {}, [], { call: 1 }, Promise.resolve({ call: never })])(
    'refuses %s with what to write instead',
    (client) => {
      expect(() => redisNonces(client as unknown as RedisClient)).toThrow(TabConfigError);
      expect(() => redisNonces(client as unknown as RedisClient)).toThrow(/^redisNonces: pass a client of ioredis 5/);
    },
  );

  it('options that cannot be are refused', () => {
    const client = never as RedisClient;
    for (const prefix of ['', 'a b', 'a{b', '}', 'ü', 'x'.repeat(65), 7 as unknown as string])
      expect(() => redisNonces(client, { prefix })).toThrow(/prefix must be/);
    expect(() => redisNonces(client, { durability: 'yes' as 'durable' })).toThrow(/'forgetful' or 'durable'/);
  });
});

describe('runScript', () => {
  const script = redisScript('return 1');
  const noScript = new Error('NOSCRIPT No matching script. Please use EVAL.');

  it('sends the text only to a server that does not know the script', async () => {
    const commands: string[] = [];
    const send = (args: readonly string[]) => {
      commands.push(`${args[0]} ${args[1] === script.source ? 'text' : args[1]}`);
      return args[0] === 'eval' ? Promise.resolve('done') : Promise.reject(noScript);
    };
    expect(await runScript(send, script, ['k'], [])).toBe('done');
    expect(script.sha1).toBe('e0e1f9fabfc9d4800c877a703b823ac0578ff8db');
    expect(commands).toEqual([`evalsha ${script.sha1}`, 'eval text']);
  });

  it.each(['ERR NOSCRIPT', 'Connection is closed.', 'READONLY You can’t'])(
    'does not send again after "%s"',
    async (message) => {
      let sent = 0;
      const send = () => {
        sent += 1;
        return Promise.reject(new Error(message));
      };
      await expect(runScript(send, script, ['k'], [])).rejects.toMatchObject({ code: 'store_unavailable' });
      expect(sent).toBe(1);
    },
  );

  it('a client that throws instead of rejecting is unavailable too', async () => {
    const send = () => {
      throw new Error('not connected');
    };
    await expect(runScript(send, script, ['k'], [])).rejects.toMatchObject({ code: 'store_unavailable' });
  });
});

describe('unavailable', () => {
  it.each([
    [new Error('READONLY You can’t write against a read only replica.'), 'READONLY'],
    [new Error('LOADING Redis is loading the dataset in memory'), 'LOADING'],
    [new Error('MOVED 3999 127.0.0.1:6381'), 'MOVED'],
    [Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' }), 'ECONNREFUSED'],
    [new TypeError('the key is tab:n:secret'), 'TypeError'],
    [Object.assign(new Error('x'), { code: 'tab:n:secret' }), 'Error'],
    ['tab:n:secret', 'an unknown error'],
  ])('says what failed and quotes nothing: %s', (error, reason) => {
    const told = unavailable(Object.assign(error as object, {}));
    expect(told).toMatchObject({
      code: 'store_unavailable',
      detail: `Redis failed with ${reason}`,
      hints: { retryAfter: 2 },
    });
    expect(JSON.stringify([told, String(told.cause), (told.cause as Error).stack])).not.toContain('secret');
  });
});
