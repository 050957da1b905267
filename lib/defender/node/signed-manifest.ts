import {
  createPrivateKey,
  createPublicKey,
  type AsymmetricKeyDetails,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto';
import { CompactSign, compactVerify } from 'jose';
import { isManifest, type Manifest } from './manifest.js';

/** The `typ` of a signed manifest: no other signature of the same key can be taken for one. */
export const MANIFEST_TYPE = 'tab-manifest+jwt';

/** A public key: SPKI in PEM, a JWK, or a key object. */
export type ManifestKey = string | JsonWebKey | KeyObject;

/**
 * Why a manifest could not be signed or is not believed.
 * - `key_unusable`: not a key, an encrypted one, of a kind that is not supported, or private where a public one is asked for.
 * - `manifest_rejected`: not signed by the key, of another type, or no manifest.
 */
export type ManifestErrorCode = 'key_unusable' | 'manifest_rejected';

/** An error about signed manifests. Messages and causes hold nothing of a key. */
export class ManifestError extends Error {
  override readonly name = 'ManifestError';
  readonly code: ManifestErrorCode;

  constructor(code: ManifestErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

const MIN_RSA_BITS = 2048;
const CURVES: Readonly<Record<string, string>> = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' };
/** The algorithm by kind of key: a key has one, so that no header chooses it. */
const ALGORITHMS = new Map<string | undefined, (details: AsymmetricKeyDetails) => string | undefined>([
  ['ed25519', () => 'EdDSA'],
  ['ec', ({ namedCurve = '' }) => CURVES[namedCurve]],
  ['rsa', ({ modulusLength = 0 }) => (modulusLength >= MIN_RSA_BITS ? 'RS256' : undefined)],
]);

/**
 * A manifest that vouches for itself: a compact JWS, `typ` `tab-manifest+jwt`, whose payload is the manifest and `iat`.
 * @param privateKey PKCS#8, SEC 1 or PKCS#1 in PEM, not encrypted, or a key object: EC P-256, P-384, P-521, Ed25519 or RSA
 * @param now milliseconds since the epoch
 * @throws ManifestError `key_unusable`
 */
export async function signManifest(
  manifest: Manifest,
  privateKey: string | KeyObject,
  now: number = Date.now(),
): Promise<string> {
  const key = typeof privateKey === 'string' ? readPrivateKey(privateKey) : privateKey;
  if (key.type !== 'private') throw new ManifestError('key_unusable', 'A manifest is signed with a private key');
  const payload = JSON.stringify({ ...manifest, iat: Math.floor(now / 1000) });
  return new CompactSign(new TextEncoder().encode(payload))
    .setProtectedHeader({ alg: algorithmOf(key), typ: MANIFEST_TYPE })
    .sign(key);
}

/**
 * The manifest in `signed`, if `key` signed it.
 * @throws ManifestError `manifest_rejected`, and `key_unusable` when `key` is not a public key of a kind that signs
 */
export async function verifyManifest(signed: string, key: ManifestKey): Promise<Manifest> {
  const publicKey = readPublicKey(key);
  const algorithm = algorithmOf(publicKey);
  // Only the algorithm of this key: the header chooses nothing.
  const checked = await compactVerify(signed.trim(), publicKey, { algorithms: [algorithm] }).catch(() => undefined);
  if (!checked) throw new ManifestError('manifest_rejected', 'The manifest is not signed by this key');
  if (checked.protectedHeader.typ !== MANIFEST_TYPE) {
    throw new ManifestError('manifest_rejected', `What is signed is not of type ${MANIFEST_TYPE}`);
  }
  const value = parse(new TextDecoder().decode(checked.payload));
  if (!isManifest(value)) throw new ManifestError('manifest_rejected', 'What is signed is not a manifest of version 1');
  return value;
}

/** A public key that can check manifests. @throws ManifestError `key_unusable` */
export function readPublicKey(key: ManifestKey): KeyObject {
  const hasPrivate = typeof key === 'string' ? key.includes('PRIVATE KEY') : 'd' in key || 'k' in key;
  // A private key in the app would let anybody sign who has the app.
  if (hasPrivate || (isKeyObject(key) && key.type !== 'public')) {
    throw new ManifestError(
      'key_unusable',
      'A manifest is checked with the public key; keep the private one off the app',
    );
  }
  const publicKey = isKeyObject(key) ? key : usable(() => parseKey(key), 'The key is not a public key in PEM or JWK');
  algorithmOf(publicKey);
  return publicKey;
}

function parseKey(key: string | JsonWebKey): KeyObject {
  return typeof key === 'string' ? createPublicKey(key) : createPublicKey({ key, format: 'jwk' });
}

function readPrivateKey(pem: string): KeyObject {
  if (/BEGIN ENCRYPTED|,ENCRYPTED/.test(pem))
    throw new ManifestError('key_unusable', 'The private key is encrypted; decrypt it first');
  return usable(() => createPrivateKey(pem), 'The key is not a private key in PEM');
}

/** Without the cause: what a parser complains about is the key. */
function usable(read: () => KeyObject, message: string): KeyObject {
  try {
    return read();
  } catch {
    throw new ManifestError('key_unusable', message);
  }
}

function algorithmOf(key: KeyObject): string {
  const algorithm = ALGORITHMS.get(key.asymmetricKeyType)?.(key.asymmetricKeyDetails ?? {});
  if (algorithm !== undefined) return algorithm;
  throw new ManifestError('key_unusable', 'Use a key of EC P-256, P-384 or P-521, Ed25519, or RSA from 2,048 bits');
}

function isKeyObject(key: ManifestKey): key is KeyObject {
  return typeof key === 'object' && 'asymmetricKeyType' in key;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
