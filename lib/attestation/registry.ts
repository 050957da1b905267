import { TabConfigError } from '../errors/tab-error.js';
import { ASSURANCE_LEVELS, meetsAssurance, type Assurance } from '../trust/assurance.js';
import type { Attester } from './attester.js';

/** The attesters of one app by the `format` on the wire. */
export type AttesterRegistry = ReadonlyMap<string, Attester>;

/** Names that can be a `format`; `none` is the absence of one and has no attester. */
const FORMAT = /^[a-z0-9-]{1,64}$/;

function checkAttester(attester: Attester): void {
  if (typeof attester?.examine !== 'function') {
    throw new TabConfigError('attestation: every entry must be an attester such as clientAttestation({ ... })');
  }
  if (!FORMAT.test(attester.format) || attester.format === 'none') {
    throw new TabConfigError('attestation: the format of an attester must be 1-64 of a-z 0-9 and "-", and not "none"');
  }
  if (!ASSURANCE_LEVELS.includes(attester.reach)) {
    throw new TabConfigError(
      `attestation: the reach of "${attester.format}" must be one of ${ASSURANCE_LEVELS.join(', ')}`,
    );
  }
}

/**
 * Maps formats to attesters.
 *
 * @throws TabConfigError when two attesters claim one format, or an attester has no valid format or reach
 */
export function attesterRegistry(attesters: readonly Attester[]): AttesterRegistry {
  const registry = new Map<string, Attester>();
  for (const attester of attesters) {
    checkAttester(attester);
    if (registry.has(attester.format)) {
      throw new TabConfigError(`attestation: "${attester.format}" is given twice; merge the two into one attester`);
    }
    registry.set(attester.format, attester);
  }
  return registry;
}

/** The highest assurance that any of them can give; `none` when there is none. */
export function registryReach(registry: AttesterRegistry): Assurance {
  const reaches = [...registry.values()].map((attester) => attester.reach);
  return reaches.reduce<Assurance>((best, reach) => (meetsAssurance(reach, best) ? reach : best), 'none');
}
