import type { BindingStore } from '../../bindings/binding-store.js';
import type { NonceStore } from '../../nonces/nonce-store.js';

/** One test of a contract, for any runner: `it(contractCase.name, contractCase.run)`. Rejects when the store breaks the rule. */
export interface ContractCase {
  readonly name: string;
  run(): Promise<void>;
}

/** A store under test, empty and opened for one case. */
export interface OpenStore<S> {
  readonly store: S;
  /** The store as it is after a restart, or on another node: over the same storage, and closed by `close` as well. */
  reopen?(): Promise<S>;
  /** Makes the storage unreachable. Stores that have no storage outside the process leave it out. */
  down?(): Promise<void>;
  close(): Promise<void>;
}

/** Opens an empty store for one case. */
export type OpenNonceStore = () => Promise<OpenStore<NonceStore>>;

/** Opens an empty store for one case. */
export type OpenBindingStore = () => Promise<OpenStore<BindingStore>>;

/** Makes cases out of bodies: each gets a store of its own, which is closed whatever happens. */
export function caseBuilder<S>(open: () => Promise<OpenStore<S>>) {
  return (name: string, body: (opened: OpenStore<S>) => Promise<void>): ContractCase => ({
    name,
    run: async () => {
      const opened = await open();
      try {
        await body(opened);
      } finally {
        await opened.close();
      }
    },
  });
}
