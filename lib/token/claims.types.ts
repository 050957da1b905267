/** Runtime evidence: what the client measured about its own runtime (PROTOCOL section 3, RFC 9334 "evidence"). */
export interface RuntimeEvidence {
  /** When the probes last ran to completion, seconds since the epoch; never after `iat`. */
  readonly at: number;
  /** Names of threats detected. */
  readonly found: readonly string[];
  /** Names of probes that ran and found nothing. A name in neither list was not checked. */
  readonly clear: readonly string[];
  /** Name and version of the measuring client, 1–64 printable ASCII characters. */
  readonly sdk: string;
}

/** The app as the token names it. */
export interface AppClaim {
  /** The enrolled app id, 1–128 of `A–Z a–z 0–9 . _ : -`. */
  readonly id: string;
  /** The running version, SemVer 2.0.0. */
  readonly ver: string;
}

/** The claims of a TAB token, as PROTOCOL section 2 defines them. Times are integers, seconds since the epoch. */
export interface TabClaims {
  readonly jti: string;
  readonly iat: number;
  readonly exp?: number;
  readonly nonce?: string;
  readonly htm: string;
  readonly htu: string;
  readonly qsh?: string;
  readonly bh?: string;
  readonly ct?: string;
  readonly ath?: string;
  readonly sid?: string;
  readonly hd?: Readonly<Record<string, string>>;
  readonly app: AppClaim;
  readonly rt: RuntimeEvidence;
}

/** Signature algorithms of instance keys (PROTOCOL section 2; RFC 7518, RFC 8037). `Ed25519` is the RFC 9864 name of `EdDSA`. */
export type TabAlgorithm = 'ES256' | 'ES384' | 'EdDSA' | 'PS256' | 'RS256';

/** An instance public key: only the members that RFC 7638 names, canonical. */
export type PublicJwk =
  | { readonly kty: 'EC'; readonly crv: 'P-256' | 'P-384'; readonly x: string; readonly y: string }
  | { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string }
  | { readonly kty: 'RSA'; readonly n: string; readonly e: string };

/** `typ` of a request token. */
export const TOKEN_TYPE = 'tab+jwt';
/** `typ` of an enrolment token. */
export const ENROL_TOKEN_TYPE = 'tab-enroll+jwt';
/** Largest token accepted, in octets (PROTOCOL section 2). */
export const TOKEN_MAX_BYTES = 4096;
