import { base64url } from 'jose';
import type { PublicJwk } from '../../token/claims.types.js';
import { decodeBase64 } from './base64.js';

/** The SubjectPublicKeyInfo of every uncompressed P-256 key begins so (RFC 5480): id-ecPublicKey, prime256v1, 66 octets of key. */
const SPKI_PREFIX = [
  0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
  0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const UNCOMPRESSED = 0x04;
const FIELD = 32;

/** A P-256 key from its DER SubjectPublicKeyInfo. @throws TypeError for any other octets */
export function spkiToJwk(spki: Uint8Array): PublicJwk {
  const start = SPKI_PREFIX.length + 1;
  const known = SPKI_PREFIX.every((octet, index) => spki[index] === octet) && spki[start - 1] === UNCOMPRESSED;
  if (!known || spki.length !== start + 2 * FIELD) fail();
  const coordinate = (at: number) => base64url.encode(spki.subarray(at, at + FIELD));
  return { kty: 'EC', crv: 'P-256', x: coordinate(start), y: coordinate(start + FIELD) };
}

/** The public key that a bridge answered, `{ spki }` or `{ jwk }`. @throws TypeError when it is not exactly one P-256 key */
export function readPublicKey(answer: unknown): PublicJwk {
  const { spki, jwk } = Object(answer) as { spki?: unknown; jwk?: unknown };
  // Ensures that there is one key: two could differ.
  if ((spki === undefined) === (jwk === undefined)) fail();
  return jwk === undefined ? spkiToJwk(decodeBase64(spki) ?? fail()) : readJwk(jwk);
}

function readJwk(value: unknown): PublicJwk {
  const { kty, crv, x, y, d } = Object(value) as Record<string, unknown>;
  // Ensures that the private key stayed where it belongs.
  if (kty !== 'EC' || crv !== 'P-256' || d !== undefined) fail();
  return { kty: 'EC', crv: 'P-256', x: readCoordinate(x), y: readCoordinate(y) };
}

/** Full length and canonical, since the thumbprint is taken over the text. */
function readCoordinate(value: unknown): string {
  // 43 characters hold 258 bits; the last character must leave the two spare ones zero.
  if (typeof value !== 'string' || !/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/.test(value)) fail();
  return value;
}

function fail(): never {
  throw new TypeError('Not a P-256 public key');
}
