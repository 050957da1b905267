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
  /** What the attestation said, for appraisal and audit; never a secret. */
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
  /** At most this many rows per kind in one call. */
  readonly limit: number;
}
