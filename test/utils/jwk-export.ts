import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { p256Jwk } from '../../lib/testing/ec-jwk.js';

/*
 * Exporting many new EC keys as JWK can hang Node 20 for good: it allocates while it holds the lock of the key, and the
 * garbage collector wants that lock. Tests make thousands of keys, so P-256 public keys are read from DER here.
 */
const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const prototype = Object.getPrototypeOf(publicKey) as KeyObject;
const original = prototype.export as (this: KeyObject, options?: unknown) => unknown;

function exportKey(this: KeyObject, options?: { readonly format?: string }): unknown {
  const isP256 = this.asymmetricKeyType === 'ec' && this.asymmetricKeyDetails?.namedCurve === 'prime256v1';
  return options?.format === 'jwk' && isP256 ? p256Jwk(this) : original.call(this, options);
}

Object.defineProperty(prototype, 'export', { value: exportKey, writable: true, configurable: true });
