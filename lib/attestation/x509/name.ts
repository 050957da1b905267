import { oidOf } from './der-values.js';
import { DerError, type DerReader, TAG } from './der.js';

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
const UTF8_STRING = 0x0c;
const BMP_STRING = 0x1e;
/** PrintableString, T61String (as Latin-1), IA5String. */
const SINGLE_OCTET_STRINGS: readonly number[] = [0x13, 0x14, 0x16];

function textOf(tag: number, content: Uint8Array): string {
  const octets = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  if (tag === UTF8_STRING) return octets.toString('utf8');
  if (SINGLE_OCTET_STRINGS.includes(tag)) return octets.toString('latin1');
  if (tag === BMP_STRING && octets.length % 2 === 0) return Buffer.from(octets).swap16().toString('utf16le');
  throw new DerError('a name has a value that is no text');
}

/** Reads a Name (RFC 5280 section 4.1.2.4). */
export function readName(reader: DerReader): DistinguishedName {
  const rdns = reader.into(TAG.sequence);
  const attributes: NameAttribute[] = [];
  while (!rdns.done) {
    const rdn = rdns.into(TAG.set);
    do {
      const attribute = rdn.into(TAG.sequence);
      const type = oidOf(attribute.read(TAG.oid));
      const { tag, content } = attribute.next();
      attribute.end();
      attributes.push({ type, value: textOf(tag, content) });
      if (attributes.length > ATTRIBUTES_MAX) throw new DerError('a name has too many attributes');
    } while (!rdn.done);
  }
  return attributes;
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
