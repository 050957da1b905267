import { LRUCache } from 'lru-cache';
import {
  parseChain,
  trustAnchor,
  verifyChain,
  type Certificate,
  type TrustAnchor,
  type VerifiedChain,
} from '../x509/index.js';
import { reject } from './apple-check.js';

/** What the certified leaf says. */
export interface AttestedCertificate {
  /** The attested key as a point: `04 ‖ x ‖ y`, 65 octets. */
  readonly publicPoint: Buffer;
  /** SHA-256 of authenticator data and client data hash, as Apple certified it. */
  readonly nonce: Buffer;
  /** What led there. */
  readonly chain: VerifiedChain;
}

/** The leaf and the CA that issued it; the root is never sent. */
const CHAIN_LENGTH = 2;
const NONCE = '1.2.840.113635.100.8.2';
/** SEQUENCE { [1] EXPLICIT OCTET STRING of 32 octets }: all of its one DER encoding but the octets. */
const NONCE_PREFIX = Buffer.from('3024a1220420', 'hex');
const NONCE_OCTETS = 32;
/** SubjectPublicKeyInfo of a key on P-256 up to its uncompressed point (RFC 5480 section 2). */
const P256_PREFIX = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex');
const POINT_OCTETS = 65;

/**
 * Verifies the certificates up to a trusted root, and reads what the leaf says. Apple's leaves live for days to months, and
 * evidence is made when it is sent, so their dates are enforced.
 *
 * @throws AttestationError
 */
export function verifyCertificates(
  x5c: readonly Uint8Array[],
  roots: readonly (string | Uint8Array)[],
  now: Date,
): AttestedCertificate {
  const chain = parseChain(x5c, { minLength: CHAIN_LENGTH, maxLength: CHAIN_LENGTH });
  const verified = verifyChain(chain, anchorsOf(roots), { now });
  const { path } = verified;
  // Ensures that a CA stands between leaf and root, so that no root or CA is itself taken for an attested key.
  if (path.length !== CHAIN_LENGTH) reject('certificate-chain', 'not a leaf and its CA');
  const [leaf] = path;
  if (leaf.basicConstraints?.ca === true) reject('certificate-chain', 'the leaf is a CA');
  return { publicPoint: readPoint(leaf), nonce: readNonce(leaf), chain: verified };
}

/** Ensures that the attested key is on P-256 and written as the uncompressed point that the key id is the hash of. */
function readPoint({ spki }: Certificate): Buffer {
  return readTail(spki, P256_PREFIX, POINT_OCTETS) ?? reject('certificate-key', 'not an uncompressed point on P-256');
}

/** Ensures that the nonce is there in its one encoding. That it is there once, the parser ensures for every extension. */
function readNonce({ extensions }: Certificate): Buffer {
  const extension = extensions.get(NONCE) ?? reject('nonce-extension', 'missing');
  return readTail(extension.value, NONCE_PREFIX, NONCE_OCTETS) ?? reject('nonce-extension', 'malformed');
}

/** Anchors read before, by the text that they are written in; of roots in DER, which are octets that may change, none. */
const anchors = new LRUCache<string, TrustAnchor>({ max: 16 });

/** The roots as they are now: one that was taken out of a list is trusted no longer. */
function anchorsOf(roots: readonly (string | Uint8Array)[]): readonly TrustAnchor[] {
  return roots.map(anchorOf);
}

function anchorOf(root: string | Uint8Array): TrustAnchor {
  if (typeof root !== 'string') return trustAnchor(root);
  const known = anchors.get(root) ?? trustAnchor(root);
  anchors.set(root, known);
  return known;
}

/** What follows a fixed beginning, where it is as long as it must be. */
function readTail(octets: Uint8Array, prefix: Buffer, length: number): Buffer | undefined {
  const all = Buffer.from(octets);
  const begins = all.length === prefix.length + length && all.subarray(0, prefix.length).equals(prefix);
  return begins ? all.subarray(prefix.length) : undefined;
}

/** Whether roots is one or more certificates in PEM or DER. */
export function checkRoots(roots: unknown): roots is readonly (string | Uint8Array)[] {
  if (!Array.isArray(roots) || roots.length === 0) return false;
  try {
    return roots.every(
      (root) => (typeof root === 'string' || root instanceof Uint8Array) && trustAnchor(root) !== undefined,
    );
  } catch {
    return false;
  }
}
