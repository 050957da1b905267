import type { JSONWebKeySet } from 'jose';
import type { FetchLike } from '../jose/bounded-fetch.js';
import type { RemoteJwks } from '../jose/remote-jwks.js';
import type { AsymmetricAlgorithm, SignedJwtCheck } from '../jose/signed-jwt.js';

/**
 * The check that an Approov token failed (`AttestationError.check`), for the operator's log:
 * - `structure`, `header`, `algorithm`, `issuer-key`, `signature`: those of every signed JWT
 * - `statement`: the statement is not `{ "token": string }`
 * - `status`: the SDK had no token; the detail is the word that it gave instead, such as `NO_NETWORK`
 * - `claims`: a claim is missing or ill-typed
 * - `issuer`, `audience`: `iss` or `aud` is not the configured one
 * - `time`: expired
 * - `binding`: `pay` is absent or not that of this enrolment
 */
export type ApproovCheck =
  SignedJwtCheck | 'statement' | 'status' | 'claims' | 'issuer' | 'audience' | 'time' | 'binding';

/** What signs the tokens: exactly one of `secrets` and `jwks`. */
export interface ApproovKeys {
  /** The account secret in base64, as the Approov command line gives it, for HS256; several while it is rotated. */
  readonly secrets?: readonly string[];
  /** The public keys of a key set that signs asymmetrically. */
  readonly jwks?: JSONWebKeySet | RemoteJwks;
  /** What the keys of `jwks` may sign with; default RS256 and ES256. */
  readonly algorithms?: readonly AsymmetricAlgorithm[];
}

/** Options of `approov`. */
export interface ApproovOptions extends ApproovKeys {
  /** The `iss` that tokens must have; default any or none. */
  readonly issuer?: string;
  /** The `aud` that tokens must have, the API's host name where Approov is set up to write it; default any or none. */
  readonly audience?: string;
  /** Seconds that the attestation counts from enrolment on; default 86,400 (a day). The token itself lives 5 minutes. */
  readonly maxAge?: number;
  /** Fetches published keys; default the global `fetch`. */
  readonly fetch?: FetchLike;
}

/** What a token says. Times are seconds since the epoch. */
export interface ApproovVerdict {
  readonly expiresAt: number;
  /** Approov's id of the device. */
  readonly deviceId?: string;
  /** The public key that Approov made at installation, base64 of its SPKI. */
  readonly installKey?: string;
  /** The attestation response code, for the Approov command line. */
  readonly responseCode?: string;
  /** Device annotations of the account's policy. */
  readonly annotations?: readonly string[];
}
