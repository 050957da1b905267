import { claimKey } from '../token/claim-key.js';
import { sha256 } from '../token/digest.js';
import type { JsonObject } from '../token/json.js';
import { SignalError } from './signal-error.js';

/** The claims of a Security Event Token that are used here (RFC 8417 section 2.2, SSF 1.0 section 4). */
export interface SetClaims {
  readonly iss: string;
  readonly aud: readonly string[];
  readonly jti: string;
  /** Seconds since the epoch, rounded down. */
  readonly iat: number;
  /** Not looked at yet. */
  readonly events: unknown;
  /** Not looked at yet. */
  readonly subId: unknown;
}

/** Longest `maxAge`, in seconds. */
export const SET_MAX_AGE = 7 * 24 * 3600;
/** Seconds that a transmitter's clock may be ahead. */
export const SET_TOLERANCE = 60;
/** Seconds after `iat` for which a token is remembered: a constant, so that every node names the same bucket whatever its settings. */
const SET_KEPT = SET_MAX_AGE + 60;
const JTI_MAX = 256;
const AUDIENCES_MAX = 100;

function refuse(detail: string): never {
  throw new SignalError('invalid_request', detail);
}

function audienceOf(aud: unknown): readonly string[] {
  const audience: unknown = typeof aud === 'string' ? [aud] : aud;
  if (!Array.isArray(audience) || audience.length === 0 || audience.length > AUDIENCES_MAX)
    throw new SignalError('invalid_audience', 'aud is absent or ill-typed');
  if (!audience.every((name) => typeof name === 'string'))
    throw new SignalError('invalid_audience', 'aud is ill-typed');
  return audience;
}

/** Reads the claims. @throws SignalError */
export function readSetClaims(claims: JsonObject): SetClaims {
  const { iss, jti, iat } = claims;
  if (typeof iss !== 'string') throw new SignalError('invalid_issuer', 'iss is absent or not a string');
  if (typeof jti !== 'string' || jti === '' || jti.length > JTI_MAX) refuse('jti is absent or ill-typed');
  if (typeof iat !== 'number' || !Number.isFinite(iat) || iat < 0) refuse('iat is absent or ill-typed');
  // Ensures that no ID or access token is taken for an event, and no event for one of them (SSF 1.0 sections 4.1.2, 4.1.7).
  if ('exp' in claims || 'sub' in claims) refuse('exp or sub is present');
  const { events, sub_id: subId } = claims;
  return { iss, aud: audienceOf(claims['aud']), jti, iat: Math.floor(iat), events, subId };
}

/** Ensures that a token is for this server, and of now as far as transmitters that retry can be. @throws SignalError */
export function checkSetClaims(
  { aud, iat }: SetClaims,
  expected: { audience: ReadonlySet<string>; maxAge: number; now: number },
): void {
  if (!aud.some((name) => expected.audience.has(name)))
    throw new SignalError('invalid_audience', 'aud does not name this server');
  if (iat > expected.now + SET_TOLERANCE) refuse('issued in the future');
  if (iat < expected.now - expected.maxAge) refuse('issued too long ago');
}

/** When what was claimed for a token may be forgotten, seconds since the epoch: once it would be refused for its age. */
export function setKeptUntil({ iat }: SetClaims): number {
  return iat + SET_KEPT;
}

/** The claim key of a `jti`. The issuer goes in as a hash of fixed length, so that no issuer can spend the ids of another. */
export function jtiOfSetKey({ iss, jti }: SetClaims): string {
  return claimKey(`set.${sha256(iss)}.${jti}`);
}

/** The claim key of a token by what it says, not by its signature: signed again, or with another key, it is the same token. */
export function contentOfSetKey({ iss }: SetClaims, jwt: string): string {
  return claimKey(`set-content.${sha256(iss)}.${sha256(jwt.split('.')[1] as string)}`);
}
