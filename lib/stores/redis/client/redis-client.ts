import { TabConfigError } from '../../../errors/tab-error.js';

/** A client of ioredis 5: `Redis` or `Cluster`. */
export interface IoredisClient {
  call(command: string, ...args: string[]): Promise<unknown>;
}

/** A client or pool of node-redis 5 or 6, as `createClient` and `createClientPool` make it; connected. */
export interface NodeRedisClient {
  sendCommand(args: string[]): Promise<unknown>;
}

/** A cluster of node-redis 5 or 6, as `createCluster` makes it; connected. */
export interface NodeRedisCluster {
  getSlotRandomNode(slot: number): unknown;
  sendCommand(firstKey: string, isReadonly: boolean, args: string[]): Promise<unknown>;
}

/** A sentinel client of node-redis 5 or 6, as `createSentinel` makes it; connected. */
export interface NodeRedisSentinel {
  getSentinelNode(): unknown;
  sendCommand(isReadonly: boolean, args: string[]): Promise<unknown>;
}

/**
 * Any other client: sends one command to the primary that serves `firstKey`, and gives the reply with bulk strings as
 * strings and nil as null. Rejects on an error reply, with an `Error` whose message is that of Redis.
 */
export type RedisSend = (args: readonly string[], firstKey: string) => Promise<unknown>;

/** What the Redis stores work with. They neither open nor close it. */
export type RedisClient = IoredisClient | NodeRedisClient | NodeRedisCluster | NodeRedisSentinel | RedisSend;

/**
 * One way to call all clients, which are told apart by their methods.
 *
 * @param caller how the message names the function that was called
 * @throws TabConfigError for anything else
 */
export function redisSend(caller: string, client: RedisClient): RedisSend {
  if (typeof client === 'function') return client;
  // ioredis has a `sendCommand` too, which takes something else; so it is asked for first.
  if (has(client, 'call')) return ([command = '', ...args]) => client.call(command, ...args);
  if (has(client, 'sendCommand')) return nodeRedisSend(client);
  throw new TabConfigError(
    `${caller}: pass a client of ioredis 5 (new Redis(…)), a connected one of node-redis 5 or 6 ` +
      '(await createClient(…).connect()), or a function (args, firstKey) => reply',
  );
}

function nodeRedisSend(client: NodeRedisClient | NodeRedisCluster | NodeRedisSentinel): RedisSend {
  // Never marked as read-only: a replica may not know yet what was claimed or revoked.
  if (isCluster(client)) return (args, firstKey) => client.sendCommand(firstKey, false, [...args]);
  if (isSentinel(client)) return (args) => client.sendCommand(false, [...args]);
  return (args) => client.sendCommand([...args]);
}

function isCluster(client: NodeRedisClient | NodeRedisCluster | NodeRedisSentinel): client is NodeRedisCluster {
  return has(client, 'getSlotRandomNode');
}

function isSentinel(client: NodeRedisClient | NodeRedisSentinel): client is NodeRedisSentinel {
  return has(client, 'getSentinelNode');
}

function has<K extends string>(value: unknown, method: K): value is Record<K, (...args: never[]) => unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as Record<string, unknown>)[method] === 'function'
  );
}
