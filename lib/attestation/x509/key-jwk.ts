import type { JsonWebKey } from 'node:crypto';
import { Integer, ObjectIdentifier } from 'asn1js';
import { bitsOf, bufferOf, sequenceOf, typed } from './der-values.js';
import { fail, parseDer, type DerNode } from './der.js';

/** Curves by OID: name (RFC 7518 section 6.2.1.1) and octets of a coordinate. */
const CURVES: ReadonlyMap<string, { readonly crv: string; readonly octets: number }> = new Map([
  ['1.2.840.10045.3.1.7', { crv: 'P-256', octets: 32 }],
  ['1.3.132.0.34', { crv: 'P-384', octets: 48 }],
  ['1.3.132.0.35', { crv: 'P-521', octets: 66 }],
]);
const RSA = '1.2.840.113549.1.1.1';
const UNCOMPRESSED = 0x04;
const RSA_MAX_OCTETS = 513;

function b64u(octets: Uint8Array): string {
  return bufferOf(octets).toString('base64url');
}

function ecJwk(parameters: DerNode | undefined, point: Uint8Array): JsonWebKey {
  const curve = CURVES.get(typed(parameters, ObjectIdentifier).getValue());
  if (curve === undefined) return fail('an EC key is on another curve');
  const { crv, octets } = curve;
  if (point.length !== 1 + 2 * octets || point[0] !== UNCOMPRESSED) fail('an EC point is not in its uncompressed form');
  return { kty: 'EC', crv, x: b64u(point.subarray(1, 1 + octets)), y: b64u(point.subarray(1 + octets)) };
}

function magnitude(node: DerNode | undefined): Uint8Array {
  const octets = typed(node, Integer).valueBlock.valueHexView;
  if (octets.length > RSA_MAX_OCTETS) fail('an INTEGER is too long');
  return octets[0] === 0 ? octets.subarray(1) : octets;
}

function rsaJwk(key: Uint8Array): JsonWebKey {
  const [n, e] = sequenceOf(parseDer(key), 2);
  return { kty: 'RSA', n: b64u(magnitude(n)), e: b64u(magnitude(e)) };
}

/**
 * A SubjectPublicKeyInfo as a public JWK with the members of RFC 7638 only. It is read off the octets, since exporting a
 * key costs more than everything else here. Import the key as well: nothing here ensures that it is valid.
 *
 * @throws DerError when it is neither RSA nor an uncompressed EC point on P-256, P-384 or P-521
 */
export function jwkOfSpki(spki: Uint8Array): JsonWebKey {
  const [info, bits] = sequenceOf(parseDer(spki), 2);
  const [algorithm, parameters] = sequenceOf(info, 1, 2);
  const key = bitsOf(bits);
  return typed(algorithm, ObjectIdentifier).getValue() === RSA ? rsaJwk(key) : ecJwk(parameters, key);
}
