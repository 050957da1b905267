import { isJsonObject, type JsonObject } from '../../token/json.js';
import { AttestationError } from '../attestation-error.js';
import type { ClientAttestationCheck } from './client-attestation.types.js';

/** The claims that count, well-typed. Times are seconds since the epoch, with fractions where the issuer writes them. */
export interface AttestationClaims {
  readonly iss?: string;
  readonly sub: string;
  readonly aud: readonly unknown[];
  readonly iat?: number;
  readonly nbf?: number;
  readonly exp: number;
  readonly jti?: string;
  /** `cnf.jwk`, not looked at yet. */
  readonly confirmationKey: JsonObject;
}

/** Longest `iss`, `sub` and `jti` that is kept. */
const TEXT_MAX_LENGTH = 512;

/** Refuses the attestation. `detail` never quotes it. */
export function reject(check: ClientAttestationCheck, detail: string): never {
  throw new AttestationError(check, detail);
}

function optionalText(claims: JsonObject, name: string): string | undefined {
  const value = claims[name];
  if (value === undefined || (typeof value === 'string' && value.length <= TEXT_MAX_LENGTH)) return value;
  return reject('claims', `${name} is not a string of at most ${TEXT_MAX_LENGTH} characters`);
}

function optionalTime(claims: JsonObject, name: string): number | undefined {
  const value = claims[name];
  if (value === undefined) return undefined;
  if (typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER) return value;
  return reject('claims', `${name} is not a time`);
}

/** `aud` as a list; empty when absent (RFC 7519 section 4.1.3). */
function audienceOf(claims: JsonObject): readonly unknown[] {
  const { aud } = claims;
  if (aud === undefined) return [];
  if (typeof aud === 'string') return [aud];
  // An empty list names nobody, which is not the same as no audience.
  return Array.isArray(aud) && aud.length > 0 ? aud : reject('claims', 'aud is neither a string nor a list');
}

function confirmationKeyOf(claims: JsonObject): JsonObject {
  const { cnf } = claims;
  if (!isJsonObject(cnf)) return reject('confirmation', 'cnf is absent or not an object');
  return isJsonObject(cnf['jwk']) ? cnf['jwk'] : reject('confirmation', 'cnf has no jwk');
}

/**
 * Reads the claims of a client attestation (the draft's section "Client Attestation JWT").
 *
 * @throws AttestationError `claims` or `confirmation`
 */
export function readClaims(claims: JsonObject): AttestationClaims {
  return {
    iss: optionalText(claims, 'iss'),
    sub: optionalText(claims, 'sub') ?? reject('claims', 'sub is absent'),
    aud: audienceOf(claims),
    iat: optionalTime(claims, 'iat'),
    nbf: optionalTime(claims, 'nbf'),
    exp: optionalTime(claims, 'exp') ?? reject('claims', 'exp is absent'),
    jti: optionalText(claims, 'jti'),
    confirmationKey: confirmationKeyOf(claims),
  };
}
