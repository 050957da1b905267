export type { ContractCase, OpenBindingStore, OpenNonceStore, OpenStore } from './contract.types.js';
export { nonceStoreContract } from './nonce-store-contract.js';
export { bindingStoreContract } from './binding-store-contract.js';
