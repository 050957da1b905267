import { AsnParser } from '@peculiar/asn1-schema';
import { Certificate as AsnCertificate, Version } from '@peculiar/asn1-x509';
import { ObjectIdentifier } from 'asn1js';
import { AttestationError } from '../attestation-error.js';
import { bitsOf, encodedOf, explicitOf, sequenceOf, typed } from './der-values.js';
import { DerError, fail, parseDer, type DerNode } from './der.js';
import {
  BASIC_CONSTRAINTS,
  checkExtension,
  KEY_USAGE,
  readBasicConstraints,
  readCertSign,
  readExtensions,
  type BasicConstraints,
  type CertificateExtension,
} from './extensions.js';
import { knownIssuer } from './known-issuers.js';
import { checkName, readName, type DistinguishedName } from './name.js';

/**
 * Checks that every certificate of a chain goes through, as `AttestationError.check`:
 * - `chain-length`: fewer or more certificates than the format takes
 * - `certificate-size`: a certificate is longer than the limit
 * - `certificate`: not a version 3 certificate in strict DER; an extension occurs twice
 */
export type CertificateCheck = 'chain-length' | 'certificate-size' | 'certificate';

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
  /** SubjectPublicKeyInfo in DER, and its algorithm. */
  readonly spki: Uint8Array;
  readonly keyAlgorithm: AlgorithmIdentifier;
  /** By dotted OID. */
  readonly extensions: ReadonlyMap<string, CertificateExtension>;
  /** Undefined when the extension is absent. */
  readonly basicConstraints?: BasicConstraints;
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
  /** Octets of one certificate; default 4,096, at most 8,192. Genuine ones have up to about 1,500. */
  readonly maxBytes?: number;
}

/** 20 octets (RFC 5280 section 4.1.2.2) and a sign. */
const SERIAL_MAX_OCTETS = 21;
const EXTENSIONS_MAX = 32;

function reject(check: CertificateCheck, detail: string, cause?: unknown): never {
  throw new AttestationError(check, detail, { cause });
}

function readAlgorithm(node: DerNode | undefined): AlgorithmIdentifier {
  const [oid, parameters] = sequenceOf(node, 1, 2);
  return {
    oid: typed(oid, ObjectIdentifier).getValue(),
    parameters: parameters && encodedOf(parameters),
    encoded: encodedOf(node),
  };
}

function readSerial(serial: ArrayBuffer): string {
  if (serial.byteLength > SERIAL_MAX_OCTETS) fail('the serial is too long');
  return Buffer.from(serial)
    .toString('hex')
    .replace(/^0+(?=.)/, '');
}

/**
 * The parts that count as octets, because they are signed or compared. Ensures as well that there is nothing but what the
 * library's schema knows, since the library passes over what lies behind that.
 */
function partsOf(root: DerNode) {
  const [tbs, algorithm, signature] = sequenceOf(root, 3);
  const [version, , signed, issuer, validity, subject, key, extensions] = sequenceOf(tbs, 7, 8);
  explicitOf(version, 0);
  for (const name of [issuer, subject]) checkName(name);
  sequenceOf(validity, 2);
  const [keyAlgorithm, bits] = sequenceOf(key, 2);
  bitsOf(bits);
  if (extensions !== undefined) sequenceOf(explicitOf(extensions, 3), 0, EXTENSIONS_MAX).forEach(checkExtension);
  const signatureAlgorithm = readAlgorithm(algorithm);
  // Ensures that the algorithm which is used is one that was signed (RFC 5280 section 4.1.1.2).
  if (!encodedOf(signed).equals(signatureAlgorithm.encoded)) fail('the two signature algorithms differ');
  return {
    tbs: encodedOf(tbs),
    signatureAlgorithm,
    signature: bitsOf(signature),
    spki: encodedOf(key),
    keyAlgorithm: readAlgorithm(keyAlgorithm),
  };
}

function readCertificate(der: Uint8Array): Certificate {
  const root = parseDer(der);
  const parts = partsOf(root);
  const { tbsCertificate } = AsnParser.fromASN(root, AsnCertificate);
  const { version, serialNumber, issuer, subject, validity, extensions: list } = tbsCertificate;
  if (version !== Version.v3) fail('the version is not 3');
  const extensions = readExtensions(list ?? []);
  return {
    der,
    ...parts,
    serialHex: readSerial(serialNumber),
    issuer: readName(issuer),
    subject: readName(subject),
    notBefore: validity.notBefore.getTime(),
    notAfter: validity.notAfter.getTime(),
    extensions,
    basicConstraints: readBasicConstraints(extensions.get(BASIC_CONSTRAINTS)),
    certSign: readCertSign(extensions.get(KEY_USAGE)),
  };
}

/**
 * Takes one certificate apart without trusting it.
 *
 * @throws AttestationError `certificate-size` or `certificate`
 */
export function parseCertificate(der: Uint8Array, maxBytes = 4096): Certificate {
  if (der.length > maxBytes) reject('certificate-size', `a certificate is longer than ${maxBytes} octets`);
  const known = knownIssuer(der);
  if (known !== undefined) return known;
  try {
    // A copy: what is kept of it must neither change with the caller's octets nor hold on to all that they came in.
    return readCertificate(Uint8Array.from(der));
  } catch (error) {
    // The library has errors of its own for what is no certificate.
    return reject('certificate', error instanceof DerError ? error.message : 'not a certificate', error);
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
