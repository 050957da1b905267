import { createPublicKey, type KeyObject } from 'node:crypto';
import { TabError } from '../errors/tab-error.js';
import { decodeBase64url } from './base64url.js';
import type { PublicJwk } from './claims.types.js';
import { sha256 } from './digest.js';
import type { JsonObject } from './json.js';

/** Members that hold private or symmetric key material (RFC 7518 section 6, RFC 8037 section 2; `priv` is that of AKP keys). */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'] as const;

/** Whether a JWK holds anything that a public key must not have, whatever the member's value. */
export function hasPrivateMembers(jwk: JsonObject): boolean {
  return PRIVATE_MEMBERS.some((member) => Object.hasOwn(jwk, member));
}

const EC_COORDINATE_OCTETS = { 'P-256': 32, 'P-384': 48 } as const;
const ED25519_OCTETS = 32;
const RSA_MODULUS_OCTETS = { min: 256, max: 512 } as const;
/** 65537, the only public exponent accepted. */
const RSA_EXPONENT = 'AQAB';

function refused(detail: string): TabError {
  return new TabError('malformed_token', `jwk: ${detail}`);
}

/** Reads a member that is canonical base64url of between `min` and `max` octets. */
function readOctets(jwk: JsonObject, member: string, min: number, max = min): string {
  const value = jwk[member];
  const octets = typeof value === 'string' ? decodeBase64url(value) : undefined;
  if (octets === undefined || octets.length < min || octets.length > max) {
    throw refused(`${member} is not canonical base64url of full length`);
  }
  return value as string;
}

function readEc(jwk: JsonObject): PublicJwk {
  const { crv } = jwk;
  if (crv !== 'P-256' && crv !== 'P-384') throw refused('curve is not P-256 or P-384');
  const octets = EC_COORDINATE_OCTETS[crv];
  return { kty: 'EC', crv, x: readOctets(jwk, 'x', octets), y: readOctets(jwk, 'y', octets) };
}

function readOkp(jwk: JsonObject): PublicJwk {
  if (jwk.crv !== 'Ed25519') throw refused('curve is not Ed25519');
  return { kty: 'OKP', crv: 'Ed25519', x: readOctets(jwk, 'x', ED25519_OCTETS) };
}

function readRsa(jwk: JsonObject): PublicJwk {
  if (jwk.e !== RSA_EXPONENT) throw refused('e is not 65537');
  const n = readOctets(jwk, 'n', RSA_MODULUS_OCTETS.min, RSA_MODULUS_OCTETS.max);
  // A leading zero octet would be a second spelling, with a second thumbprint, of the same key.
  if ((decodeBase64url(n) as Buffer)[0] === 0) throw refused('n has a leading zero octet');
  return { kty: 'RSA', n, e: RSA_EXPONENT };
}

const READERS: Readonly<Record<string, (jwk: JsonObject) => PublicJwk>> = { EC: readEc, OKP: readOkp, RSA: readRsa };

/**
 * Reads an instance public key: the members that RFC 7638 names, canonical and of full length; everything else is left
 * behind, private members are refused.
 *
 * @throws TabError `malformed_token`
 */
export function readPublicJwk(jwk: JsonObject): PublicJwk {
  if (hasPrivateMembers(jwk)) throw refused('has a private member');
  const read = typeof jwk.kty === 'string' && Object.hasOwn(READERS, jwk.kty) ? READERS[jwk.kty] : undefined;
  if (read === undefined) throw refused('kty is not EC, OKP or RSA');
  return read(jwk);
}

/** RFC 7638 SHA-256 thumbprint, 43 characters: the instance id. The members are in lexicographic order, as it demands. */
export function thumbprint(jwk: PublicJwk): string {
  switch (jwk.kty) {
    case 'EC':
      return sha256(`{"crv":"${jwk.crv}","kty":"EC","x":"${jwk.x}","y":"${jwk.y}"}`);
    case 'OKP':
      return sha256(`{"crv":"${jwk.crv}","kty":"OKP","x":"${jwk.x}"}`);
    case 'RSA':
      return sha256(`{"e":"${jwk.e}","kty":"RSA","n":"${jwk.n}"}`);
  }
}

/** Imports a public key for verification. The import ensures that an EC point lies on its curve and that RSA sizes hold. */
export function importPublicKey(jwk: PublicJwk): KeyObject {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: { ...jwk }, format: 'jwk' });
  } catch (cause) {
    throw new TabError('malformed_token', 'jwk: not a valid key', { cause });
  }
  const bits = key.asymmetricKeyDetails?.modulusLength;
  if (jwk.kty === 'RSA' && (bits === undefined || bits < 2048 || bits > 4096 || bits % 8 !== 0)) {
    throw refused('modulus is not of 2048 to 4096 bits');
  }
  return key;
}
