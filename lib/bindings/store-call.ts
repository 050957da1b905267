import { unavailable, withDeadline } from '../errors/deadline.js';
import type { BindingStore } from './binding-store.js';
import { TabError } from '../errors/tab-error.js';

/**
 * Calls a store. Whatever goes wrong, a store that does not answer in time included, is `store_unavailable`: an unknown
 * outcome is never an acceptance.
 *
 * @param what how the log names the call
 * @param timeout milliseconds
 */
export function callStore<T>(what: string, timeout: number, call: () => Promise<T>): Promise<T> {
  return withDeadline(what, timeout, call, (error) =>
    error instanceof TabError && error.hints.retryAfter !== undefined ? error : unavailable(what, error),
  );
}

/** Calls the binding store, as every service of it does; see `callStore`. */
export function callBindings<T>(
  { bindings, storeTimeout }: { readonly bindings: BindingStore; readonly storeTimeout: number },
  call: (store: BindingStore) => Promise<T>,
): Promise<T> {
  return callStore('binding store', storeTimeout, () => call(bindings));
}
