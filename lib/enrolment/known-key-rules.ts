import type { AttestationResult } from '../attestation/attester.js';
import type { AppInstance } from '../bindings/binding.types.js';
import { TabError } from '../errors/tab-error.js';
import type { AuthenticChallenge } from '../token/challenge.js';
import type { RuntimeEvidence, TabAlgorithm } from '../token/claims.types.js';
import { meetsAssurance } from '../trust/assurance.js';

/** Format of instances that attest nothing. */
export const NO_ATTESTATION = 'none';

/** What new evidence is worth. */
export type Proven = Pick<AttestationResult, 'assurance' | 'keyBound'>;

/** An enrolment as far as it can be judged before any attestation service has been asked. */
export interface EnrolmentAttempt {
  readonly appId: string;
  readonly alg: TabAlgorithm;
  readonly format: string;
  readonly challenge: AuthenticChallenge;
  readonly evidence: RuntimeEvidence;
}

/** Ensures that a suspension ends only by new, clean and attested evidence (PROTOCOL section 5). */
function checkRecovery(instance: AppInstance, attempt: EnrolmentAttempt): void {
  const still = (detail: string) => new TabError('instance_suspended', detail);
  if (attempt.format === NO_ATTESTATION) throw still('recovery needs an attestation');
  if (attempt.challenge.issuedAt <= instance.statusAt) throw still('challenge is from before the suspension');
  if (attempt.evidence.at <= instance.statusAt) throw still('evidence is from before the suspension');
  const missing = instance.suspendedBy.find((threat) => !attempt.evidence.clear.includes(threat));
  if (missing !== undefined) throw still(`suspending threat is not clear: ${missing}`);
}

/** Ensures that a key that is known may enrol again: not revoked, same app and algorithm, a suspension really over. */
export function checkKnownKey(instance: AppInstance, attempt: EnrolmentAttempt): void {
  if (instance.status === 'revoked') throw new TabError('instance_revoked', 'key is revoked for ever');
  if (instance.appId !== attempt.appId) throw new TabError('attestation_rejected', 'key is enrolled for another app');
  if (instance.algorithm !== attempt.alg) throw new TabError('unsupported_alg', 'alg is not that of the enrolled key');
  if (instance.status === 'suspended') checkRecovery(instance, attempt);
}

/** Whether evidence proves no less than what is known of a key: its assurance, and that it is tied to the key. */
function isAsStrong(instance: AppInstance, { assurance, keyBound }: Proven): boolean {
  if (!meetsAssurance(assurance, instance.assurance)) return false;
  // Ensures that what a clean device was given does not vouch for a key that sits on another.
  const wasBound = instance.assurance !== 'none' && instance.attestationClaims['keyBound'] === true;
  return keyBound || !wasBound;
}

/** Ensures that attesting again never lowers what a key was worth, unless the app allows it for a key in good standing. */
export function checkNoDowngrade(
  instance: AppInstance,
  proven: Proven,
  { allowDowngrade }: { readonly allowDowngrade: boolean },
): void {
  if (isAsStrong(instance, proven)) return;
  if (allowDowngrade && instance.status === 'active' && proven.assurance !== 'none') return;
  throw new TabError('attestation_rejected', 'assurance is lower than before, or no longer tied to the key');
}
