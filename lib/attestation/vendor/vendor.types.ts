import type { JSONWebKeySet, JWK } from 'jose';
import type { Assurance } from '../../trust/assurance.js';
import type { ThreatName } from '../../trust/threats.js';
import type { FetchLike } from '../jose/bounded-fetch.js';
import type { RemoteJwks } from '../jose/remote-jwks.js';
import type { AsymmetricAlgorithm, SignedJwtCheck } from '../jose/signed-jwt.js';

/**
 * The check that a vendor's verdict failed (`AttestationError.check`), for the operator's log:
 * - `structure`, `header`, `algorithm`, `issuer-key`, `signature`: those of every signed JWT
 * - `statement`: the statement is not `{ "jwt": string }`
 * - `claims`: a claim is missing or ill-typed
 * - `issuer`: no configured vendor is meant
 * - `audience`: made for somebody else
 * - `time`: expired, not valid yet, issued in the future
 * - `key-binding`: the thumbprint is absent or not that of the instance key
 * - `challenge`: the nonce is absent or not this enrolment's challenge
 * - `unchecked`: a claim about a threat is absent, ill-typed, or has a value that is not mapped
 * - `threat`: threats were found; the detail names them
 */
export type VendorJwtCheck =
  | SignedJwtCheck
  | 'statement'
  | 'claims'
  | 'issuer'
  | 'audience'
  | 'time'
  | 'key-binding'
  | 'challenge'
  | 'unchecked'
  | 'threat';

/**
 * What a claim means. A threat name: the claim is a boolean, true means found. A map: the claim is a string or a list of
 * strings, each in the map, under the threat that it means or null for none.
 */
export type ThreatMeaning = ThreatName | Readonly<Record<string, ThreatName | null>>;

/**
 * Where a claim sits: its name, or names joined by `.` that lead into objects. A claim of exactly that name comes first, so
 * that names such as `https://vendor.example/root` can be written.
 */
export type ClaimPath = string;

/** One vendor of runtime protection and the form of its verdicts. */
export interface JwtVendor {
  /** Its `iss`, compared octet by octet. */
  readonly iss: string;
  /** The name under which it knows this server. */
  readonly aud: string;
  /** Its public keys, or where it publishes them. Exactly one of `jwks` and `key`. */
  readonly jwks?: JSONWebKeySet | RemoteJwks;
  /** Its only public key, a JWK or PEM; `kid` is then not looked at. */
  readonly key?: JWK | string;
  /** What it may sign with; default ES256, ES384, PS256, RS256, EdDSA and Ed25519. Never `none`, never a MAC. */
  readonly algorithms?: readonly AsymmetricAlgorithm[];
  /** The `typ` that its verdicts must have; default `JWT` or none. */
  readonly typ?: string;
  /** Where the thumbprint of the instance key sits; default `cnf.jkt`. */
  readonly keyThumbprint?: ClaimPath;
  /** Where the enrolment challenge sits; default `nonce`. */
  readonly nonce?: ClaimPath;
  /** What its claims mean; default none, then the verdict itself is all that counts. */
  readonly threats?: Readonly<Record<ClaimPath, ThreatMeaning>>;
  /** Threats with which an instance may enrol all the same; default none. They are kept as `threats` of the attestation. */
  readonly allowThreats?: readonly ThreatName[];
  /** Whether claims of `threats` may be absent. Default false: what was not checked is not clear. */
  readonly allowMissing?: boolean;
  /** Further claims to keep for audit, texts, numbers and booleans; default none. They become `kept` of the attestation. */
  readonly keep?: readonly ClaimPath[];
  /** What it vouches for about the instance key; default `software`. */
  readonly assurance?: Exclude<Assurance, 'none'>;
}

/** Options of `vendorJwt`. */
export interface VendorJwtOptions {
  /** Whose verdicts count; at least one, each with its own `iss`. */
  readonly vendors: readonly JwtVendor[];
  /** Seconds that the attestation counts from enrolment on; default 86,400 (a day). The verdict itself lives shorter. */
  readonly maxAge?: number;
  /** Fetches published keys; default the global `fetch`. */
  readonly fetch?: FetchLike;
}

/** What a verdict says. Times are seconds since the epoch. */
export interface VendorVerdict {
  readonly iss: string;
  readonly sub?: string;
  readonly jti?: string;
  readonly issuedAt?: number;
  readonly expiresAt: number;
  /** Threats that were found and are allowed, sorted. */
  readonly threats: readonly ThreatName[];
  /** The claims of `keep`, by path. */
  readonly kept: Readonly<Record<string, string | number | boolean>>;
}
