import type { PublicJwk, TabAlgorithm } from '../token/claims.types.js';
import type { Assurance } from '../trust/assurance.js';

/** Life of an instance. `revoked` is for ever; `suspended` ends only by a new enrolment of the same key. */
export type InstanceStatus = 'active' | 'suspended' | 'revoked';

/** An enrolled app instance: one key of one app on one device. Times are seconds since the epoch. */
export interface AppInstance {
  /** RFC 7638 SHA-256 thumbprint of `publicKey`, 43 characters; the `kid` of its tokens. */
  readonly id: string;
  readonly appId: string;
  /** The version that enrolled last. Tokens carry the running version. */
  readonly appVersion: string;
  readonly platform: string;
  /** Fixed at enrolment for ever. */
  readonly algorithm: TabAlgorithm;
  readonly publicKey: PublicJwk;
  readonly status: InstanceStatus;
  /** Why the status is not `active`, for operators. */
  readonly statusReason: string | null;
  /** When the status last changed. */
  readonly statusAt: number;
  /** Threats that must be `clear` in the evidence that ends the suspension. */
  readonly suspendedBy: readonly string[];
  readonly assurance: Assurance;
  /** Attestation format that gave the assurance. */
  readonly format: string;
  readonly attestedAt: number;
  /** From then on the instance counts as assurance `none`. */
  readonly attestationExpiresAt: number;
  /**
   * What the attestation said, for appraisal and audit; never a secret. Two members are the server's own: `keyBound`, whether
   * the evidence is tied to the key, and `assertionCounter`, the highest counter of an assertion seen.
   */
  readonly attestationClaims: Readonly<Record<string, unknown>>;
  readonly createdAt: number;
  /** Raised by every change; the compare-and-set value of `saveInstance`. Starts at 1. */
  readonly revision: number;
}

/** A user session bound to one instance. Times are seconds since the epoch. */
export interface BoundSession {
  /** The `sid`: 22–64 base64url characters, at least 128 random bits. */
  readonly id: string;
  readonly instanceId: string;
  readonly subject: string;
  /** `b64u(SHA-256(credential))` of the credential that the session names, if it names one. */
  readonly credentialHash: string | null;
  /** The hash before the last refresh, valid before `previousValidUntil`. */
  readonly previousCredentialHash: string | null;
  readonly previousValidUntil: number | null;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly endedAt: number | null;
  readonly endReason: string | null;
}

/** What `load` found. */
export interface Bindings {
  readonly instance?: AppInstance;
  readonly session?: BoundSession;
  /** The version ranges that are blocked for the app of `instance`, in any order; absent when there are none. */
  readonly blockedVersions?: readonly string[];
}

/** What to `load`: the instance, and a session by its id or, without one, by a credential hash that it names now. */
export interface BindingQuery {
  readonly instanceId: string;
  readonly sessionId?: string;
  readonly credentialHash?: string;
}

/** Why and when something ends. */
export interface Ending {
  /** For operators, at most 200 characters. */
  readonly reason: string;
  /** Seconds since the epoch. */
  readonly at: number;
}

/** `instance_inactive`: unknown, suspended or revoked. `credential_taken`: the hash was named by another session, which has been ended. */
export type BindOutcome = 'bound' | 'instance_inactive' | 'credential_taken';

/** `session_inactive`: unknown, ended, expired, or of another instance. `credential_taken`: as for binding. */
export type RebindOutcome = 'rebound' | 'session_inactive' | 'credential_taken';

/** A refresh: `credentialHash` replaces the current hash, which stays valid before `previousValidUntil`. */
export interface Rebinding {
  readonly sessionId: string;
  readonly instanceId: string;
  readonly credentialHash: string;
  readonly previousValidUntil: number;
  /** Seconds since the epoch. */
  readonly now: number;
}

/** Filter of `findInstances`; members are combined with "and". */
export interface InstanceFilter {
  readonly appId?: string;
  readonly status?: InstanceStatus;
  /** Only ids after this one, for paging in id order. */
  readonly after?: string;
  /** At most this many, 1–1000; default 100. */
  readonly limit?: number;
}

/** What the sweeper may delete. Times are seconds since the epoch. */
export interface BindingSweep {
  /** Sessions that expired or ended before this are deleted. */
  readonly sessionsBefore: number;
  /** Active instances of format `none` that were created before this and have no session left are deleted. */
  readonly unattestedBefore: number;
  /** Breaches that were recorded with a time before this are deleted. */
  readonly breachesBefore: number;
  /** At most this many rows per kind in one call. */
  readonly limit: number;
}

/** What was done about a breach. `reject`: the request was refused and nothing else changed. */
export type BreachAction = 'reject' | 'suspend' | 'revoke-session' | 'revoke-instance';

/** Trust that broke: a verified instance reported a threat, or contradicted its attestation. Kept for operators. */
export interface Breach {
  /** The id of the decision, 22 characters of base64url; unique. */
  readonly id: string;
  /** The instance whose token it was; it need not be kept any more. */
  readonly instanceId: string;
  readonly sessionId: string | null;
  /** Seconds since the epoch. */
  readonly at: number;
  /** The error code of the answer, at most 64 characters. */
  readonly code: string;
  /** The threats that broke the trust, at most 64 of at most 64 characters. */
  readonly threats: readonly string[];
  readonly action: BreachAction;
  /** For operators; at most 500 characters are kept. Never a token, a key or a credential. */
  readonly detail: string;
}

/** Filter of `findBreaches`; members are combined with "and". */
export interface BreachFilter {
  readonly instanceId?: string;
  /** Only breaches at this time or later, seconds since the epoch. */
  readonly since?: number;
  /** At most this many, 1–1000; default 100. */
  readonly limit?: number;
}

/** Versions of an app that are refused from now on, such as a release that leaks. */
export interface VersionBlock {
  /** The app, enrolled or configured or not: 1–128 of `A–Z a–z 0–9 . _ : -`. */
  readonly appId: string;
  /** An npm-style SemVer range such as `<3.2.0`: 1–255 printable ASCII characters, no space at either end. */
  readonly range: string;
  /** For operators; at most 200 characters are kept. */
  readonly reason: string;
  /** Seconds since the epoch. */
  readonly at: number;
}
