import { constants, type KeyObject } from 'node:crypto';
import type { PublicJwk, TabAlgorithm } from './claims.types.js';

/** How one JWS algorithm verifies (RFC 7518 section 3, RFC 8037 section 3.1). */
export interface SignatureAlgorithm {
  /** The digest, null where the algorithm brings its own. */
  readonly digest: 'sha256' | 'sha384' | null;
  /** Options for `crypto.verify`, where it needs any. */
  readonly options?: { readonly padding?: number; readonly saltLength?: number };
  /** ECDSA: octets of `r` and of `s` each; the signature is their concatenation. */
  readonly ecdsaFieldOctets?: number;
  /** Whether a key is of the type that the algorithm is for. */
  accepts(jwk: PublicJwk): boolean;
  /** The exact length of a signature, in octets. */
  signatureOctets(key: KeyObject): number;
}

function modulusOctets(key: KeyObject): number {
  return (key.asymmetricKeyDetails?.modulusLength ?? 0) / 8;
}

const isRsa = (jwk: PublicJwk): boolean => jwk.kty === 'RSA';

/** All algorithms, as data. Which of them a server takes is configured. */
export const SIGNATURE_ALGORITHMS: Readonly<Record<TabAlgorithm, SignatureAlgorithm>> = {
  ES256: {
    digest: 'sha256',
    ecdsaFieldOctets: 32,
    accepts: (jwk) => jwk.kty === 'EC' && jwk.crv === 'P-256',
    signatureOctets: () => 64,
  },
  ES384: {
    digest: 'sha384',
    ecdsaFieldOctets: 48,
    accepts: (jwk) => jwk.kty === 'EC' && jwk.crv === 'P-384',
    signatureOctets: () => 96,
  },
  EdDSA: {
    digest: null,
    accepts: (jwk) => jwk.kty === 'OKP',
    signatureOctets: () => 64,
  },
  PS256: {
    digest: 'sha256',
    options: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 },
    accepts: isRsa,
    signatureOctets: modulusOctets,
  },
  RS256: {
    digest: 'sha256',
    options: { padding: constants.RSA_PKCS1_PADDING },
    accepts: isRsa,
    signatureOctets: modulusOctets,
  },
};

/** All algorithm names that can be configured. */
export const TAB_ALGORITHMS = Object.keys(SIGNATURE_ALGORITHMS) as readonly TabAlgorithm[];
