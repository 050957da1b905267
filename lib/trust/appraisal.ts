import { TabError } from '../errors/tab-error.js';
import type { TabClaims } from '../token/claims.types.js';
import type { TokenProof } from '../token/proof-key-id.js';
import { signatureNeeded } from '../token/signature-needed.js';
import { isAtLeastVersion } from '../token/version.js';
import type { Appraisal, AppraisalInput, AppraisedInstance } from './appraisal.types.js';
import { assuranceUnder, currentAssurance, meetsAssurance, type Assurance } from './assurance.js';
import { isBlockedVersion } from './blocked-version.js';
import { CONTRADICTION, findingsOf } from './contradiction.js';
import { gradeOf } from './grades.js';
import type { RuntimeRequirement, TrustRequirement } from './requirement.js';

const NONE: readonly string[] = [];

function denied(detail: string, options: ConstructorParameters<typeof TabError>[2] = {}): TabError {
  return new TabError('insufficient_trust', detail, options);
}

function stepUp(detail: string, maxAge?: number): TabError {
  return new TabError('step_up_required', detail, { hints: { requirement: 'attestation', maxAge } });
}

/** Ensures that the instance key itself signed, where the policy asks for that. */
export function checkProof(proof: TokenProof, requirement: Pick<TrustRequirement, 'proof'>): void {
  if (requirement.proof === 'signature' && proof !== 'signature') throw signatureNeeded('policy asks for a signature');
}

/** Ensures that the evidence was measured for this use. */
function checkAge(claims: TabClaims, maxAge: number): void {
  if (claims.iat - claims.rt.at > maxAge) throw denied('evidence is too old', { hints: { maxAge } });
}

/** Whether the instance has an attestation that still counts. */
function isCurrent(instance: AppraisedInstance, now: number): boolean {
  return instance.format !== 'none' && now < instance.attestationExpiresAt;
}

/** Whether the device was attested just now, which answers a step-up. */
function isFreshlyAttested(instance: AppraisedInstance, maxAge: number, now: number): boolean {
  return isCurrent(instance, now) && now - instance.attestedAt <= maxAge;
}

/** Ensures that every finding is one that the policy lets through, as it says: denials first, then steps up. */
function checkFindings(input: AppraisalInput, runtime: RuntimeRequirement): Omit<Appraisal, 'assurance'> {
  const { names, contradiction } = findingsOf(input);
  if (names.length === 0) return { flags: NONE, watched: NONE };
  const grades = names.map((name) => gradeOf(name, runtime));
  const denial = names[grades.indexOf('deny')];
  if (denial !== undefined) {
    const about = denial === CONTRADICTION && contradiction !== undefined ? ` (${contradiction})` : '';
    throw denied(`threat found: ${denial}${about}`, { reason: 'breach' });
  }
  const step = names[grades.indexOf('stepUp')];
  if (step !== undefined && !isFreshlyAttested(input.instance, runtime.stepUpMaxAge, input.now)) {
    throw stepUp(`threat found: ${step}`, runtime.stepUpMaxAge);
  }
  return {
    flags: names.filter((_name, index) => grades[index] !== 'ignore'),
    watched: names.filter((_name, index) => grades[index] === 'monitor'),
  };
}

/** Ensures that every required probe ran and found nothing; not checked is not clear. */
function checkProbes({ claims, app }: AppraisalInput, require: RuntimeRequirement['require']): void {
  const required = require === 'declared' ? app.probes : require;
  const missing = required.find((name) => !claims.rt.clear.includes(name));
  if (missing !== undefined) throw denied(`probe not clear: ${missing}`);
}

/** The version that a requirement asks for on a platform. */
function minimumOf(minVersion: TrustRequirement['minVersion'], platform: string): string | null {
  if (minVersion === null || typeof minVersion === 'string') return minVersion;
  return Object.hasOwn(minVersion, platform) ? (minVersion[platform] ?? null) : null;
}

/** Ensures that the running version is one that app, policy and operators still allow. */
function checkVersion({ claims, app, instance, blockedVersions }: AppraisalInput, requirement: TrustRequirement): void {
  const { ver } = claims.app;
  for (const minimum of [app.minVersion, minimumOf(requirement.minVersion, instance.platform)]) {
    if (minimum !== null && !isAtLeastVersion(ver, minimum))
      throw denied('app version is too low', { reason: 'version' });
  }
  if (blockedVersions.length > 0 && isBlockedVersion(ver, blockedVersions)) {
    throw denied('app version is blocked', { reason: 'version' });
  }
}

/** Whether the format is among those asked for; that of an attestation which has expired, only beside `none`. */
function isGoodFormat(instance: AppraisedInstance, formats: TrustRequirement['formats'], now: number): boolean {
  if (formats === 'any') return true;
  return formats.includes(instance.format) && (now < instance.attestationExpiresAt || formats.includes('none'));
}

/** Ensures that the instance was attested in a good enough way, and recently enough; attesting anew mends it. */
function checkAttestation({ instance, now }: AppraisalInput, requirement: TrustRequirement): void {
  const { formats, attestationMaxAge, keyBound, assertion } = requirement;
  if (!isGoodFormat(instance, formats, now)) throw stepUp('attestation format is not good enough');
  if (attestationMaxAge !== null && !isFreshlyAttested(instance, attestationMaxAge, now)) {
    throw stepUp('attestation is too old', attestationMaxAge);
  }
  if ((keyBound || assertion) && !isCurrent(instance, now)) throw stepUp('attestation has expired');
  if (keyBound && instance.attestationClaims['keyBound'] !== true) throw stepUp('attestation is not tied to the key');
}

/** Ensures that the key is protected well enough; where it was until its attestation expired, attesting again mends it. */
function checkAssurance({ instance, now, proof }: AppraisalInput, required: Assurance): Assurance {
  const assurance = assuranceUnder(proof, instance, now);
  if (meetsAssurance(assurance, required)) return assurance;
  if (meetsAssurance(currentAssurance(instance, now), required))
    throw signatureNeeded('assurance is beyond a proof key');
  if (meetsAssurance(instance.assurance, required)) throw stepUp('attestation has expired');
  throw denied('assurance is too low');
}

/**
 * Judges evidence by a requirement (RFC 9334 "appraisal of evidence"); rules of one's own are asked after it.
 *
 * @throws TabError `insufficient_trust` or `step_up_required`
 */
export function appraise(input: AppraisalInput, requirement: TrustRequirement): Appraisal {
  const { runtime } = requirement;
  // First: whoever holds a proof key is not told what else such a policy looks for.
  checkProof(input.proof, requirement);
  checkAge(input.claims, runtime.maxAge);
  const { flags, watched } = checkFindings(input, runtime);
  checkProbes(input, runtime.require);
  checkVersion(input, requirement);
  const assurance = checkAssurance(input, requirement.assurance);
  checkAttestation(input, requirement);
  return { flags, watched, assurance };
}
