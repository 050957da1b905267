import {
  BitString,
  Boolean as AsnBoolean,
  Constructed,
  fromBER,
  Integer,
  Null,
  OctetString,
  Set as AsnSet,
} from 'asn1js';
import { describe, expect, it } from 'vitest';
import { AttestationError } from '../../../../lib/attestation/attestation-error.js';
import { parseCertificate } from '../../../../lib/attestation/x509/index.js';
import { aChain, checkOf } from '../android/android.fixture.js';
import { derOf, elementOf } from './der.fixture.js';

/** An issuer's certificate, which has basic constraints and key usage. */
const DER = Buffer.from(aChain()[2] as string, 'base64');
const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

type Elements = Constructed['valueBlock']['value'];
type Change = (holder: Elements) => void;

/** What the element at these places holds. */
function holderAt(root: Constructed, path: readonly number[]): Elements {
  return path.reduce<Elements>((held, at) => (held[at] as Constructed).valueBlock.value, root.valueBlock.value);
}

/** The certificate with a change in what the element at these places holds. Lengths are right again afterwards. */
function changed(path: readonly number[], change: Change): Buffer {
  const root = elementOf(DER);
  change(holderAt(root, path));
  return derOf(root);
}

const verdict = (path: readonly number[], change: Change) => checkOf(() => parseCertificate(changed(path, change)));
const appended: Change = (holder) => void holder.push(new Null());
const tag = (tagNumber: number, value: Elements) => new Constructed({ idBlock: { tagClass: 3, tagNumber }, value });

/** Places in a Certificate (RFC 5280 section 4.1). */
const TBS = [0];
const VERSION = [0, 0];
const SIGNED_ALGORITHM = [0, 2];
const ISSUER = [0, 3];
const VALIDITY = [0, 4];
const SUBJECT = [0, 5];
const KEY = [0, 6];
const TAGGED_EXTENSIONS = [0, 7];
const EXTENSIONS = [0, 7, 0];

/** The place of an extension, by the end of its OID, and of its value. */
function extensionAt(arc: number): number {
  return holderAt(elementOf(DER), EXTENSIONS).findIndex(
    (extension) => (extension as Constructed).valueBlock.value[0]?.valueBeforeDecodeView.at(-1) === arc,
  );
}

/** The certificate with another value in an extension. */
const withValue = (arc: number, value: Buffer) =>
  changed(
    [...EXTENSIONS, extensionAt(arc)],
    (holder) => void (holder[holder.length - 1] = new OctetString({ valueHex: value })),
  );

describe('a certificate', () => {
  it('is read the same after it was written again', () => {
    expect(changed([], () => undefined)).toEqual(DER);
    expect(verdict([], () => undefined)).toBe('passes');
  });

  it.each<[string, readonly number[]]>([
    ['the certificate', []],
    ['the signature algorithm', [1]],
    ['what is signed', TBS],
    ['the version', VERSION],
    ['the algorithm that is signed', SIGNED_ALGORITHM],
    ['the issuer', ISSUER],
    ['a part of the issuer', [...ISSUER, 0]],
    ['an attribute of the issuer', [...ISSUER, 0, 0]],
    ['an attribute of the subject', [...SUBJECT, 0, 0]],
    ['the validity', VALIDITY],
    ['the key', KEY],
    ['the algorithm of the key', [...KEY, 0]],
    ['the tag of the extensions', TAGGED_EXTENSIONS],
    ['the extensions', EXTENSIONS],
    ['an extension', [...EXTENSIONS, 0]],
  ])('has nothing behind in %s', (_what, path) => expect(verdict(path, appended)).toBe('certificate'));

  it.each<[string, readonly number[]]>([
    ['the certificate', []],
    ['what is signed', TBS],
    ['the validity', VALIDITY],
    ['the key', KEY],
    ['an attribute', [...SUBJECT, 0, 0]],
    ['an extension', [...EXTENSIONS, 0]],
  ])('lacks nothing in %s', (_what, path) => {
    const { length } = holderAt(elementOf(DER), path);
    for (let at = 0; at < length; at += 1)
      // What may be absent: all extensions together, and whether one is critical.
      expect(
        verdict(path, (holder) => void holder.splice(at, 1)),
        `${at}`,
      ).toBe((path === TBS && at === 7) || (path.length === 4 && length === 3 && at === 1) ? 'passes' : 'certificate');
  });

  it('has names of text, without empty parts, of limited length', () => {
    const part = (value: Elements) => new AsnSet({ value });
    expect(verdict([...SUBJECT, 0, 0], (holder) => void (holder[1] = new Null()))).toBe('certificate');
    expect(verdict([...SUBJECT, 0, 0], (holder) => void (holder[1] = tag(0, [new Null()])))).toBe('certificate');
    expect(verdict(SUBJECT, (holder) => void holder.push(part([])))).toBe('certificate');
    const again = (times: number) => (holder: Elements) =>
      void holder.push(...Array.from({ length: times }, () => holder[0] as Elements[number]));
    expect(verdict(SUBJECT, again(10))).toBe('passes');
    expect(verdict(SUBJECT, again(32))).toBe('certificate');
    expect(verdict([...SUBJECT, 0], again(32))).toBe('certificate');
    const pair = (holder: Elements) => part(holder.flatMap((each) => (each as AsnSet).valueBlock.value).slice(0, 2));
    expect(
      verdict(SUBJECT, (holder) => void holder.splice(0, 9, ...Array.from({ length: 16 }, () => pair(holder)))),
    ).toBe('passes');
    expect(
      verdict(SUBJECT, (holder) => void holder.splice(0, 9, ...Array.from({ length: 17 }, () => pair(holder)))),
    ).toBe('certificate');
    expect(verdict(SUBJECT, (holder) => void holder.splice(0))).toBe('passes');
  });

  it('has no unique identifiers, which could hide that there are extensions', () => {
    const identifier = (number: number) => tag(number, [new Null()]);
    const primitive = fromBER(hex('81 02 00 01')).result;
    for (const each of [identifier(1), identifier(2), primitive]) {
      expect(verdict(TBS, (holder) => void (holder[7] = each))).toBe('certificate');
      expect(verdict(TBS, (holder) => void holder.splice(7, 0, each))).toBe('certificate');
    }
    for (const number of [1, 2, 4])
      expect(
        verdict(TBS, (holder) => void (holder[7] = tag(number, holderAt(elementOf(DER), TAGGED_EXTENSIONS)))),
      ).toBe('certificate');
  });

  it('has a version of one form', () => {
    expect(verdict(VERSION, (holder) => void (holder[0] = new Integer({ value: 1 })))).toBe('certificate');
    expect(verdict(VERSION, (holder) => void (holder[0] = new Integer({ valueHex: hex('01 00 00 00 02') })))).toBe(
      'certificate',
    );
    expect(verdict(TBS, (holder) => void (holder[0] = tag(1, [new Integer({ value: 2 })])))).toBe('certificate');
  });

  it('has a serial of up to 21 octets, which is told without leading zeros', () => {
    const serial = (valueHex: Buffer) => changed(TBS, (holder) => void (holder[1] = new Integer({ valueHex })));
    expect(parseCertificate(serial(hex('00 ff 01'))).serialHex).toBe('ff01');
    expect(parseCertificate(serial(hex('00'))).serialHex).toBe('0');
    expect(parseCertificate(serial(hex('ff 01'))).serialHex).toBe('ff01');
    expect(parseCertificate(serial(Buffer.alloc(21, 0x11))).serialHex).toBe('11'.repeat(21));
    expect(checkOf(() => parseCertificate(serial(Buffer.alloc(22, 0x11))))).toBe('certificate');
  });

  it('has keys and signatures of whole octets', () => {
    const bits = new BitString({ valueHex: hex('80'), unusedBits: 7 });
    expect(verdict([], (holder) => void (holder[2] = bits))).toBe('certificate');
    expect(verdict(KEY, (holder) => void (holder[1] = bits))).toBe('certificate');
  });

  it('says in its error what is wrong, and never what it says', () => {
    const der = changed(
      [...SUBJECT, 0, 0],
      (holder) => void (holder[1] = new OctetString({ valueHex: hex('5ec3e7') })),
    );
    expect(() => parseCertificate(der)).toThrow(AttestationError);
    expect(() => parseCertificate(der)).toThrow(/certificate: a name has a value that is no text$/);
  });
});

describe('extensions', () => {
  const first = [...EXTENSIONS, 0];

  it('have three fields at most, of which the second says whether they are critical', () => {
    const critical =
      (value: boolean): Change =>
      (holder) =>
        void holder.splice(1, holder.length - 2, new AsnBoolean({ value }));
    const oid = (der: Buffer) => [...parseCertificate(der).extensions][0]?.[1].critical;
    expect(oid(changed(first, critical(true)))).toBe(true);
    // Not DER, but there are devices that write it.
    expect(oid(changed(first, critical(false)))).toBe(false);
    expect(verdict(first, (holder) => void holder.splice(1, holder.length - 2, new Null()))).toBe('certificate');
    expect(
      verdict(first, (holder) => void holder.splice(1, holder.length, holder.at(-1) as Elements[number], new Null())),
    ).toBe('certificate');
  });

  it('occur once, and are not too many', () => {
    expect(verdict(EXTENSIONS, (holder) => void holder.push(holder[0] as Elements[number]))).toBe('certificate');
    const many =
      (count: number): Change =>
      (holder) => {
        const [each] = holder as [Constructed];
        const others = Array.from({ length: count - holder.length }, (_, at) => {
          const copy = elementOf(derOf(each));
          copy.valueBlock.value[0] = fromBER(Buffer.from([6, 3, 0x2a, 3, at])).result;
          return copy;
        });
        holder.push(...others);
      };
    expect(verdict(EXTENSIONS, many(32))).toBe('passes');
    expect(verdict(EXTENSIONS, many(33))).toBe('certificate');
  });

  it.each([
    ['nothing', '30 00', { ca: false }],
    ['TRUE', '30 03 01 01 ff', { ca: true }],
    ['FALSE, which is not DER', '30 03 01 01 00', { ca: false }],
    ['a length', '30 06 01 01 ff 02 01 03', { ca: true, pathLength: 3 }],
    ['a length alone', '30 03 02 01 00', { ca: false, pathLength: 0 }],
  ])('basic constraints: %s', (_what, value, expected) =>
    expect(parseCertificate(withValue(19, hex(value))).basicConstraints).toEqual(expected),
  );

  it.each([
    ['no SEQUENCE', '01 01 ff'],
    ['octets behind', '30 03 01 01 ff 00'],
    ['another type', '30 02 05 00'],
    ['another type as length', '30 06 01 01 ff 0a 01 00'],
    ['a negative length', '30 06 01 01 ff 02 01 ff'],
    ['a huge length', `30 0d 01 01 ff 02 08 ${'7f'.repeat(8)}`],
    ['two lengths', '30 06 02 01 00 02 01 00'],
    ['a field behind', '30 09 01 01 ff 02 01 00 02 01 00'],
    ['TRUE in another form', '30 03 01 01 01'],
    ['nothing at all', ''],
  ])('basic constraints that are refused: %s', (_what, value) =>
    expect(checkOf(() => parseCertificate(withValue(19, hex(value))))).toBe('certificate'),
  );

  it.each([
    ['certificates', '03 02 02 04', true],
    ['certificates, with trailing zero bits', '03 02 00 04', true],
    ['certificates and lists', '03 02 01 06', true],
    ['certificates and deciphering', '03 03 07 04 80', true],
    ['signatures', '03 02 07 80', false],
    ['deciphering', '03 03 07 00 80', false],
    ['lists', '03 02 01 02', false],
    ['nothing', '03 01 00', false],
  ])('a key for %s', (_what, value, expected) =>
    expect(parseCertificate(withValue(15, hex(value))).certSign).toBe(expected),
  );

  it.each([
    ['another type', '04 02 00 04'],
    ['a tagged one', '83 02 02 04'],
    ['8 unused bits', '03 02 08 04'],
    ['no octet for them', '03 00'],
    ['octets behind', '03 02 02 04 00'],
  ])('a key usage that is refused: %s', (_what, value) =>
    expect(checkOf(() => parseCertificate(withValue(15, hex(value))))).toBe('certificate'),
  );
});
