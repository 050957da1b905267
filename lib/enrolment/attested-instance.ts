import type { AttestationResult, FinishAttestation, PreviousAttestation } from '../attestation/attester.js';
import { assertionCounterOf, isCounter } from '../bindings/assertion-counter.js';
import type { AppInstance } from '../bindings/binding.types.js';
import { TabError } from '../errors/tab-error.js';
import type { RegisteredApp } from '../verifier/settings.js';
import { enrolmentBinding } from './binding-value.js';
import type { AuthenticEnrolment } from './enrolment-steps.js';
import { NO_ATTESTATION, type EnrolmentAttempt } from './known-key-rules.js';

/** The enrolment as far as it can be judged before any attestation service has been asked. */
export function attemptOf({ body, alg, challenge, claims }: AuthenticEnrolment): EnrolmentAttempt {
  return { appId: body.app.id, alg, format: body.format, challenge, evidence: claims.rt };
}

/** Makes every check of the evidence that needs no network, and returns the rest. */
export function examine(
  enrolment: AuthenticEnrolment,
  app: RegisteredApp,
  known: AppInstance | undefined,
  now: number,
): FinishAttestation {
  const { body, challenge, origin, publicKey, thumbprint } = enrolment;
  const attester = app.attesters.get(body.format);
  if (attester === undefined) return () => Promise.resolve(unattested(body.app.id, now));
  const bound = { origin: origin.base, challenge: challenge.text, appId: app.id };
  return attester.examine({
    statement: body.statement,
    publicKey,
    thumbprint,
    app: body.app,
    challenge: challenge.text,
    binding: enrolmentBinding({ ...bound, thumbprint }),
    keylessBinding: enrolmentBinding({ ...bound, thumbprint: '' }),
    previous: known && previousOf(known),
    now,
  });
}

function previousOf(known: AppInstance): PreviousAttestation {
  return { format: known.format, claims: known.attestationClaims, counter: assertionCounterOf(known) };
}

/** Ensures that a counter is one, and that one which requests have raised since the evidence was judged is not set back. */
export function checkCounter(known: AppInstance | undefined, { counter = 0, format, claims }: AttestationResult): void {
  // What is no counter would be read back as 0.
  if (!isCounter(counter)) throw new TabError('attestation_rejected', 'assertion counter is no counter');
  const sameKey = format === known?.format && claims['keyId'] === known.attestationClaims['keyId'];
  if (sameKey && counter < assertionCounterOf(known)) {
    throw new TabError('attestation_rejected', 'assertion counter is lower than before');
  }
}

/** Nothing attested: expired from the start, so that it can never count for more than `none`. */
function unattested(appId: string, now: number): AttestationResult {
  return { format: NO_ATTESTATION, assurance: 'none', keyBound: false, app: { id: appId }, claims: {}, expiresAt: now };
}

/** The instance as it is after this enrolment. */
export function nextInstance(
  { body, alg, publicKey, thumbprint }: AuthenticEnrolment,
  app: RegisteredApp,
  result: AttestationResult,
  known: AppInstance | undefined,
  now: number,
): AppInstance {
  // Ensures that the counter is what the attester says it is, not what the evidence does.
  const { assertionCounter: _notACounter, ...claims } = result.claims;
  return {
    id: thumbprint,
    appId: app.id,
    appVersion: body.app.ver,
    platform: app.platform,
    algorithm: alg,
    publicKey,
    status: 'active',
    statusReason: null,
    statusAt: known?.status === 'active' ? known.statusAt : now,
    suspendedBy: [],
    assurance: result.assurance,
    format: result.format,
    attestedAt: now,
    attestationExpiresAt: Math.min(result.expiresAt, now + app.attestationMaxAge),
    attestationClaims: {
      ...claims,
      keyBound: result.keyBound,
      ...(result.counter !== undefined && { assertionCounter: result.counter }),
    },
    createdAt: known?.createdAt ?? now,
    revision: (known?.revision ?? 0) + 1,
  };
}
