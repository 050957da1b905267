import { createHash, hkdfSync } from 'node:crypto';
import { TabConfigError } from '../errors/tab-error.js';

/** Fewest octets of a secret. */
export const SECRET_MIN_OCTETS = 32;

/** A secret that all nodes share, with the id by which things made from it name it. */
export interface Secret {
  /** First 4 octets of SHA-256("tab-secret-id" ‖ secret) (PROTOCOL section 10). */
  readonly id: Buffer;
  readonly octets: Buffer;
}

/** @param secret at least 32 octets; a string counts as its UTF-8 octets */
export function readSecret(secret: string | Uint8Array): Secret {
  const octets = typeof secret === 'string' ? Buffer.from(secret, 'utf8') : Buffer.from(secret);
  if (octets.length < SECRET_MIN_OCTETS) {
    throw new TabConfigError(
      `secrets: each needs at least ${SECRET_MIN_OCTETS} octets; make one with: openssl rand -base64 48`,
    );
  }
  return { id: createHash('sha256').update('tab-secret-id').update(octets).digest().subarray(0, 4), octets };
}

/** A 32-octet key for one purpose (HKDF-SHA-256, RFC 5869, no salt). */
export function deriveKey(secret: Secret, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret.octets, Buffer.alloc(0), info, 32));
}
