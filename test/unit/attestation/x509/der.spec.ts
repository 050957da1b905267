import { describe, expect, it } from 'vitest';
import {
  bitStringOctets,
  booleanOf,
  integerOctets,
  oidOf,
  readTime,
  smallUnsignedOf,
  unsignedOf,
} from '../../../../lib/attestation/x509/der-values.js';
import { DerError, DerReader, readSequence } from '../../../../lib/attestation/x509/der.js';
import { decodeBase64 } from '../../../../lib/attestation/x509/base64.js';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const time = (tag: string, text: string) =>
  Buffer.concat([hex(tag), Buffer.of(text.length), Buffer.from(text, 'latin1')]);

describe('elements', () => {
  it.each<[string, string]>([
    ['nothing', ''],
    ['a tag alone', '30'],
    ['a length alone', '30 82'],
    ['content that is cut off', '30 03 02 01'],
    ['an indefinite length', '30 80 02 01 00 00 00'],
    ['a long length that could be short', '30 81 03 02 01 00'],
    ['a length with leading zeros', `30 82 00 80 ${'00'.repeat(128)}`],
    ['a length of four octets', '30 84 00 00 00 03 02 01 00'],
    ['a length of 127 octets', `30 ff ${'00'.repeat(127)}`],
    ['a length beyond the end', '30 83 ff ff ff'],
    ['octets behind', '30 03 02 01 00 00'],
    ['another type', '31 03 02 01 00'],
  ])('refuses %s', (_what, encoded) => expect(() => readSequence(hex(encoded))).toThrow(DerError));

  it.each<[string, string]>([
    ['a number that would fit the first octet', 'bf 1e 00'],
    ['a number with leading zeros', 'bf 80 1f 00'],
    ['a number that never ends', `bf ${'ff'.repeat(40)}`],
    ['a number that is too large', 'bf 84 80 00 00'],
    ['a number that is cut off', 'bf 85'],
  ])('refuses the tag of %s', (_what, encoded) => expect(() => new DerReader(hex(encoded)).next()).toThrow(DerError));

  it('reads tags of more than one octet', () => {
    const { number, content, encoded } = new DerReader(hex('bf 85 40 02 05 00 ff')).next();
    expect([number, Buffer.from(content), encoded.length]).toEqual([704, hex('05 00'), 6]);
  });

  it('goes no deeper than it is asked, whatever the nesting', () => {
    let nested = Buffer.alloc(0);
    while (nested.length < 60_000) {
      const { length } = nested;
      const head =
        length < 128 ? [0x30, length] : length < 256 ? [0x30, 0x81, length] : [0x30, 0x82, length >> 8, length & 255];
      nested = Buffer.concat([Buffer.from(head), nested]);
    }
    const outer = readSequence(nested);
    outer.next();
    expect(outer.done).toBe(true);
  });
});

describe('values', () => {
  it.each<[string, () => unknown]>([
    ['BOOLEAN 01', () => booleanOf(hex('01'))],
    ['BOOLEAN of two octets', () => booleanOf(hex('ff ff'))],
    ['empty BOOLEAN', () => booleanOf(hex(''))],
    ['empty INTEGER', () => integerOctets(hex(''), 8)],
    ['padded INTEGER', () => integerOctets(hex('00 01'), 8)],
    ['padded negative INTEGER', () => integerOctets(hex('ff 80'), 8)],
    ['long INTEGER', () => integerOctets(hex('01 00 00'), 2)],
    ['negative INTEGER', () => unsignedOf(hex('ff'))],
    ['INTEGER of 2^64', () => unsignedOf(hex('01 00 00 00 00 00 00 00 00 00'))],
    ['INTEGER of 2^53', () => smallUnsignedOf(hex('20 00 00 00 00 00 00'))],
    ['empty OID', () => oidOf(hex(''))],
    ['OID cut off', () => oidOf(hex('2a 86'))],
    ['OID with leading zeros', () => oidOf(hex('2a 80 01'))],
    ['OID with a huge number', () => oidOf(hex('2a ff ff ff ff ff 7f'))],
    ['BIT STRING of part of an octet', () => bitStringOctets(hex('07 80'))],
    ['empty BIT STRING', () => bitStringOctets(hex(''))],
    ['time without Z', () => readTime(new DerReader(time('17', '250101000000')))],
    ['time with an offset', () => readTime(new DerReader(time('17', '250101000000+0100')))],
    ['time with a fraction', () => readTime(new DerReader(time('18', '20250101000000.5Z')))],
    ['30 February', () => readTime(new DerReader(time('18', '20250230000000Z')))],
    ['month 13', () => readTime(new DerReader(time('18', '20251301000000Z')))],
    ['hour 24', () => readTime(new DerReader(time('18', '20250101240000Z')))],
    ['second 60', () => readTime(new DerReader(time('18', '20250101000060Z')))],
    ['a time of no time type', () => readTime(new DerReader(time('0c', '20250101000000Z')))],
    ['a time of letters', () => readTime(new DerReader(time('17', 'absurd-dateZ!')))],
  ])('refuses %s', (_what, read) => expect(read).toThrow(DerError));

  it('reads what is in its form', () => {
    expect([booleanOf(hex('00')), booleanOf(hex('ff'))]).toEqual([false, true]);
    expect(unsignedOf(hex('00 ff ff ff ff ff ff ff ff'))).toBe(2n ** 64n - 1n);
    expect(smallUnsignedOf(hex('1f ff ff ff ff ff ff'))).toBe(Number.MAX_SAFE_INTEGER);
    expect(oidOf(hex('2b 06 01 04 01 d6 79 02 01 11'))).toBe('1.3.6.1.4.1.11129.2.1.17');
    expect(oidOf(hex('88 37'))).toBe('2.999');
    expect(oidOf(hex('55 1d 13'))).toBe('2.5.29.19');
  });

  it.each([
    ['17', '691231235959Z', '1969-12-31T23:59:59.000Z'],
    ['17', '500101000000Z', '1950-01-01T00:00:00.000Z'],
    ['17', '491231235959Z', '2049-12-31T23:59:59.000Z'],
    ['18', '21060207062815Z', '2106-02-07T06:28:15.000Z'],
    ['18', '00010101000000Z', '0001-01-01T00:00:00.000Z'],
    ['18', '99991231235959Z', '9999-12-31T23:59:59.000Z'],
  ])('time %s %s', (tag, text, expected) =>
    expect(readTime(new DerReader(time(tag, text))).toISOString()).toBe(expected),
  );

  it('base64 in its one form only', () => {
    expect(decodeBase64('AQI=')).toEqual(Buffer.of(1, 2));
    for (const text of ['', 'AQI', 'AQJ=', 'AQI==', 'AQI=\n', ' AQI=', 'A_I=', 'AQI=AQI='])
      expect(decodeBase64(text)).toBeUndefined();
  });
});
