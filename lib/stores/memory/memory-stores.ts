import { TabConfigError } from '../../errors/tab-error.js';
import type { TabStores } from '../stores.types.js';
import { MemoryBindingStore } from './memory-binding-store.js';
import { MemoryNonceStore } from './memory-nonce-store.js';
import { MOST_NONCES } from './nonces/nonce-table.js';

/** Settings of `memoryStores`. Each limit is a positive integer; at it, unless said otherwise, new entries are refused (`store_unavailable`). */
export interface MemoryStoresOptions {
  /** Live used nonces, at most 2^30. Default 1,000,000, about 40 MB when full; memory is taken as it is needed and kept. */
  readonly maxNonces?: number;
  /** Enrolled instances. Default 100,000. */
  readonly maxInstances?: number;
  /** Kept sessions. Default 100,000. */
  readonly maxSessions?: number;
  /** Kept breaches. Default 10,000; at the limit, the oldest is forgotten. */
  readonly maxBreaches?: number;
  /** Milliseconds since the epoch. Default: `Date.now`. */
  readonly clock?: () => number;
}

/**
 * Stores in the memory of this process, for development, tests and a single node that may lose its enrolments. Several
 * processes with stores of this kind each accept a token once: behind a load balancer that is a replay.
 *
 * @throws TabConfigError when a limit is not a positive integer
 */
export function memoryStores(options: MemoryStoresOptions = {}): TabStores {
  const { maxNonces = 1_000_000, clock = Date.now } = options;
  const { maxInstances = 100_000, maxSessions = 100_000, maxBreaches = 10_000 } = options;
  for (const [name, value] of Object.entries({ maxNonces, maxInstances, maxSessions, maxBreaches })) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw new TabConfigError(`memoryStores: ${name} must be a positive integer`);
  }
  if (maxNonces > MOST_NONCES) throw new TabConfigError(`memoryStores: maxNonces must be at most ${MOST_NONCES}`);
  return {
    nonces: new MemoryNonceStore(maxNonces, clock),
    bindings: new MemoryBindingStore({ maxInstances, maxSessions, maxBreaches }, clock),
  };
}
