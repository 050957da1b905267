import type { KeyObject } from 'node:crypto';

const OCTETS = 32;

/**
 * The public JWK of a P-256 key. Read from its SubjectPublicKeyInfo (RFC 5480), which ends in both coordinates: exporting
 * many new keys as JWK can hang Node 20 for good.
 */
export function p256Jwk(key: KeyObject): { kty: 'EC'; crv: 'P-256'; x: string; y: string } {
  const point = key.export({ type: 'spki', format: 'der' }).subarray(-2 * OCTETS);
  const text = (octets: Uint8Array): string => Buffer.from(octets).toString('base64url');
  return { kty: 'EC', crv: 'P-256', x: text(point.subarray(0, OCTETS)), y: text(point.subarray(OCTETS)) };
}
