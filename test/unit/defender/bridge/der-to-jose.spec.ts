import { generateKeyPairSync, sign, verify } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { derToJose } from '../../../../lib/defender/bridge/index.js';
import { checkP1363 } from '../../../../lib/defender/bridge/der-to-jose.js';
import { p1363ToDer } from '../../../../lib/token/der.js';

const CURVES = [
  ['P-256', 32, 'sha256', 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551'],
  [
    'P-384',
    48,
    'sha384',
    'ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
  ],
] as const;

const hex = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));

describe.each(CURVES)('derToJose on %s', (namedCurve, size, digest, order) => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });
  const n = BigInt(`0x${order}`);
  const octets = (value: bigint) => hex(value.toString(16).padStart(2 * size, '0'));
  const joined = (r: bigint, s: bigint) => new Uint8Array([...octets(r), ...octets(s)]);

  it('gives what node:crypto verifies as r ‖ s', () => {
    for (let turn = 0; turn < 100; turn += 1) {
      const data = Buffer.from(`message ${turn}`);
      const jose = derToJose(sign(digest, data, privateKey), size);
      expect(jose).toHaveLength(2 * size);
      expect(verify(digest, data, { key: publicKey, dsaEncoding: 'ieee-p1363' }, jose)).toBe(true);
    }
  });

  it('undoes the DER of every pair of numbers within 1..n−1', () => {
    // Short numbers, and those with the top bit set, are rare at random and the ones that go wrong.
    const bits = fc.integer({ min: 0, max: size * 8 }).map((shift) => 1n << BigInt(shift));
    const number = fc
      .tuple(fc.bigInt({ min: 1n, max: n - 1n }), bits)
      .map(([value, limit]) => (value % limit) + 1n)
      .map((value) => (value < n ? value : n - 1n));
    fc.assert(
      fc.property(number, number, (r, s) => {
        expect(derToJose(p1363ToDer(joined(r, s)), size)).toEqual(joined(r, s));
      }),
    );
  });

  it.each([
    ['r zero', 0n, 1n],
    ['s zero', 1n, 0n],
    ['r the order', n, 1n],
    ['s the order', 1n, n],
    ['r beyond the order', n + 1n, 1n],
    ['both the largest that fit', (1n << BigInt(8 * size)) - 1n, (1n << BigInt(8 * size)) - 1n],
  ])('refuses %s', (_, r, s) => {
    expect(() => derToJose(p1363ToDer(joined(r, s)), size)).toThrow(TypeError);
    expect(() => checkP1363(joined(r, s), size)).toThrow(TypeError);
  });

  it('takes the smallest and the largest numbers', () => {
    expect(derToJose(p1363ToDer(joined(1n, n - 1n)), size)).toEqual(joined(1n, n - 1n));
    expect(() => checkP1363(joined(n - 1n, 1n), size)).not.toThrow();
  });

  it('takes DER for nothing but itself: no changed octet gives the same signature', () => {
    const der = sign(digest, Buffer.from('message'), privateKey);
    const jose = derToJose(der, size);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: der.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const other = new Uint8Array(der);
        other[at] = (other[at] ?? 0) ^ change;
        let result: Uint8Array | undefined;
        try {
          result = derToJose(other, size);
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
        }
        expect(result).not.toEqual(jose);
      }),
    );
  });

  it('never takes octets at random, and never fails in another way', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2 * size + 12 }), (random) => {
        try {
          expect(p1363ToDer(derToJose(random, size))).toEqual(Buffer.from(random));
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
        }
      }),
    );
  });
});

describe('derToJose refuses what is BER but not DER', () => {
  it.each([
    ['nothing', ''],
    ['no sequence', '31 06 02 01 01 02 01 01'],
    ['a long form of length', '30 81 06 02 01 01 02 01 01'],
    ['an indefinite length', '30 80 02 01 01 02 01 01 00 00'],
    ['octets after the sequence', '30 06 02 01 01 02 01 01 00'],
    ['octets after s within the sequence', '30 08 02 01 01 02 01 01 05 00'],
    ['a sequence cut off', '30 06 02 01 01 02 01'],
    ['only one number', '30 03 02 01 01'],
    ['three numbers', '30 09 02 01 01 02 01 01 02 01 01'],
    ['another type for r', '30 06 03 01 01 02 01 01'],
    ['an empty number', '30 05 02 00 02 01 01'],
    ['a negative number', '30 06 02 01 81 02 01 01'],
    ['a zero that is not needed', '30 07 02 02 00 01 02 01 01'],
    ['a number longer than the sequence', '30 06 02 7f 01 02 01 01'],
    ['a number longer than its field', `30 25 02 20 ${'7f'.repeat(32)} 02 01 01 00`],
    ['33 octets that are not a sign', `30 26 02 21 7f ${'11'.repeat(32)} 02 01 01`],
  ])('%s', (_, text) => expect(() => derToJose(hex(text), 32)).toThrow(TypeError));
});
