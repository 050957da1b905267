import { TabError } from '../errors/tab-error.js';
import type { RuntimeEvidence, TabClaims } from '../token/claims.types.js';
import { isAtLeastVersion } from '../token/version.js';
import { currentAssurance, meetsAssurance, type Assurance } from './assurance.js';
import type { RuntimeRequirement, TrustRequirement } from './requirement.js';
import { isKnownThreat } from './threats.js';

/** What appraisal knows about the app: the part of its registration that policies refer to. */
export interface AppraisedApp {
  readonly minVersion: string | null;
  /** Probes that this app has; what `require: 'declared'` stands for. */
  readonly probes: readonly string[];
}

/** What appraisal knows about the instance. */
export interface AppraisedInstance {
  readonly assurance: Assurance;
  readonly attestationExpiresAt: number;
}

/** Everything that is judged; all of it proven by the steps before. */
export interface AppraisalInput {
  readonly claims: TabClaims;
  readonly app: AppraisedApp;
  readonly instance: AppraisedInstance;
  /** Seconds since the epoch. */
  readonly now: number;
}

/** A passed appraisal. */
export interface Appraisal {
  /** Threats found that the policy lets through. */
  readonly flags: readonly string[];
  /** The assurance of the instance key as it counts now. */
  readonly assurance: Assurance;
}

function denied(detail: string, maxAge?: number): TabError {
  return new TabError('insufficient_trust', detail, maxAge === undefined ? {} : { hints: { maxAge } });
}

/** Whether a found threat is denied. */
function isDenied(name: string, deny: RuntimeRequirement['deny']): boolean {
  return deny === 'all' || !isKnownThreat(name) || (deny as readonly string[]).includes(name);
}

/** Ensures that no threat was found that the policy denies. */
function checkFound(evidence: RuntimeEvidence, deny: RuntimeRequirement['deny']): void {
  const threat = evidence.found.find((name) => isDenied(name, deny));
  if (threat !== undefined) throw denied(`threat found: ${threat}`);
}

/** Ensures that every required probe ran and found nothing; not checked is not clear. */
function checkProbes(evidence: RuntimeEvidence, required: readonly string[]): void {
  const missing = required.find((name) => !evidence.clear.includes(name));
  if (missing !== undefined) throw denied(`probe not clear: ${missing}`);
}

/** Ensures that the evidence was measured for this use. */
function checkAge(claims: TabClaims, maxAge: number): void {
  if (claims.iat - claims.rt.at > maxAge) throw denied('evidence is too old', maxAge);
}

/** Ensures that the running version is one that the app and the policy still allow. */
function checkVersion(version: string, ...minima: readonly (string | null)[]): void {
  for (const minimum of minima) {
    if (minimum !== null && !isAtLeastVersion(version, minimum)) throw denied('app version is too low');
  }
}

/** Ensures that the key is protected well enough; where it was until its attestation expired, attesting again mends it. */
function checkAssurance(input: AppraisalInput, required: Assurance): Assurance {
  const assurance = currentAssurance(input.instance, input.now);
  if (meetsAssurance(assurance, required)) return assurance;
  if (meetsAssurance(input.instance.assurance, required)) {
    throw new TabError('step_up_required', 'attestation has expired', { hints: { requirement: 'attestation' } });
  }
  throw denied('assurance is too low');
}

/**
 * Judges evidence by a requirement (RFC 9334 "appraisal of evidence").
 *
 * @throws TabError `insufficient_trust` or `step_up_required`
 */
export function appraise(input: AppraisalInput, requirement: TrustRequirement): Appraisal {
  const { claims, app } = input;
  const { deny, require, maxAge } = requirement.runtime;
  checkAge(claims, maxAge);
  checkFound(claims.rt, deny);
  checkProbes(claims.rt, require === 'declared' ? app.probes : require);
  checkVersion(claims.app.ver, app.minVersion, requirement.minVersion);
  const assurance = checkAssurance(input, requirement.assurance);
  return { flags: claims.rt.found, assurance };
}
