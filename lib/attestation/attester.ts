import type { PublicJwk } from '../token/claims.types.js';
import type { Assurance } from '../trust/assurance.js';

/** What an attester is given. Everything in it has been checked against the signed enrolment token. Times are seconds. */
export interface AttestationInput {
  /** The `statement` of the request: untrusted JSON, already bounded in size and nesting. */
  readonly statement: unknown;
  /** The instance public key and its RFC 7638 SHA-256 thumbprint. */
  readonly publicKey: PublicJwk;
  readonly thumbprint: string;
  readonly app: { readonly id: string; readonly ver: string; readonly platform: string };
  /** The enrolment challenge, as sent. */
  readonly challenge: string;
  /** `SHA-256("tab-enroll-v1" LF origin LF challenge LF app.id LF thumbprint)`, 32 octets (PROTOCOL section 5). */
  readonly binding: Uint8Array;
  readonly now: number;
}

/** What a passed attestation proves. */
export interface AttestationResult {
  readonly format: string;
  readonly assurance: Assurance;
  /** Whether the evidence is tied to this key; where the platform cannot, policies may refuse. */
  readonly keyBound: boolean;
  readonly app: { readonly id: string; readonly version?: string };
  /** What the evidence said, kept for appraisal and audit; plain JSON, at most a few kB, no secret. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** Seconds since the epoch; the instance counts as assurance `none` from then on. */
  readonly expiresAt: number;
}

/** The part of a check that may call others (JWKS, vendor services); run after the challenge has been spent. */
export type FinishAttestation = () => Promise<AttestationResult>;

/**
 * One attestation format. `examine` makes every check that needs no network and throws `AttestationError` when one
 * fails; the function that it returns makes the rest. Both may be called concurrently.
 */
export interface Attester {
  /** The `format` on the wire. */
  readonly format: string;
  /** The highest assurance that it can give; policies that ask for more fail at start-up. */
  readonly reach: Assurance;
  examine(input: AttestationInput): FinishAttestation;
}
