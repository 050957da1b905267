import { constants, createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';

/** The asymmetric algorithms of PROTOCOL section 2. */
export type Alg = 'ES256' | 'ES384' | 'EdDSA' | 'PS256' | 'RS256';

export function b64u(octets: string | Uint8Array): string {
  return Buffer.from(octets as string).toString('base64url');
}

/** `b64u(SHA-256(octets))`. */
export function digest(octets: string | Uint8Array): string {
  return createHash('sha256').update(octets).digest('base64url');
}

/** A key of an app instance. */
export interface DeviceKey {
  readonly alg: Alg;
  readonly privateKey: KeyObject;
  /** The members of RFC 7638 and no other. */
  readonly jwk: Readonly<Record<string, string>>;
  /** RFC 7638: the `kid`. */
  readonly thumbprint: string;
}

function generate(alg: Alg): { publicKey: KeyObject; privateKey: KeyObject } {
  if (alg === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' });
  if (alg === 'ES384') return generateKeyPairSync('ec', { namedCurve: 'P-384' });
  if (alg === 'EdDSA') return generateKeyPairSync('ed25519');
  return generateKeyPairSync('rsa', { modulusLength: 2048 });
}

/** Makes an instance key. */
export function createKey(alg: Alg = 'ES256'): DeviceKey {
  const { publicKey, privateKey } = generate(alg);
  const exported = publicKey.export({ format: 'jwk' }) as Record<string, string>;
  const jwk = Object.fromEntries(
    Object.entries(exported)
      .filter(([name]) => ['crv', 'e', 'kty', 'n', 'x', 'y'].includes(name))
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
  return { alg, privateKey, jwk, thumbprint: digest(JSON.stringify(jwk)) };
}

/** The JWS signature (RFC 7518 section 3) of a signing input. */
export function signature({ alg, privateKey: key }: DeviceKey, input: string): Buffer {
  const data = Buffer.from(input, 'latin1');
  switch (alg) {
    case 'ES256':
      return sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' });
    case 'ES384':
      return sign('sha384', data, { key, dsaEncoding: 'ieee-p1363' });
    case 'EdDSA':
      return sign(null, data, key);
    case 'PS256':
      return sign('sha256', data, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 });
    case 'RS256':
      return sign('sha256', data, key);
  }
}

/** A compact JWS. Members that are undefined are left out. */
export function compactJws(key: DeviceKey, header: unknown, payload: unknown): string {
  const input = `${b64u(JSON.stringify(header))}.${b64u(JSON.stringify(payload))}`;
  return `${input}.${signature(key, input).toString('base64url')}`;
}
