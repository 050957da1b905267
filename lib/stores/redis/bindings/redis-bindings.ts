import { checkPrefix } from '../client/key-prefix.js';
import { redisSend, type RedisClient } from '../client/redis-client.js';
import { RedisBindingStore } from './redis-binding-store.js';

/** Settings of `redisBindings`. All nodes need the same. */
export interface RedisBindingsOptions {
  /** What keys begin with: 1 to 64 printable ASCII characters without braces. Default `tab:b:`. */
  readonly prefix?: string;
}

/**
 * Instances, sessions, breaches and version blocks in Redis 5 or later; in Redis Cluster all in one slot. Redis must keep
 * what it has answered (`appendonly yes`, `appendfsync always`): a revocation that it forgets is undone.
 *
 * @throws TabConfigError when the client is none that is known, or the prefix cannot be
 */
export function redisBindings(client: RedisClient, options: RedisBindingsOptions = {}): RedisBindingStore {
  const { prefix = 'tab:b:' } = options;
  return new RedisBindingStore(redisSend('redisBindings', client), checkPrefix('redisBindings', prefix));
}
