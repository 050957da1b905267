import { TabError } from '../errors/tab-error.js';
import type { MacTokenHeader } from '../token/header.js';
import type { VerifierSettings } from './settings.js';
import type { AuthenticToken, BoundToken } from './steps.types.js';

/**
 * Step 3 of a token under a proof key: its expiry, its secret, its MAC. It asks no store: who holds the key was the instance
 * that the `kid` names when the key was issued; whether that instance still may act is asked in step 4, as on every request.
 *
 * @param now seconds since the epoch
 * @throws TabError `step_up_required`, `bad_signature`
 */
export function proofKeyStep(
  { parsed: { claims, compact } }: BoundToken,
  { proofKey }: MacTokenHeader,
  { proofKeys }: VerifierSettings,
  now: number,
): AuthenticToken {
  // Ensures that a server without proof keys takes none, whatever was read before.
  if (proofKeys === undefined) throw new TabError('unsupported_alg', 'proof keys are not configured');
  proofKeys.check(proofKey, compact.signingInput, compact.signature, now);
  const proofIssuedAt = proofKeys.issuedAt(proofKey);
  const { instanceId } = proofKey;
  return { instanceId, claims, proof: 'mac', algorithm: undefined, proofIssuedAt, preloaded: undefined };
}
