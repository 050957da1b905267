import type { TabClaims } from '../token/claims.types.js';
import type { TokenProof } from '../token/proof-key-id.js';
import type { Assurance } from './assurance.js';

/** What appraisal knows about the app: the part of its registration that policies refer to. */
export interface AppraisedApp {
  readonly minVersion: string | null;
  /** Probes that this app has; what `require: 'declared'` stands for. */
  readonly probes: readonly string[];
}

/** What appraisal knows about the instance. Times are seconds since the epoch. */
export interface AppraisedInstance {
  readonly id: string;
  readonly platform: string;
  readonly assurance: Assurance;
  readonly format: string;
  readonly attestedAt: number;
  readonly attestationExpiresAt: number;
  /** What the platform attested; contradictions are looked for between this and the evidence. Also `keyBound`, as the attester said. */
  readonly attestationClaims: Readonly<Record<string, unknown>>;
  readonly createdAt: number;
}

/** Everything that is judged; all of it proven by the steps before. */
export interface AppraisalInput {
  readonly claims: TabClaims;
  /** What the token was made with. */
  readonly proof: TokenProof;
  readonly app: AppraisedApp;
  readonly instance: AppraisedInstance;
  /** Version ranges that operators have blocked for this app. */
  readonly blockedVersions: readonly string[];
  /** Seconds since the epoch. */
  readonly now: number;
}

/** A passed appraisal. */
export interface Appraisal {
  /** Threats found that the policy lets through. */
  readonly flags: readonly string[];
  /** Those of them that the policy only watches for. */
  readonly watched: readonly string[];
  /** The assurance as it counts now, and for this token. */
  readonly assurance: Assurance;
}
