import type { JSONWebKeySet } from 'jose';
import type { FetchLike } from '../jose/bounded-fetch.js';
import type { RemoteJwks } from '../jose/remote-jwks.js';
import type { SignedJwtCheck } from '../jose/signed-jwt.js';

/**
 * The check that an App Check token failed (`AttestationError.check`), for the operator's log:
 * - `structure`, `header`, `algorithm`, `issuer-key`, `signature`: those of every signed JWT; `header` also without `kid`
 * - `statement`: the statement is not `{ "token": string }`
 * - `claims`: a claim is missing or ill-typed
 * - `issuer`: `iss` is not that of the project
 * - `audience`: `aud` does not name the project
 * - `subject`: `sub` is not an app id that is configured
 * - `time`: expired, not valid yet, issued in the future
 * - `provider`: made with a debug secret in place of a real device
 * - `consumed`: Firebase saw it before, or did not take it
 */
export type FirebaseAppCheckCheck =
  SignedJwtCheck | 'statement' | 'claims' | 'issuer' | 'audience' | 'subject' | 'time' | 'provider' | 'consumed';

/** Whose tokens are accepted. */
export interface FirebaseProject {
  /** The project's id, as in `projects/<id>`. */
  readonly projectId: string;
  /** The project's number, in decimal digits. */
  readonly projectNumber: string;
  /** The Firebase app id, such as `1:1234567890:android:0a1b2c3d4e5f67890`, or several. */
  readonly appId: string | readonly string[];
  /** Whether tokens of the debug provider are accepted too. Default false: a debug secret runs anywhere. */
  readonly allowDebug?: boolean;
}

/**
 * Has Firebase mark a token as consumed. `alreadyConsumed` says whether it was before.
 *
 * @throws anything when Firebase cannot be asked; AttestationError when it does not take the token
 */
export type FirebaseConsumer = (token: string) => Promise<{ readonly alreadyConsumed: boolean }>;

/** Options of `firebaseAppCheck`. */
export interface FirebaseAppCheckOptions extends FirebaseProject {
  /**
   * Spends every token with Firebase, see `googleConsumer`; clients then send limited-use tokens. Without it the assurance
   * is `none`: whoever has a token can enrol with it until it expires, but for a `jti`, which is spent here.
   */
  readonly consume?: FirebaseConsumer;
  /** Firebase's public keys; default those it publishes, kept for 6 hours. */
  readonly jwks?: JSONWebKeySet | RemoteJwks;
  /** Seconds that the attestation counts from enrolment on; default 86,400 (a day). The token itself lives shorter. */
  readonly maxAge?: number;
  /** Fetches published keys; default the global `fetch`. */
  readonly fetch?: FetchLike;
}

/** What a token says. Times are seconds since the epoch. */
export interface FirebaseAppCheckVerdict {
  readonly appId: string;
  /** The attestation provider behind it, where the token names it. */
  readonly provider?: string;
  readonly jti?: string;
  readonly issuedAt?: number;
  readonly expiresAt: number;
}
