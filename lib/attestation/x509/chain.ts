import { verify, type KeyObject } from 'node:crypto';
import { AttestationError } from '../attestation-error.js';
import { parseCertificate, type Certificate } from './certificate.js';
import { BASIC_CONSTRAINTS, KEY_USAGE } from './extensions.js';
import { isKnownSignature, knownKey } from './known-issuers.js';
import { sameName, type DistinguishedName } from './name.js';
import { publicKeyOf } from './public-key.js';

/**
 * Checks of a chain, as `AttestationError.check`, besides those of its certificates and keys:
 * - `critical-extension`: a certificate has a critical extension that is not understood here
 * - `chain-ca`: an issuer may not issue: not a CA, not for signing certificates, or its path length is exceeded
 * - `chain-name`: an issuer's name is not the subject of the certificate above
 * - `signature-algorithm`: not ECDSA or RSA PKCS #1 with SHA-256, -384 or -512, or not that of the key above
 * - `chain-signature`: a signature does not verify with the key above
 * - `trust-anchor`: the last certificate is neither a trusted key's own nor signed by one; or one lies further down
 * - `validity`: a certificate is not valid at that time
 */
export type ChainCheck =
  | 'critical-extension'
  | 'chain-ca'
  | 'chain-name'
  | 'signature-algorithm'
  | 'chain-signature'
  | 'trust-anchor'
  | 'validity';

/** A key that is trusted to begin chains, whatever certificate it comes in. */
export interface TrustAnchor {
  readonly subject: DistinguishedName;
  readonly key: KeyObject;
  readonly spki: Uint8Array;
}

/** How a chain is judged. */
export interface ChainOptions {
  /** When it must be valid; default the system clock. */
  readonly now?: Date;
  /** Whether the dates of its certificates are judged; never those of a root, which is trusted by its key. Default true. */
  readonly checkValidity?: boolean;
  /** For platforms with leaves that name themselves as their issuer: whether that is let be. Default false. */
  readonly selfNamedLeaf?: boolean;
}

/** A chain that leads to a trusted key. */
export interface VerifiedChain {
  readonly anchor: TrustAnchor;
  /** Leaf first, without the root's own certificate. */
  readonly path: readonly [Certificate, ...Certificate[]];
  /** The keys of the path, that of the leaf first. */
  readonly keys: readonly [KeyObject, ...KeyObject[]];
}

const ALGORITHMS: ReadonlyMap<string, { readonly type: 'ec' | 'rsa'; readonly hash: string }> = new Map([
  ['1.2.840.10045.4.3.2', { type: 'ec', hash: 'sha256' }],
  ['1.2.840.10045.4.3.3', { type: 'ec', hash: 'sha384' }],
  ['1.2.840.10045.4.3.4', { type: 'ec', hash: 'sha512' }],
  ['1.2.840.113549.1.1.11', { type: 'rsa', hash: 'sha256' }],
  ['1.2.840.113549.1.1.12', { type: 'rsa', hash: 'sha384' }],
  ['1.2.840.113549.1.1.13', { type: 'rsa', hash: 'sha512' }],
]);
/** The encoded parameters: NULL for RSA (RFC 4055 section 5), none for ECDSA (RFC 5758 section 3.2). */
const PARAMETERS = { ec: undefined, rsa: '0500' } as const;
const UNDERSTOOD: readonly string[] = [BASIC_CONSTRAINTS, KEY_USAGE];

function reject(check: ChainCheck, detail: string, cause?: unknown): never {
  throw new AttestationError(check, detail, { cause });
}

/** The algorithm that a certificate is signed with, from the list. */
function algorithmOf({ signatureAlgorithm: { oid, parameters } }: Certificate): { type: 'ec' | 'rsa'; hash: string } {
  const algorithm = ALGORITHMS.get(oid);
  if (algorithm === undefined) return reject('signature-algorithm', 'a signature algorithm is not on the list');
  const written = parameters === undefined ? undefined : Buffer.from(parameters).toString('hex');
  if (written !== PARAMETERS[algorithm.type]) reject('signature-algorithm', 'an algorithm has other parameters');
  return algorithm;
}

function isSignedBy(certificate: Certificate, key: KeyObject): boolean {
  const { type, hash } = algorithmOf(certificate);
  // Ensures that the type of the key decides, not what the certificate claims.
  if (key.asymmetricKeyType !== type) return false;
  if (isKnownSignature(certificate, key)) return true;
  try {
    return verify(hash, certificate.tbs, key, certificate.signature);
  } catch {
    return false;
  }
}

function checkCritical({ extensions }: Certificate): void {
  for (const [oid, { critical }] of extensions) {
    // RFC 5280 section 4.2: what is critical and not understood must not be ignored.
    if (critical && !UNDERSTOOD.includes(oid)) reject('critical-extension', 'an extension is critical and not known');
  }
}

/** Ensures that an issuer may issue. `below` counts the CA certificates between it and the leaf. */
function checkIssuer({ basicConstraints, certSign }: Certificate, below: number): void {
  if (basicConstraints?.ca !== true) reject('chain-ca', 'an issuer is not a CA');
  // A CA without keyUsage may do everything (RFC 5280 section 4.2.1.3).
  if (certSign === false) reject('chain-ca', 'the key of an issuer is not for certificates');
  if (below > (basicConstraints.pathLength ?? Infinity)) reject('chain-ca', 'the path below an issuer is too long');
}

function checkLink(child: Certificate, issuer: Certificate, key: KeyObject, selfNamed: boolean): void {
  const named = sameName(child.issuer, issuer.subject) || (selfNamed && sameName(child.issuer, child.subject));
  if (!named) reject('chain-name', 'an issuer is not the subject of the certificate above');
  if (!isSignedBy(child, key)) reject('chain-signature', 'a signature does not verify with the key above');
}

function sameKey({ spki }: { readonly spki: Uint8Array }, anchor: TrustAnchor): boolean {
  return Buffer.from(spki).equals(anchor.spki);
}

/** The anchor whose key signed the last certificate; for a root's own that is itself. */
function findAnchor(last: Certificate, anchors: readonly TrustAnchor[]): TrustAnchor {
  const anchor = anchors.find(({ subject, key }) => sameName(last.issuer, subject) && isSignedBy(last, key));
  return anchor ?? reject('trust-anchor', 'the chain does not lead to a trusted key');
}

/**
 * Ensures that certificates are valid at a time.
 *
 * @throws AttestationError `validity`
 */
export function checkValidity(certificates: readonly Certificate[], now: Date): void {
  for (const { notBefore, notAfter } of certificates) {
    // Written so that a time that is no number is refused.
    if (!(notBefore.getTime() <= now.getTime() && now.getTime() <= notAfter.getTime()))
      reject('validity', 'a certificate is not valid at this time');
  }
}

/**
 * Verifies a chain in the order given, up to one of the anchors: no other path is looked for. The last certificate is the
 * anchor's own (any that holds its key and is signed with it) or one that the anchor issued.
 *
 * @param chain leaf first, as `parseChain` gives it
 * @throws AttestationError a `ChainCheck` or `PublicKeyCheck`
 */
export function verifyChain(
  chain: readonly Certificate[],
  anchors: readonly TrustAnchor[],
  options: ChainOptions = {},
): VerifiedChain {
  const [leaf] = chain;
  const last = chain.at(-1);
  if (leaf === undefined || last === undefined) return reject('trust-anchor', 'the chain is empty');
  chain.forEach(checkCritical);
  const anchor = findAnchor(last, anchors);
  const keys = keysOf(chain, options.selfNamedLeaf === true);
  const path = chain.filter((certificate) => certificate !== last || !sameKey(last, anchor));
  // Ensures that what lies between leaf and root was issued, and is judged as such.
  if (path.length === 0 || path.some((certificate) => anchors.some((each) => sameKey(certificate, each))))
    reject('trust-anchor', 'a trusted key is not at the end of the chain');
  if (options.checkValidity ?? true) checkValidity(path, options.now ?? new Date());
  return { anchor, path: [leaf, ...path.slice(1)], keys: [keys[0] as KeyObject, ...keys.slice(1, path.length)] };
}

/**
 * Verifies every link and imports every key, from the top: whoever makes up certificates must not have this server compute
 * with keys that nobody vouches for.
 */
function keysOf(chain: readonly Certificate[], selfNamedLeaf: boolean): KeyObject[] {
  const keys: KeyObject[] = [];
  for (let index = chain.length - 1; index >= 0; index -= 1) {
    const [certificate, issuer, key] = [chain[index] as Certificate, chain[index + 1], keys[0]];
    if (issuer !== undefined && key !== undefined) {
      checkIssuer(issuer, index);
      checkLink(certificate, issuer, key, index === 0 && selfNamedLeaf);
    }
    keys.unshift(knownKey(certificate) ?? publicKeyOf(certificate));
  }
  return keys;
}

/**
 * Makes an anchor of a certificate whose key is trusted. Its dates and signature do not count.
 *
 * @param certificate PEM text of one certificate, or DER
 * @throws AttestationError when it is not a certificate with a usable key
 */
export function trustAnchor(certificate: string | Uint8Array): TrustAnchor {
  const parsed = parseCertificate(typeof certificate === 'string' ? derOfPem(certificate) : certificate);
  return { subject: parsed.subject, spki: parsed.spki, key: publicKeyOf(parsed) };
}

const PEM = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/;

function derOfPem(pem: string): Uint8Array {
  const [, text = ''] = PEM.exec(pem) ?? [];
  return Buffer.from(text.replaceAll(/\s/g, ''), 'base64');
}
