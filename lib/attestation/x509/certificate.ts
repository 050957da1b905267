import { AttestationError } from '../attestation-error.js';
import { bitStringOctets, booleanOf, integerOctets, oidOf, readTime, smallUnsignedOf } from './der-values.js';
import { contextTag, DerError, DerReader, readSequence, TAG } from './der.js';
import { readName, type DistinguishedName } from './name.js';

/**
 * Checks that every certificate of a chain goes through, as `AttestationError.check`:
 * - `chain-length`: fewer or more certificates than the format takes
 * - `certificate-size`: a certificate is longer than the limit
 * - `certificate`: not a version 3 certificate in strict DER; an extension occurs twice
 */
export type CertificateCheck = 'chain-length' | 'certificate-size' | 'certificate';

/** An extension, its value not yet read. */
export interface CertificateExtension {
  readonly critical: boolean;
  readonly value: Uint8Array;
}

/** An X.509 certificate taken apart, not yet trusted in any way (RFC 5280 section 4.1). */
export interface Certificate {
  readonly der: Uint8Array;
  /** What is signed. */
  readonly tbs: Uint8Array;
  readonly signatureAlgorithm: AlgorithmIdentifier;
  readonly signature: Uint8Array;
  /** Lower-case hex without leading zeros; of the octets as they are, should it be negative. */
  readonly serialHex: string;
  readonly issuer: DistinguishedName;
  readonly subject: DistinguishedName;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** SubjectPublicKeyInfo in DER, and the OID of its algorithm. */
  readonly spki: Uint8Array;
  readonly keyAlgorithm: string;
  /** By dotted OID. */
  readonly extensions: ReadonlyMap<string, CertificateExtension>;
  /** Undefined when the extension is absent. */
  readonly basicConstraints?: { readonly ca: boolean; readonly pathLength?: number };
  /** Whether the key may sign certificates; undefined when there is no keyUsage. */
  readonly certSign?: boolean;
}

/** An AlgorithmIdentifier; `parameters` is the encoded element, undefined when absent. */
export interface AlgorithmIdentifier {
  readonly oid: string;
  readonly parameters?: Uint8Array;
  readonly encoded: Uint8Array;
}

/** What a chain may have. */
export interface ChainLimits {
  /** Fewest certificates; default 1. */
  readonly minLength?: number;
  /** Most certificates; default 10. */
  readonly maxLength?: number;
  /** Octets of one certificate; default 4,096. Genuine ones have up to about 1,500. */
  readonly maxBytes?: number;
}

/** OID of the extension that says whether the subject is a CA. */
export const BASIC_CONSTRAINTS = '2.5.29.19';
/** OID of the extension that says what the key is for. */
export const KEY_USAGE = '2.5.29.15';

const VERSION_3 = 2;
/** 20 octets (RFC 5280 section 4.1.2.2) and a sign. */
const SERIAL_MAX_OCTETS = 21;
const EXTENSIONS_MAX = 32;
const KEY_CERT_SIGN = 0x04;

function reject(check: CertificateCheck, detail: string, cause?: unknown): never {
  throw new AttestationError(check, detail, { cause });
}

function readAlgorithm(reader: DerReader): AlgorithmIdentifier {
  const { content, encoded } = reader.element(TAG.sequence);
  const inner = new DerReader(content);
  const oid = oidOf(inner.read(TAG.oid));
  const parameters = inner.done ? undefined : inner.next().encoded;
  inner.end();
  return { oid, parameters, encoded };
}

function readSerial(reader: DerReader): string {
  const octets = integerOctets(reader.read(TAG.integer), SERIAL_MAX_OCTETS);
  return Buffer.from(octets)
    .toString('hex')
    .replace(/^0+(?=.)/, '');
}

function readExtension(reader: DerReader): [string, CertificateExtension] {
  const inner = reader.into(TAG.sequence);
  const oid = oidOf(inner.read(TAG.oid));
  // An explicit FALSE is not DER, but has one meaning only.
  const critical = inner.at(TAG.boolean) && booleanOf(inner.read(TAG.boolean));
  const value = inner.read(TAG.octetString);
  inner.end();
  return [oid, { critical, value }];
}

function readExtensions(tbs: DerReader): ReadonlyMap<string, CertificateExtension> {
  const extensions = new Map<string, CertificateExtension>();
  if (tbs.done) return extensions;
  const wrapper = tbs.into(contextTag(3));
  const list = wrapper.into(TAG.sequence);
  wrapper.end();
  while (!list.done) {
    const [oid, extension] = readExtension(list);
    // Ensures that there are not two to choose from (RFC 5280 section 4.2).
    if (extensions.has(oid)) throw new DerError('an extension occurs twice');
    extensions.set(oid, extension);
    if (extensions.size > EXTENSIONS_MAX) throw new DerError('there are too many extensions');
  }
  return extensions;
}

function readBasicConstraints(extension: CertificateExtension | undefined): Certificate['basicConstraints'] {
  if (extension === undefined) return undefined;
  const reader = readSequence(extension.value);
  const ca = reader.at(TAG.boolean) && booleanOf(reader.read(TAG.boolean));
  const pathLength = reader.done ? undefined : smallUnsignedOf(reader.read(TAG.integer));
  reader.end();
  return { ca, pathLength };
}

/** Reads the bit for signing certificates. Genuine device certificates have trailing zero bits, so those are let be. */
function readCertSign(extension: CertificateExtension | undefined): boolean | undefined {
  if (extension === undefined) return undefined;
  const reader = new DerReader(extension.value);
  const [unused = 8, first = 0] = reader.read(TAG.bitString);
  reader.end();
  if (unused > 7) throw new DerError('a BIT STRING has no octet for its unused bits');
  return (first & KEY_CERT_SIGN) !== 0;
}

function readVersion(tbs: DerReader): void {
  const wrapper = tbs.into(contextTag(0));
  const version = smallUnsignedOf(wrapper.read(TAG.integer));
  wrapper.end();
  if (version !== VERSION_3) throw new DerError('the version is not 3');
}

function readKeyInfo(tbs: DerReader): { spki: Uint8Array; keyAlgorithm: string } {
  const { content, encoded } = tbs.element(TAG.sequence);
  const inner = new DerReader(content);
  const { oid } = readAlgorithm(inner);
  bitStringOctets(inner.read(TAG.bitString));
  inner.end();
  return { spki: encoded, keyAlgorithm: oid };
}

function readCertificate(der: Uint8Array): Certificate {
  const outer = readSequence(der);
  const { content, encoded } = outer.element(TAG.sequence);
  const signatureAlgorithm = readAlgorithm(outer);
  const signature = bitStringOctets(outer.read(TAG.bitString));
  outer.end();
  const tbs = new DerReader(content);
  readVersion(tbs);
  const serialHex = readSerial(tbs);
  // Ensures that the algorithm which is used is one that was signed (RFC 5280 section 4.1.1.2).
  if (!Buffer.from(readAlgorithm(tbs).encoded).equals(signatureAlgorithm.encoded))
    throw new DerError('the two signature algorithms differ');
  const issuer = readName(tbs);
  const validity = tbs.into(TAG.sequence);
  const notBefore = readTime(validity);
  const notAfter = readTime(validity);
  validity.end();
  const subject = readName(tbs);
  const key = readKeyInfo(tbs);
  const extensions = readExtensions(tbs);
  tbs.end();
  const basicConstraints = readBasicConstraints(extensions.get(BASIC_CONSTRAINTS));
  const certSign = readCertSign(extensions.get(KEY_USAGE));
  const signed = { tbs: encoded, signatureAlgorithm, signature };
  return {
    der,
    ...signed,
    serialHex,
    issuer,
    subject,
    notBefore,
    notAfter,
    ...key,
    extensions,
    basicConstraints,
    certSign,
  };
}

/**
 * Takes one certificate apart without trusting it.
 *
 * @throws AttestationError `certificate-size` or `certificate`
 */
export function parseCertificate(der: Uint8Array, maxBytes = 4096): Certificate {
  if (der.length > maxBytes) reject('certificate-size', `a certificate is longer than ${maxBytes} octets`);
  try {
    return readCertificate(der);
  } catch (error) {
    if (error instanceof DerError) reject('certificate', error.message, error);
    throw error;
  }
}

/**
 * Takes a chain apart without trusting it, in the order given: leaf first.
 *
 * @throws AttestationError a `CertificateCheck`
 */
export function parseChain(ders: readonly Uint8Array[], limits: ChainLimits = {}): Certificate[] {
  const { minLength = 1, maxLength = 10, maxBytes = 4096 } = limits;
  if (ders.length < minLength || ders.length > maxLength)
    reject('chain-length', `the chain does not have ${minLength} to ${maxLength} certificates`);
  return ders.map((der) => parseCertificate(der, maxBytes));
}
