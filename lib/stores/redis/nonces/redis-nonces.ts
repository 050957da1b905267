import { TabConfigError } from '../../../errors/tab-error.js';
import { checkPrefix } from '../client/key-prefix.js';
import { redisSend, type RedisClient } from '../client/redis-client.js';
import { RedisNonceStore, type RedisDurability } from './redis-nonce-store.js';

/** Settings of `redisNonces`. All nodes need the same. */
export interface RedisNoncesOptions {
  /** What keys begin with: 1 to 64 printable ASCII characters without braces. Default `tab:n:`. */
  readonly prefix?: string;
  /**
   * `'forgetful'`, the default, is right for every Redis: after a restart or failover, tokens are refused for 30 s.
   * `'durable'` does without, and needs a Redis that never loses a write it has answered (`appendfsync always` and no
   * failover to replicas that lag): else tokens are accepted again after a loss.
   */
  readonly durability?: RedisDurability;
  /** Milliseconds since the epoch. Default: `Date.now`. */
  readonly clock?: () => number;
}

/**
 * Used nonces in Redis 5 or later, a Sentinel set-up or Redis Cluster included.
 *
 * @throws TabConfigError when the client is none that is known, or an option cannot be
 */
export function redisNonces(client: RedisClient, options: RedisNoncesOptions = {}): RedisNonceStore {
  const { prefix = 'tab:n:', durability = 'forgetful', clock = Date.now } = options;
  if (durability !== 'forgetful' && durability !== 'durable')
    throw new TabConfigError("redisNonces: durability: write 'forgetful' or 'durable'");
  return new RedisNonceStore(redisSend('redisNonces', client), {
    prefix: checkPrefix('redisNonces', prefix),
    durability,
    clock,
  });
}
