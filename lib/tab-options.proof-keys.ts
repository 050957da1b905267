import { TabConfigError } from './errors/tab-error.js';
import { checkMembers, readNumber } from './tab-options.check.js';
import type { TabOptions, TabProofKeyOptions } from './tab-options.js';

/** A key has 900 s left at most, and the clocks of two nodes are up to 15 s apart (PROTOCOL sections 6 and 10). */
const LIFETIME_MAX = 900 - 15;

/** Proof keys as configured; a lifetime of undefined: there are none. */
export interface ProofKeyLimits {
  /** Seconds. */
  readonly lifetime: number | undefined;
  /** Requests a minute from one network address, on one node. */
  readonly requestsPerMinute: number;
}

/** The settings of proof keys. @throws TabConfigError */
export function readProofKeyLimits(option: TabOptions['proofKeys'] = false): ProofKeyLimits {
  if (typeof option !== 'boolean' && (typeof option !== 'object' || option === null))
    throw new TabConfigError('proofKeys: write true, false, or { lifetime, requestsPerMinute }');
  const { lifetime, requestsPerMinute }: TabProofKeyOptions = typeof option === 'boolean' ? {} : option;
  if (typeof option === 'object') checkMembers(option, ['lifetime', 'requestsPerMinute'], 'proofKeys');
  return {
    lifetime: option === false ? undefined : readNumber('proofKeys.lifetime', lifetime, 300, 30, LIFETIME_MAX),
    requestsPerMinute: readNumber('proofKeys.requestsPerMinute', requestsPerMinute, 600, 1, 1_000_000),
  };
}
