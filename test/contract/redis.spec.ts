import { describe, it } from 'vitest';
import { redisBindings, redisNonces, type RedisDurability } from '../../lib/stores/redis/index.js';
import type { BindingStore } from '../../lib/bindings/binding-store.js';
import type { NonceStore } from '../../lib/nonces/nonce-store.js';
import { bindingStoreContract, nonceStoreContract, type OpenStore } from '../../lib/testing/contract/index.js';
import { ageLives, anIoredis, aPrefix, CLIENTS, deleteKeys, type ClientKind } from '../unit/stores/redis/harness.js';
import { describeService } from '../utils/services.js';

await describeService('redis', 'Redis', () => {
  for (const kind of CLIENTS) {
    describe(kind.name, () => {
      for (const durability of ['forgetful', 'durable'] as const) {
        describe(`NonceStore, ${durability}`, () => {
          for (const { name, run } of nonceStoreContract(openNonces(kind, durability))) it(name, run);
        });
      }
      describe('BindingStore', () => {
        for (const { name, run } of bindingStoreContract(openBindings(kind))) it(name, run);
      });
    });
  }
});

function openBindings(kind: ClientKind) {
  return async (): Promise<OpenStore<BindingStore>> => {
    const [prefix, redis] = [aPrefix(), anIoredis()];
    const { client, close } = await kind.open();
    return {
      store: redisBindings(client, { prefix }),
      reopen: async () => redisBindings(client, { prefix }),
      down: close,
      close: async () => {
        await close();
        await deleteKeys(redis, prefix);
        redis.disconnect();
      },
    };
  };
}

function openNonces(kind: ClientKind, durability: RedisDurability) {
  return async (): Promise<OpenStore<NonceStore>> => {
    const [prefix, redis] = [aPrefix(), anIoredis()];
    const { client, close } = await kind.open();
    const opened = async (): Promise<NonceStore> => {
      const store = redisNonces(client, { prefix, durability });
      await store.open();
      return store;
    };
    // The lives begin, and are made old: the contract is about a Redis that has been up for a while.
    await opened();
    await ageLives(redis, prefix);
    return {
      store: await opened(),
      // One that forgets comes back empty; one that is durable comes back as it was.
      reopen: async () => {
        if (durability === 'forgetful') await deleteKeys(redis, prefix);
        return opened();
      },
      down: close,
      close: async () => {
        await close();
        await deleteKeys(redis, prefix);
        redis.disconnect();
      },
    };
  };
}
