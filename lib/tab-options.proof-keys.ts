import { TabConfigError } from './errors/tab-error.js';
import { checkMembers, readNumber } from './tab-options.check.js';
import type { TabOptions, TabProofKeyOptions } from './tab-options.js';
import { NODE_CLOCK_DIFFERENCE } from './token/clock.js';
import { PROOF_KEY_MAX_LIFE } from './token/proof-key.js';

/** So that a key which one node makes has not too much life left for another, whose clock is behind. */
const LIFETIME_MAX = PROOF_KEY_MAX_LIFE - NODE_CLOCK_DIFFERENCE;

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
