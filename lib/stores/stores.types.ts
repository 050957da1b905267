import type { BindingStore } from '../bindings/binding-store.js';
import type { NonceStore } from '../nonces/nonce-store.js';

/** The two ports, implemented. */
export interface TabStores {
  readonly nonces: NonceStore;
  readonly bindings: BindingStore;
}

/** Looks providers up in the application's container; `ModuleRef.get` with `strict: false` has this form. */
export type ProviderLookup = <T>(token: abstract new (...args: never[]) => T) => T;

/** Stores that need something of the application, such as its `DataSource`; resolved once at start-up. */
export interface TabStoresFactory {
  create(lookup: ProviderLookup): TabStores | Promise<TabStores>;
}
