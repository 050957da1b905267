import { constants, createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import type { PublicJwk, TabAlgorithm } from '../../../lib/token/claims.types.js';

/** A key pair as a client holds it. */
export interface TestKey {
  readonly alg: TabAlgorithm;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly jwk: PublicJwk;
  /** RFC 7638 thumbprint, made here without the code under test. */
  readonly id: string;
}

export const b64u = (data: string | Uint8Array): string => Buffer.from(data as Uint8Array).toString('base64url');
/** `b64u(SHA-256(data))`. */
export const sha = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('base64url');
/** The claim keys of PROTOCOL section 6. */
export const claimKeyOf = (text: string): string =>
  createHash('sha256').update(text).digest().subarray(0, 16).toString('base64url');

function generate(alg: TabAlgorithm): { privateKey: KeyObject; publicKey: KeyObject } {
  if (alg === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' });
  if (alg === 'ES384') return generateKeyPairSync('ec', { namedCurve: 'P-384' });
  if (alg === 'EdDSA') return generateKeyPairSync('ed25519');
  return generateKeyPairSync('rsa', { modulusLength: 2048 });
}

function thumbprintOf(jwk: PublicJwk): string {
  const members = Object.entries(jwk).sort(([a], [b]) => (a < b ? -1 : 1));
  return sha(JSON.stringify(Object.fromEntries(members)));
}

const keys = new Map<string, TestKey>();

/** The key of this name; made once a process, since making keys is slow. */
export function aKey(alg: TabAlgorithm = 'ES256', name = 'first'): TestKey {
  const known = keys.get(alg + name);
  if (known !== undefined) return known;
  const pair = generate(alg);
  const jwk = pair.publicKey.export({ format: 'jwk' }) as unknown as PublicJwk;
  const key = { alg, ...pair, jwk, id: thumbprintOf(jwk) };
  keys.set(alg + name, key);
  return key;
}

/** A JWS signature by the rules of RFC 7518, from `node:crypto` alone. */
export function signAs(alg: TabAlgorithm, privateKey: KeyObject, input: string | Uint8Array): Buffer {
  const data = Buffer.from(input as Uint8Array);
  switch (alg) {
    case 'ES256':
      return sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' });
    case 'ES384':
      return sign('sha384', data, { key: privateKey, dsaEncoding: 'ieee-p1363' });
    case 'EdDSA':
      return sign(null, data, privateKey);
    case 'PS256':
      return sign('sha256', data, { key: privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 });
    case 'RS256':
      return sign('sha256', data, privateKey);
  }
}
