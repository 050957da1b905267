import type { AttributeValue, Name } from '@peculiar/asn1-x509';
import { sequenceOf, setOf } from './der-values.js';
import { fail, type DerNode } from './der.js';

/** One attribute of a name. */
export interface NameAttribute {
  /** Dotted OID, such as 2.5.4.3 for CN. */
  readonly type: string;
  readonly value: string;
}

/** A distinguished name, flat: the parts of multi-valued RDNs follow each other. */
export type DistinguishedName = readonly NameAttribute[];

/** `serialNumber` of a subject. */
export const NAME_SERIAL_NUMBER = '2.5.4.5';

const ATTRIBUTES_MAX = 32;

/** UTF8String, PrintableString, T61String (as Latin-1), IA5String or BMPString. */
function textOf({ utf8String, printableString, teletexString, ia5String, bmpString }: AttributeValue): string {
  const text = utf8String ?? printableString ?? teletexString ?? ia5String ?? bmpString;
  return text ?? fail('a name has a value that is no text');
}

/** Ensures that a Name has no empty part, and nothing behind a value. @throws DerError */
export function checkName(name: DerNode | undefined): void {
  for (const rdn of sequenceOf(name, 0, ATTRIBUTES_MAX))
    for (const attribute of setOf(rdn, 1, ATTRIBUTES_MAX)) sequenceOf(attribute, 2);
}

/** Flattens a Name (RFC 5280 section 4.1.2.4). @throws DerError */
export function readName(name: Name): DistinguishedName {
  const attributes = [...name].flatMap((rdn) => [...rdn]);
  if (attributes.length > ATTRIBUTES_MAX) fail('a name has too many attributes');
  return attributes.map(({ type, value }) => ({ type, value: textOf(value) }));
}

function folded(value: string): string {
  return value.trim().replaceAll(/\s+/g, ' ').toLowerCase();
}

/** Whether two names are the same, whatever string types and letter case they are written in (RFC 5280 section 7.1). */
export function sameName(left: DistinguishedName, right: DistinguishedName): boolean {
  return (
    left.length === right.length &&
    left.every(({ type, value }, index) => {
      const other = right[index];
      return other !== undefined && other.type === type && folded(other.value) === folded(value);
    })
  );
}
