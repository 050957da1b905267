export { memoryStores, type MemoryStoresOptions } from './memory-stores.js';
export { MemoryNonceStore } from './memory-nonce-store.js';
export { MemoryBindingStore, type MemoryBindingLimits } from './memory-binding-store.js';
