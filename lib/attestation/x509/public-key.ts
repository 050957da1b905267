import { createPublicKey, type KeyObject } from 'node:crypto';
import { AttestationError } from '../attestation-error.js';
import type { Certificate } from './certificate.js';

/**
 * Checks of the key in a certificate:
 * - `key-type`: not RSA and not EC on P-256, P-384 or P-521, such as ML-DSA, which this runtime cannot verify with
 * - `key-size`: RSA of other than 2048 to 4096 bits, or with an unusual exponent
 * - `key`: not a valid key of its type
 */
export type PublicKeyCheck = 'key-type' | 'key-size' | 'key';

const RSA = '1.2.840.113549.1.1.1';
const EC = '1.2.840.10045.2.1';
/** The encoded OIDs of P-256, P-384 and P-521. */
const CURVES: readonly string[] = ['06082a8648ce3d030107', '06052b81040022', '06052b81040023'];
const RSA_BITS = { min: 2048, max: 4096 } as const;
/** Larger exponents make verification slow. */
const RSA_EXPONENT_MAX = 0xffffffffn;

function reject(check: PublicKeyCheck, detail: string, cause?: unknown): never {
  throw new AttestationError(check, detail, { cause });
}

function importKey(spki: Uint8Array): KeyObject {
  try {
    // The import ensures that an EC point lies on its curve.
    return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  } catch (cause) {
    return reject('key', 'a certificate holds a key that is not valid', cause);
  }
}

function checkRsa(key: KeyObject): void {
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (modulusLength < RSA_BITS.min || modulusLength > RSA_BITS.max)
    reject('key-size', `an RSA key is not of ${RSA_BITS.min} to ${RSA_BITS.max} bits`);
  if (publicExponent < 3n || publicExponent > RSA_EXPONENT_MAX || publicExponent % 2n === 0n)
    reject('key-size', 'an RSA key has an unusual exponent');
}

/**
 * Imports the key of a certificate.
 *
 * @throws AttestationError a `PublicKeyCheck`
 */
export function publicKeyOf({ spki, keyAlgorithm }: Pick<Certificate, 'spki' | 'keyAlgorithm'>): KeyObject {
  const { oid, parameters } = keyAlgorithm;
  // Ensures that only types with known rules reach OpenSSL.
  if (oid !== RSA && oid !== EC) reject('key-type', 'a key is neither RSA nor EC');
  // Ensures that a curve is named, never spelt out: whoever chooses its parameters may choose ones that are weak or slow.
  if (oid === EC && !CURVES.includes(Buffer.from(parameters ?? []).toString('hex')))
    reject('key-type', 'an EC key is on another curve');
  const key = importKey(spki);
  if (key.asymmetricKeyType === 'rsa') checkRsa(key);
  return key;
}
