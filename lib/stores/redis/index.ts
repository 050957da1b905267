export { redisNonces, type RedisNoncesOptions } from './nonces/redis-nonces.js';
export { RedisNonceStore, type RedisDurability } from './nonces/redis-nonce-store.js';
export type {
  IoredisClient,
  NodeRedisClient,
  NodeRedisCluster,
  NodeRedisSentinel,
  RedisClient,
  RedisSend,
} from './client/redis-client.js';
export { redisBindings, type RedisBindingsOptions } from './bindings/redis-bindings.js';
export { RedisBindingStore } from './bindings/redis-binding-store.js';
