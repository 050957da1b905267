import type { JSONWebKeySet } from 'jose';
import type { Assurance } from '../../trust/assurance.js';
import type { FetchLike } from '../jose/bounded-fetch.js';
import type { RemoteJwks } from '../jose/remote-jwks.js';
import type { AsymmetricAlgorithm, SignedJwtCheck } from '../jose/signed-jwt.js';

/**
 * The check that a client attestation failed (`AttestationError.check`), for the operator's log:
 * - `structure`, `header`, `algorithm`, `issuer-key`, `signature`: those of every signed JWT
 * - `statement`: the statement is not `{ "jwt": string }`
 * - `claims`: a claim is missing or ill-typed
 * - `issuer`: no configured issuer is meant
 * - `audience`: made for somebody else
 * - `subject`: `sub` is not the client id of this app
 * - `time`: expired, not valid yet, issued in the future
 * - `confirmation`: `cnf.jwk` is absent, not a public key, or holds private members
 * - `key-binding`: `cnf.jwk` is another key than the instance key
 */
export type ClientAttestationCheck =
  SignedJwtCheck | 'statement' | 'claims' | 'issuer' | 'audience' | 'subject' | 'time' | 'confirmation' | 'key-binding';

/** One service that attests instances of the app: the draft's Client Attester. */
export interface ClientAttestationIssuer {
  /**
   * Its `iss`, compared octet by octet. Without it the attestation may name any issuer or none, and its keys alone
   * decide; at most one issuer may be configured so.
   */
  readonly iss?: string;
  /**
   * Its public keys, or where it publishes them. Issuers should name a `kid`: without one a new key is only seen when
   * the cache is too old.
   */
  readonly jwks: JSONWebKeySet | RemoteJwks;
  /** What it may sign with; default ES256, ES384, PS256, RS256, EdDSA and Ed25519. Never `none`, never a MAC. */
  readonly algorithms?: readonly AsymmetricAlgorithm[];
  /** What it vouches for about the instance key, by its own policy; default `software`. */
  readonly assurance?: Exclude<Assurance, 'none'>;
}

/** Options of `clientAttestation`. */
export interface ClientAttestationOptions {
  /** Who may attest; at least one. */
  readonly issuers: readonly ClientAttestationIssuer[];
  /** The `sub` of its attestations; default the app id. */
  readonly clientId?: string;
  /** The name under which the issuers know this server. Default none: an attestation with an `aud` is then refused. */
  readonly audience?: string;
  /** Longest time that an attestation counts from enrolment on, in seconds, whatever its `exp`; default 2,592,000 (30 days). */
  readonly maxAge?: number;
  /** Fetches published keys; default the global `fetch`. */
  readonly fetch?: FetchLike;
}
