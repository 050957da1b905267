import { createHash, verify } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { p1363ToDer } from '../../../lib/token/der.js';
import { aKey, signAs } from '../../utils/core/index.js';

const hex = (text: string) => Buffer.from(text.replace(/ /g, ''), 'hex');
const der = (text: string) => p1363ToDer(hex(text)).toString('hex');

describe('p1363ToDer', () => {
  it.each([
    ['plain', `01${'00'.repeat(31)} 02${'00'.repeat(31)}`, `3044 0220 01${'00'.repeat(31)} 0220 02${'00'.repeat(31)}`],
    [
      'top bit set in both',
      `80${'00'.repeat(31)} ff${'00'.repeat(31)}`,
      `3046 0221 0080${'00'.repeat(31)} 0221 00ff${'00'.repeat(31)}`,
    ],
    ['short r and s', `${'00'.repeat(31)}01 ${'00'.repeat(30)}0102`, '3007 020101 02020102'],
    ['short with the top bit set', `${'00'.repeat(31)}80 ${'00'.repeat(30)}8000`, '3009 02020080 0203008000'],
    ['zero', '00'.repeat(64), '3006 020100 020100'],
    ['P-384, as long as it gets', 'ff'.repeat(96), `3066 0231 00${'ff'.repeat(48)} 0231 00${'ff'.repeat(48)}`],
  ])('%s', (_what, p1363, expected) => expect(der(p1363)).toBe(expected.replace(/ /g, '')));

  const field = (octets: number) =>
    fc.oneof(
      fc.uint8Array({ minLength: octets, maxLength: octets }),
      // Leading zeros are where the two forms differ.
      fc
        .tuple(fc.integer({ min: 0, max: octets }), fc.uint8Array({ minLength: octets, maxLength: octets }))
        .map(([zeros, octetsOf]) => octetsOf.fill(0, 0, zeros)),
    );

  it.each([
    ['ES256', 32, 'sha256'],
    ['ES384', 48, 'sha384'],
  ] as const)('judges every %s signature as the native encoding does', (alg, octets, digest) => {
    const { publicKey, privateKey } = aKey(alg);
    const data = Buffer.from('some data');
    const native = (signature: Uint8Array) =>
      verify(digest, data, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature);
    const ours = (signature: Uint8Array) => verify(digest, data, publicKey, p1363ToDer(signature));
    fc.assert(
      fc.property(field(octets), field(octets), (r, s) => {
        const signature = Buffer.concat([r, s]);
        expect(ours(signature)).toBe(native(signature));
      }),
      { seed: 1, numRuns: 150 },
    );
    for (let i = 0; i < 40; i += 1) expect(ours(signAs(alg, privateKey, data))).toBe(true);
  });

  it('keeps r and s: what DER says is what came in', () => {
    const integer = (buffer: Buffer, at: number) => ({
      value: BigInt(`0x${buffer.subarray(at + 2, at + 2 + (buffer[at + 1] as number)).toString('hex')}`),
      end: at + 2 + (buffer[at + 1] as number),
    });
    fc.assert(
      fc.property(field(32), field(32), (r, s) => {
        const encoded = p1363ToDer(Buffer.concat([r, s]));
        const first = integer(encoded, 2);
        const second = integer(encoded, first.end);
        expect(first.value).toBe(BigInt(`0x${Buffer.from(r).toString('hex')}`));
        expect(second.value).toBe(BigInt(`0x${Buffer.from(s).toString('hex')}`));
        expect(second.end).toBe(encoded.length);
        expect(encoded[1]).toBe(encoded.length - 2);
      }),
      { seed: 2, numRuns: 500 },
    );
  });

  it('lets no octet of a former buffer through', () => {
    for (let i = 0; i < 2000; i += 1) {
      const r = createHash('sha256')
        .update(`r${i}`)
        .digest()
        .fill(0, 0, i % 32);
      const encoded = p1363ToDer(Buffer.concat([r, r]));
      expect(encoded[3]).toBe(encoded[(encoded[3] as number) + 5]);
      expect((encoded[4] as number) & 0x80).toBe(0);
    }
  });
});
