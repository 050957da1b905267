import type { TokenProof } from '../token/proof-key-id.js';

/** How well an instance key is protected, weakest first. The order is the comparison. */
export const ASSURANCE_LEVELS = ['none', 'software', 'tee', 'strongbox'] as const;

/** Assurance of an instance key (PROTOCOL section 5). */
export type Assurance = (typeof ASSURANCE_LEVELS)[number];

/** Whether `actual` is at least `required`. */
export function meetsAssurance(actual: Assurance, required: Assurance): boolean {
  return ASSURANCE_LEVELS.indexOf(actual) >= ASSURANCE_LEVELS.indexOf(required);
}

/** The assurance that counts at `now` (seconds): an attestation past its expiry counts as none. */
export function currentAssurance(
  instance: { assurance: Assurance; attestationExpiresAt: number },
  now: number,
): Assurance {
  return now < instance.attestationExpiresAt ? instance.assurance : 'none';
}

/** Highest assurance of a token under a proof key, which lives in the memory of the app wherever the instance key is. */
const PROOF_KEY_ASSURANCE: Assurance = 'software';

/** The assurance that counts at `now` (seconds) for a token that was made with `proof`. */
export function assuranceUnder(
  proof: TokenProof,
  instance: Parameters<typeof currentAssurance>[0],
  now: number,
): Assurance {
  const assurance = currentAssurance(instance, now);
  // Anything but a signature is taken for the weaker.
  return proof !== 'signature' && meetsAssurance(assurance, PROOF_KEY_ASSURANCE) ? PROOF_KEY_ASSURANCE : assurance;
}
