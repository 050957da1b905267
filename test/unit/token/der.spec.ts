import { createHash, verify } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { p1363ToDer } from '../../../lib/token/der.js';
import { aKey, signAs } from '../../utils/core/index.js';

/** ES256 signatures that are compared, and a twentieth of ES384, which is slow; `TAB_FUZZ=full` makes it a million. */
const MANY = process.env['TAB_FUZZ'] === 'full' ? 1_000_000 : 3000;

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

  it.each([
    ['ES256', 32, 'sha256', 'FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551'],
    [
      'ES384',
      48,
      'sha384',
      'FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973',
    ],
  ] as const)(
    'judges genuine, damaged and extreme %s signatures as the native encoding does',
    { timeout: 1_200_000 },
    (alg, octets, digest, orderHex) => {
      const { publicKey, privateKey } = aKey(alg);
      const order = hex(orderHex);
      const beside = (change: number) =>
        Buffer.concat([order.subarray(0, -1), Buffer.of((order.at(-1) ?? 0) + change)]);
      const extremes = [Buffer.alloc(octets), beside(0), beside(1), beside(-1), Buffer.alloc(octets, 255)];
      let draws = 0;
      const draw = (below: number) => createHash('sha256').update(`${alg}${draws++}`).digest().readUInt32BE() % below;
      const counts = { true: 0, false: 0 };
      const runs = alg === 'ES256' ? MANY : MANY / 20;
      for (let run = 0; run < runs; run += 1) {
        const data = Buffer.from(`data ${run}`);
        const signature = Buffer.from(signAs(alg, privateKey, data));
        const extreme = extremes[draw(extremes.length)] as Buffer;
        if (run % 3 === 1) signature[draw(2 * octets)] = draw(256);
        if (run % 3 === 2) extreme.copy(signature, draw(2) * octets);
        const native = verify(digest, data, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature);
        if (verify(digest, data, publicKey, p1363ToDer(signature)) !== native)
          throw new Error(`run ${run}: ${signature.toString('hex')} is ${native}`);
        counts[`${native}`] += 1;
      }
      expect(counts.true).toBeGreaterThanOrEqual(runs / 3);
      expect(counts.false).toBeGreaterThan(runs / 2);
    },
  );

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
