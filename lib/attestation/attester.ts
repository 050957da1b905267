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
  /**
   * The same with an empty last line in place of the thumbprint, for evidence that is made together with the key and names
   * it by itself: no platform can put the thumbprint of a key into the challenge that it generates the key with.
   */
  readonly keylessBinding: Uint8Array;
  /** What was proved before, where the key is known already. */
  readonly previous?: PreviousAttestation;
  readonly now: number;
}

/** The attestation that an instance has. */
export interface PreviousAttestation {
  readonly format: string;
  readonly claims: Readonly<Record<string, unknown>>;
  /** The highest assertion counter seen, 0 before any. */
  readonly counter: number;
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
  /** The assertion counter from which requests go on, judged against `previous.counter`; default 0. */
  readonly counter?: number;
  /** For evidence that is good for one enrolment only: its id, spent in the nonce store before anything is written. */
  readonly claim?: AttestationClaim;
}

/** What makes a piece of evidence unique. */
export interface AttestationClaim {
  readonly issuer: string;
  readonly id: string;
  /** When the evidence expires by itself, seconds since the epoch. */
  readonly expiresAt: number;
}

/** An assertion that came with a request (`TAB-Assertion`), for the instance whose attestation said `claims`. */
export interface RequestAssertion {
  /** Untrusted octets. */
  readonly assertion: Uint8Array;
  /** SHA-256 of the compact TAB token. */
  readonly clientDataHash: Uint8Array;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly previousCounter: number;
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
  /**
   * Checks an assertion on a request, where the format has such. Without network.
   * @returns the counter, above `previousCounter`; the caller raises the stored one atomically
   * @throws AttestationError
   */
  assertRequest?(input: RequestAssertion): { readonly counter: number };
}
