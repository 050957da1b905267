import { AsnParser } from '@peculiar/asn1-schema';
import { id_ce_basicConstraints, id_ce_keyUsage, KeyUsage, KeyUsageFlags, type Extension } from '@peculiar/asn1-x509';
import { Boolean as AsnBoolean } from 'asn1js';
import { sequenceOf, smallUnsignedOf, typed } from './der-values.js';
import { fail, parseDer, type DerNode } from './der.js';

/** An extension, its value not yet read. */
export interface CertificateExtension {
  readonly critical: boolean;
  readonly value: Uint8Array;
}

/** OID of the extension that says whether the subject is a CA. */
export const BASIC_CONSTRAINTS = id_ce_basicConstraints;
/** OID of the extension that says what the key is for. */
export const KEY_USAGE = id_ce_keyUsage;

/** Ensures that an extension has nothing behind its value. @throws DerError */
export function checkExtension(node: DerNode): void {
  const [, critical, value] = sequenceOf(node, 2, 3);
  // Ensures that three fields are the three that there are.
  if (value !== undefined) typed(critical, AsnBoolean);
}

/** By dotted OID. @throws DerError */
export function readExtensions(list: readonly Extension[]): ReadonlyMap<string, CertificateExtension> {
  const extensions = new Map(
    list.map(({ extnID, critical, extnValue }) => [extnID, { critical, value: Buffer.from(extnValue.buffer) }]),
  );
  // Ensures that there are not two to choose from (RFC 5280 section 4.2).
  return extensions.size === list.length ? extensions : fail('an extension occurs twice');
}

/** Undefined when the extension is absent. */
export interface BasicConstraints {
  readonly ca: boolean;
  readonly pathLength?: number;
}

/** @throws DerError */
export function readBasicConstraints(extension: CertificateExtension | undefined): BasicConstraints | undefined {
  if (extension === undefined) return undefined;
  const fields = sequenceOf(parseDer(extension.value), 0, 2);
  // An explicit FALSE is not DER, but has one meaning only.
  const [ca, length, ...rest] = fields[0] instanceof AsnBoolean ? fields : [undefined, ...fields];
  if (rest.length > 0) fail('basic constraints have more than two fields');
  return {
    ca: ca !== undefined && typed(ca, AsnBoolean).getValue(),
    pathLength: length === undefined ? undefined : smallUnsignedOf(length),
  };
}

/** Reads the bit for signing certificates. Genuine device certificates have trailing zero bits, so those are let be. */
export function readCertSign(extension: CertificateExtension | undefined): boolean | undefined {
  if (extension === undefined) return undefined;
  const usage = AsnParser.fromASN(parseDer(extension.value), KeyUsage);
  return (usage.toNumber() & KeyUsageFlags.keyCertSign) !== 0;
}
