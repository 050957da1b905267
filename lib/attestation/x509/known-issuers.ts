import { createHash, type KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Certificate } from './certificate.js';
import type { VerifiedChain } from './chain.js';

/** An issuer that once led to a trusted key. */
interface KnownIssuer {
  readonly certificate: Certificate;
  readonly key: KeyObject;
  /** The key whose signature on it verified. */
  readonly signer: KeyObject;
}

/** Issuers kept: every device of a make shares a few, and remotely provisioned ones change them every few weeks. */
const MAX_ISSUERS = 500;

/**
 * The certificates of issuers, by their octets. Reading the same few and checking the same signatures on them anew for every
 * device would be most of the work. Only issuers of evidence that passed are kept, so nobody else can fill it; dates and
 * places in a chain are judged every time.
 */
const issuers = new LRUCache<string, KnownIssuer>({ max: MAX_ISSUERS });
const byCertificate = new WeakMap<Certificate, KnownIssuer>();

function digestOf(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('base64');
}

/** The certificate of exactly these octets, if it is a known issuer's. */
export function knownIssuer(der: Uint8Array): Certificate | undefined {
  return issuers.get(digestOf(der))?.certificate;
}

/** Its key, already imported. */
export function knownKey(certificate: Certificate): KeyObject | undefined {
  return byCertificate.get(certificate)?.key;
}

/** Whether the signature on it has verified with this very key before. */
export function isKnownSignature(certificate: Certificate, signer: KeyObject): boolean {
  return byCertificate.get(certificate)?.signer.equals(signer) === true;
}

/**
 * Keeps the issuers of a chain, for evidence that passed every check: that they lead to a trusted key is not enough, as a
 * device's own keys do that too, and it has any number of them.
 */
export function rememberIssuers({ path, keys, anchor }: VerifiedChain): void {
  path.forEach((certificate, index) => {
    const key = keys[index];
    if (index > 0 && key !== undefined) rememberIssuer(certificate, key, keys[index + 1] ?? anchor.key);
  });
}

/** Keeps one, with its key and the one whose signature on it verified. */
export function rememberIssuer(certificate: Certificate, key: KeyObject, signer: KeyObject): void {
  if (byCertificate.has(certificate)) return;
  const known = { certificate, key, signer };
  issuers.set(digestOf(certificate.der), known);
  byCertificate.set(certificate, known);
}
