import { describe, it } from 'vitest';
import { memoryStores } from '../../lib/stores/memory/index.js';
import type { TabStores } from '../../lib/stores/stores.types.js';
import { bindingStoreContract, nonceStoreContract } from '../../lib/testing/contract/index.js';

function openMemory<K extends keyof TabStores>(kind: K) {
  return async () => ({
    store: memoryStores()[kind],
    reopen: async () => memoryStores()[kind],
    close: async () => undefined,
  });
}

describe('memory', () => {
  describe('NonceStore', () => {
    for (const { name, run } of nonceStoreContract(openMemory('nonces'))) it(name, run);
  });
  describe('BindingStore', () => {
    for (const { name, run } of bindingStoreContract(openMemory('bindings'))) it(name, run);
  });
});
