import { Boolean as AsnBoolean, Enumerated, GeneralizedTime, Integer, ObjectIdentifier, UTCTime } from 'asn1js';
import { describe, expect, it } from 'vitest';
import {
  bitsOf,
  encodedOf,
  explicitOf,
  octetsOf,
  sequenceOf,
  setOf,
  smallUnsignedOf,
  typed,
  unsignedOf,
} from '../../../../lib/attestation/x509/der-values.js';
import { DerError, parseDer, type DerNode } from '../../../../lib/attestation/x509/der.js';
import { decodeBase64 } from '../../../../lib/attestation/x509/base64.js';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const parse = (text: string) => parseDer(hex(text));

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.of(length);
  return length < 0x100 ? Buffer.of(0x81, length) : Buffer.of(0x82, length >> 8, length & 0xff);
}

/** An element in its shortest form. */
function element(tag: string, content: Buffer): Buffer {
  return Buffer.concat([hex(tag), lengthOf(content.length), content]);
}

/** An element that holds one that holds one, so many deep. */
function nested(tag: string, depth: number): Buffer {
  let encoded = element('05', Buffer.alloc(0));
  for (let level = 0; level < depth; level += 1) encoded = element(tag, encoded);
  return encoded;
}

describe('one element in DER', () => {
  it.each<[string, string]>([
    ['nothing', ''],
    ['a tag alone', '30'],
    ['a length alone', '30 82'],
    ['content that is cut off', '30 03 02 01'],
    ['a string that is cut off', '04 03 02 01'],
    ['an indefinite length', '30 80 02 01 00 00 00'],
    ['an indefinite length that nothing follows', '30 80'],
    ['an indefinite length below that nothing follows', '30 02 30 80'],
    ['an indefinite length below', '30 06 30 80 05 00 00 00'],
    ['a long length that could be short', '30 81 03 02 01 00'],
    ['a length with leading zeros', `04 82 00 80 ${'00'.repeat(128)}`],
    ['a length of four octets', '30 84 00 00 00 03 02 01 00'],
    ['a length of 127 octets', `30 ff ${'00'.repeat(127)}`],
    ['a length beyond the end', '30 83 ff ff ff'],
    ['octets behind', '30 03 02 01 00 00'],
    ['an element behind', '05 00 05 00'],
    ['content that runs over the end of its holder', '30 04 30 02 04 02 00 00'],
    ['content that runs over the end of its holder, up to the end', '30 06 30 02 04 02 00 00'],
    ['a long length below that makes up for an overrun', '30 81 04 30 02 05 00 00'],
    ['a number that would fit the first octet', 'bf 1e 00'],
    ['a number with leading zeros', 'bf 80 1f 00'],
    ['a number that never ends', `bf ${'ff'.repeat(40)}`],
    ['a number that is too large', 'bf 84 80 00 00'],
    ['a number that is cut off', 'bf 85'],
    ['an OCTET STRING in parts', '24 04 04 02 01 02'],
    ['a BIT STRING in parts', '23 04 03 02 00 02'],
    ['a UTF8String in parts', '2c 04 0c 02 61 61'],
    ['a SEQUENCE that is a value', '10 02 05 00'],
    ['a SET that is a value', '11 02 05 00'],
    ['an end of content', '30 04 00 00 05 00'],
    ['an end of content that is longer than itself', '30 07 00 03 05 00 00 05 00'],
    ['a type that is not read', '0d 01 01'],
    ['a type that is not read, below', '30 03 1c 01 61'],
  ])('is not %s', (_what, encoded) => expect(() => parse(encoded)).toThrow(DerError));

  it.each<[string, string]>([
    ['BOOLEAN of two octets', '01 02 ff ff'],
    ['BOOLEAN 01', '01 01 01'],
    ['empty BOOLEAN', '01 00'],
    ['empty INTEGER', '02 00'],
    ['padded INTEGER', '02 02 00 01'],
    ['padded negative INTEGER', '02 02 ff 80'],
    ['empty ENUMERATED', '0a 00'],
    ['padded ENUMERATED', '0a 02 00 01'],
    ['empty BIT STRING', '03 00'],
    ['BIT STRING with 8 unused bits', '03 02 08 00'],
    ['NULL with content', '05 01 00'],
    ['empty OBJECT IDENTIFIER', '06 00'],
    ['OBJECT IDENTIFIER cut off', '06 02 2a 86'],
    ['OBJECT IDENTIFIER with leading zeros', '06 03 2a 80 01'],
    ['OBJECT IDENTIFIER that begins with zeros', '06 02 80 01'],
    ['OBJECT IDENTIFIER with a huge number', '06 07 2a ff ff ff ff ff 7f'],
    ['long OBJECT IDENTIFIER', `06 21 ${'01'.repeat(33)}`],
  ])('is not a value that has another form: %s', (_what, encoded) => {
    expect(() => parse(encoded)).toThrow(DerError);
    expect(() => parseDer(element('30', element('a1', hex(encoded))))).toThrow(DerError);
  });

  it('is limited in size, depth and number, and costs no more than its limits', () => {
    const nulls = (count: number) => element('30', Buffer.alloc(2 * count, hex('05 00')));
    expect(sequenceOf(parseDer(nulls(300)), 300)).toHaveLength(300);
    expect(() => parseDer(nulls(320))).toThrow(DerError);
    expect(() => parseDer(nulls(16_000))).toThrow(DerError);
    expect(() => parseDer(element('04', Buffer.alloc(8000)))).not.toThrow();
    expect(() => parseDer(element('04', Buffer.alloc(8200)))).toThrow(DerError);
    expect(() => parseDer(Buffer.alloc(65_537))).toThrow(DerError);
    for (const tag of ['30', '31', 'a0', 'bf 85 40']) {
      expect(() => parseDer(nested(tag, 16))).not.toThrow();
      expect(() => parseDer(nested(tag, 17))).toThrow(DerError);
      expect(() => parseDer(nested(tag, 2000))).toThrow(DerError);
    }
  });

  it('is not looked into where it is a string: there anything may be', () => {
    for (const content of [nested('30', 1000), nested('04', 1000), hex('30 80 00 00'), hex('24 04 04 02 01 02')])
      expect(octetsOf(parseDer(element('04', content)))).toEqual(content);
    const many = element('30', Buffer.alloc(2000, hex('05 00')));
    const [string] = sequenceOf(parseDer(element('30', Buffer.concat([element('04', many), hex('05 00')]))), 2);
    expect(octetsOf(string)).toEqual(many);
    const nest = nested('30', 1000);
    expect(bitsOf(parseDer(element('03', Buffer.concat([hex('00'), nest]))))).toEqual(nest);
  });

  it('does not change with the octets that it was read from', () => {
    const octets = hex('04 01 61');
    const node = parseDer(octets);
    octets.fill(0);
    expect([octetsOf(node), encodedOf(node)]).toEqual([hex('61'), hex('04 01 61')]);
  });
});

describe('times', () => {
  const time = (tag: string, text: string) => parseDer(element(tag, Buffer.from(text, 'latin1')));

  it.each([
    ['without Z', '17', '250101000000'],
    ['without seconds', '17', '2501010000Z'],
    ['with a small z', '17', '250101000000z'],
    ['with an offset', '17', '250101000000+0100'],
    ['with something before', '17', '1250101000000Z'],
    ['with something behind', '17', '250101000000Z0'],
    ['of letters', '17', 'absurd-dateZ!'],
    ['that is empty', '17', ''],
    ['with a fraction', '18', '20250101000000.5Z'],
    ['with a fraction of zero', '18', '20250101000000.0Z'],
    ['without Z, of four digits for the year', '18', '20250101000000'],
    ['with an offset, of four digits for the year', '18', '20250101000000+0100'],
    ['without minutes', '18', '2025010100Z'],
    ['without a time of the day', '18', '20250101Z'],
    ['on 30 February', '18', '20250230000000Z'],
    ['on 29 February of another year', '17', '250229000000Z'],
    ['in month 13', '18', '20251301000000Z'],
    ['in month 0', '18', '20250001000000Z'],
    ['at hour 24', '18', '20250101240000Z'],
    ['at second 60', '18', '20250101000060Z'],
    ['in the first century', '18', '00010101000000Z'],
    ['of letters, of four digits for the year', '18', 'absurd-date!!Z'],
    ['that is empty, of four digits for the year', '18', ''],
  ])('%s are refused', (_what, tag, text) => expect(() => time(tag, text)).toThrow(DerError));

  it.each([
    ['17', '691231235959Z', '1969-12-31T23:59:59.000Z'],
    ['17', '500101000000Z', '1950-01-01T00:00:00.000Z'],
    ['17', '491231235959Z', '2049-12-31T23:59:59.000Z'],
    ['17', '240229000000Z', '2024-02-29T00:00:00.000Z'],
    ['18', '21060207062815Z', '2106-02-07T06:28:15.000Z'],
    ['18', '19700101000000Z', '1970-01-01T00:00:00.000Z'],
    ['18', '99991231235959Z', '9999-12-31T23:59:59.000Z'],
  ])('%s %s are read', (tag, text, expected) => {
    const node = typed(time(tag, text), tag === '17' ? UTCTime : GeneralizedTime) as UTCTime;
    expect(node.toDate().toISOString()).toBe(expected);
  });
});

describe('what is asked of an element', () => {
  it.each<[string, () => unknown]>([
    ['one that is absent', () => typed(undefined, Integer)],
    ['another type', () => typed(parse('04 01 00'), Integer)],
    ['an ENUMERATED for an INTEGER', () => typed(parse('0a 01 00'), Integer)],
    ['an INTEGER for an ENUMERATED', () => typed(parse('02 01 00'), Enumerated)],
    ['a tagged one for its type', () => typed(parse('81 01 ff'), AsnBoolean)],
    ['a SET for a SEQUENCE', () => sequenceOf(parse('31 00'), 0)],
    ['a SEQUENCE for a SET', () => setOf(parse('30 00'), 0, 1)],
    ['a SEQUENCE for a tag', () => explicitOf(parse('30 02 05 00'), 0)],
    ['too few', () => sequenceOf(parse('30 02 05 00'), 2)],
    ['too many', () => sequenceOf(parse('30 04 05 00 05 00'), 0, 1)],
    ['too many of a SET', () => setOf(parse('31 04 05 00 05 00'), 0, 1)],
    ['another tag', () => explicitOf(parse('a1 02 05 00'), 0)],
    ['a tag of another class', () => explicitOf(parse('60 02 05 00'), 0)],
    ['a tag that holds nothing', () => explicitOf(parse('a0 00'), 0)],
    ['a tag that holds two', () => explicitOf(parse('a0 04 05 00 05 00'), 0)],
    ['a tag that holds no element', () => explicitOf(parse('80 02 05 00'), 0)],
    ['a negative INTEGER', () => unsignedOf(parse('02 01 ff'))],
    ['an INTEGER of 2^64', () => unsignedOf(parse('02 09 01 00 00 00 00 00 00 00 00'))],
    ['an INTEGER of 2^53', () => smallUnsignedOf(parse('02 07 20 00 00 00 00 00 00'))],
    ['a huge INTEGER', () => unsignedOf(parseDer(element('02', Buffer.alloc(8000, 0x7f))))],
    ['a BIT STRING of part of an octet', () => bitsOf(parse('03 02 07 80'))],
    ['a tagged string', () => octetsOf(parse('84 01 61'))],
    ['the encoding of nothing', () => encodedOf(undefined)],
  ])('is refused: %s', (_what, read) => expect(read).toThrow(DerError));

  it('is given where it is there', () => {
    const oid = (text: string) => typed(parse(text), ObjectIdentifier).getValue();
    expect([oid('06 0a 2b 06 01 04 01 d6 79 02 01 11'), oid('06 02 88 37'), oid('06 03 55 1d 13')]).toEqual([
      '1.3.6.1.4.1.11129.2.1.17',
      '2.999',
      '2.5.29.19',
    ]);
    expect(
      [typed(parse('01 01 00'), AsnBoolean), typed(parse('01 01 ff'), AsnBoolean)].map((node) => node.getValue()),
    ).toEqual([false, true]);
    expect(unsignedOf(parse('02 09 00 ff ff ff ff ff ff ff ff'))).toBe(2n ** 64n - 1n);
    expect(smallUnsignedOf(parse('02 07 1f ff ff ff ff ff ff'))).toBe(Number.MAX_SAFE_INTEGER);
    expect(smallUnsignedOf(parse('0a 01 02'), Enumerated)).toBe(2);
    const tagged: DerNode = parse('bf 85 40 02 05 00');
    expect([tagged.idBlock.tagNumber, encodedOf(explicitOf(tagged, 704))]).toEqual([704, hex('05 00')]);
    expect(sequenceOf(parse('30 00'), 0)).toEqual([]);
    expect(octetsOf(parse('04 00'))).toEqual(hex(''));
    expect(bitsOf(parse('03 01 00'))).toEqual(hex(''));
  });
});

describe('base64', () => {
  it('in its one form only', () => {
    expect(decodeBase64('AQI=')).toEqual(Buffer.of(1, 2));
    for (const text of ['', 'AQI', 'AQJ=', 'AQI==', 'AQI=\n', ' AQI=', 'A_I=', 'AQI=AQI='])
      expect(decodeBase64(text)).toBeUndefined();
  });
});
