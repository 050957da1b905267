import type { PublicJwk } from '../token/claims.types.js';

/** The app that enrols. */
export interface DefenderApp {
  /** The enrolled app id, 1–128 of `A–Z a–z 0–9 . _ : -`. */
  readonly id: string;
  /** The running version, SemVer 2.0.0. */
  readonly ver: string;
  /** The platform that the server has configured for this app id. */
  readonly platform: string;
}

/** What a platform attestation must cover (PROTOCOL section 5). */
export interface AttestInput {
  /** 32 octets that tie the attestation to this enrolment; where they sit depends on the format. */
  readonly binding: Uint8Array;
  /** The enrolment challenge, as the server sent it. */
  readonly challenge: string;
  /** RFC 7638 thumbprint of the instance public key. */
  readonly thumbprint: string;
  readonly publicKey: PublicJwk;
  readonly app: DefenderApp;
}

/** Makes the statement of one attestation format; it calls the platform. */
export interface ClientAttester {
  /** The `format` on the wire. */
  readonly format: string;
  /** The `statement`: plain JSON, or undefined for none. A failure ends the enrolment. */
  attest(input: AttestInput): unknown;
}

/** Format `none`: no statement, no assurance. */
export const noAttestation: ClientAttester = { format: 'none', attest: () => undefined };
