import { compactVerify, type CryptoKey } from 'jose';
import { decodeBase64url } from '../../token/base64url.js';
import { parseJsonObject, type JsonObject } from '../../token/json.js';
import { AttestationError } from '../attestation-error.js';
import type { JwksSource, KeyHint } from './jwks-source.js';

/**
 * Checks that every signed JWT goes through, as `AttestationError.check`:
 * - `structure`: not a compact JWS of canonical base64url within its size, header or payload not a JSON object
 * - `header`: `typ` is another, `crit` or `b64` is present, `kid` is ill-typed
 * - `algorithm`: `alg` is not one that its issuer is configured with
 * - `issuer-key`: no key of the issuer fits the header
 * - `signature`: no key of the issuer verifies it
 */
export type SignedJwtCheck = 'structure' | 'header' | 'algorithm' | 'issuer-key' | 'signature';

/** Signature algorithms that may be configured: asymmetric ones only (RFC 7518, RFC 8037, RFC 9864). */
export const ASYMMETRIC_ALGORITHMS = [
  'ES256',
  'ES384',
  'ES512',
  'PS256',
  'PS384',
  'PS512',
  'RS256',
  'RS384',
  'RS512',
  'EdDSA',
  'Ed25519',
] as const;

/** Name of an asymmetric signature algorithm. */
export type AsymmetricAlgorithm = (typeof ASYMMETRIC_ALGORITHMS)[number];

/** Longest `kid` that is looked up, in characters. */
const KID_MAX_LENGTH = 256;

/** A compact JWS taken apart, not yet trusted in any way (RFC 7515 section 7.1). */
export interface UnverifiedJwt {
  readonly jwt: string;
  readonly header: JsonObject;
  readonly claims: JsonObject;
}

function reject(check: SignedJwtCheck, detail: string, cause?: unknown): never {
  throw new AttestationError(check, detail, { cause });
}

function decodeObject(segment: string, name: string): JsonObject {
  const octets = decodeBase64url(segment);
  if (octets === undefined) reject('structure', `${name} is not canonical base64url`);
  return parseJsonObject(octets) ?? reject('structure', `${name} is not a JSON object`);
}

/**
 * Takes a JWT apart without trusting it.
 *
 * @param maxLength longest JWT accepted, in characters
 * @throws AttestationError `structure`
 */
export function parseSignedJwt(value: unknown, maxLength: number): UnverifiedJwt {
  if (typeof value !== 'string') reject('structure', 'not a string');
  if (value.length > maxLength) reject('structure', `longer than ${maxLength} characters`);
  const segments = value.split('.', 4);
  const [header, claims, signature] = segments;
  if (segments.length !== 3 || !header || !claims || !signature) reject('structure', 'not a JWS of three segments');
  // One signature has one text: no trailing bits that could be changed freely.
  if (decodeBase64url(signature) === undefined) reject('structure', 'signature is not canonical base64url');
  return { jwt: value, header: decodeObject(header, 'header'), claims: decodeObject(claims, 'payload') };
}

/**
 * Checks the header: exact `typ`, no member that changes how the JWS is read, an algorithm from the list.
 *
 * @returns what selects the key
 * @throws AttestationError `header` or `algorithm`
 */
export function checkHeader(header: JsonObject, typ: string, algorithms: ReadonlySet<string>): KeyHint {
  // Another kind of JWT by the same issuer is not an attestation (RFC 8725 section 3.11).
  if (header['typ'] !== typ) reject('header', `typ is not ${typ}`);
  // No extension is understood, so a critical one must be refused (RFC 7515 section 4.1.11); `b64` is one (RFC 7797).
  if ('crit' in header || 'b64' in header) reject('header', 'crit or b64 is present');
  const { alg, kid } = header;
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > KID_MAX_LENGTH))
    reject('header', 'kid is ill-typed');
  // The list, never the header, decides; it has no `none` and no MAC.
  if (typeof alg !== 'string' || !algorithms.has(alg)) reject('algorithm', 'alg is not allowed for this issuer');
  return kid === undefined ? { alg } : { alg, kid };
}

/**
 * Verifies the signature with the issuer's keys.
 *
 * @returns the claims as they were signed
 * @throws AttestationError `issuer-key` or `signature`; TabError `store_unavailable` when the keys cannot be had
 */
export async function verifySignedJwt(jwt: string, hint: KeyHint, keys: JwksSource): Promise<JsonObject> {
  const candidates = await keys.find(hint);
  if (candidates.length === 0) reject('issuer-key', 'no key of the issuer fits the header');
  let cause: unknown;
  for (const key of candidates) {
    const outcome = await tryKey(jwt, key, hint.alg);
    if ('payload' in outcome)
      return parseJsonObject(outcome.payload) ?? reject('structure', 'payload is not a JSON object');
    cause = outcome.error;
  }
  return reject('signature', 'no key of the issuer verifies it', cause);
}

/** Whatever goes wrong with a key, it has not verified the signature. */
async function tryKey(jwt: string, key: CryptoKey, alg: string): Promise<{ payload: Uint8Array } | { error: unknown }> {
  try {
    const { payload } = await compactVerify(jwt, key, { algorithms: [alg] });
    return { payload };
  } catch (error) {
    return { error };
  }
}
