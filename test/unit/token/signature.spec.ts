import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { SIGNATURE_ALGORITHMS, TAB_ALGORITHMS } from '../../../lib/token/algorithms.js';
import type { TabAlgorithm } from '../../../lib/token/claims.types.js';
import { SignatureVerifier, verifySignature, type SignatureMode } from '../../../lib/token/signature.js';
import { aKey, codeOf, signAs } from '../../utils/core/index.js';

const MODES: readonly SignatureMode[] = ['sync', 'pool', 'auto'];
const INPUT = Buffer.from('header.payload');
const keyOf = (alg: TabAlgorithm, name?: string) => ({ alg, key: aKey(alg, name).publicKey });
const by = (alg: TabAlgorithm, name?: string) => signAs(alg, aKey(alg, name).privateKey, INPUT);
const flipped = (octets: Buffer, at: number) => {
  const copy = Buffer.from(octets);
  copy[at] = (copy[at] as number) ^ 1;
  return copy;
};
const ORDER = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex');

describe.each(MODES)('SignatureVerifier in mode %s', (mode) => {
  const check = (alg: TabAlgorithm, signature: Uint8Array, input: Uint8Array = INPUT, name?: string) =>
    codeOf(() => new SignatureVerifier(mode).check(keyOf(alg, name), input, signature));

  it.each(TAB_ALGORITHMS)('takes a signature by %s', async (alg) => expect(await check(alg, by(alg))).toBe('accepted'));
  it.each(TAB_ALGORITHMS)('refuses a signature by another key of %s', async (alg) =>
    expect(await check(alg, by(alg, 'second'))).toBe('bad_signature'),
  );
  it.each(TAB_ALGORITHMS)('refuses a signature by %s over other octets', async (alg) =>
    expect(await check(alg, by(alg), Buffer.from('header.payloaD'))).toBe('bad_signature'),
  );
  it.each(TAB_ALGORITHMS)('refuses a signature by %s with a bit changed', async (alg) => {
    const signature = by(alg);
    for (const at of [0, 1, signature.length / 2, signature.length - 1])
      expect(await check(alg, flipped(signature, at))).toBe('bad_signature');
  });
  it.each(TAB_ALGORITHMS)('refuses a signature by %s of another length', async (alg) => {
    const signature = by(alg);
    const zero = Buffer.alloc(1);
    for (const bad of [
      Buffer.alloc(0),
      zero,
      signature.subarray(1),
      signature.subarray(0, -1),
      Buffer.concat([zero, signature]),
      Buffer.concat([signature, zero]),
      Buffer.concat([signature, signature]),
    ]) {
      expect(await check(alg, bad)).toBe('bad_signature');
    }
  });

  it('refuses DER where r ‖ s belongs', async () =>
    expect(await check('ES256', sign('sha256', INPUT, aKey('ES256').privateKey))).toBe('bad_signature'));

  it.each(['ES256', 'ES384'] as const)(
    'refuses %s with r and s in longer fields, which is another spelling of the same numbers',
    async (alg) => {
      const signature = by(alg);
      const half = signature.length / 2;
      for (const zeros of [1, 2, 8]) {
        const pad = Buffer.alloc(zeros);
        const longer = Buffer.concat([pad, signature.subarray(0, half), pad, signature.subarray(half)]);
        expect(await check(alg, longer)).toBe('bad_signature');
      }
    },
  );

  it('refuses r and s that are zero, the order, or beyond it', async () => {
    const signature = by('ES256');
    const [r, s] = [signature.subarray(0, 32), signature.subarray(32)];
    const zero = Buffer.alloc(32);
    const ones = Buffer.alloc(32, 0xff);
    for (const [a, b] of [
      [zero, zero],
      [zero, s],
      [r, zero],
      [ORDER, s],
      [r, ORDER],
      [ones, ones],
      [ORDER, ORDER],
    ] as const) {
      expect(await check('ES256', Buffer.concat([a, b]))).toBe('bad_signature');
    }
  });

  it('keeps PS256 and RS256 apart', async () => {
    const { privateKey } = aKey('RS256');
    expect(await check('RS256', signAs('PS256', privateKey, INPUT))).toBe('bad_signature');
    expect(await check('RS256', signAs('RS256', privateKey, INPUT))).toBe('accepted');
    const { privateKey: pss } = aKey('PS256');
    expect(await check('PS256', signAs('RS256', pss, INPUT))).toBe('bad_signature');
  });

  it('refuses PSS with another salt length, and other digests', async () => {
    const { privateKey } = aKey('PS256');
    const padding = 6;
    expect(await check('PS256', sign('sha256', INPUT, { key: privateKey, padding, saltLength: 20 }))).toBe(
      'bad_signature',
    );
    expect(await check('PS256', sign('sha384', INPUT, { key: privateKey, padding, saltLength: 32 }))).toBe(
      'bad_signature',
    );
    expect(await check('RS256', sign('sha1', INPUT, aKey('RS256').privateKey))).toBe('bad_signature');
    expect(
      await check('ES256', sign('sha384', INPUT, { key: aKey('ES256').privateKey, dsaEncoding: 'ieee-p1363' })),
    ).toBe('bad_signature');
  });

  it('judges many at once, each by itself', async () => {
    const verifier = new SignatureVerifier(mode);
    const good = by('ES256');
    const outcomes = await Promise.all(
      Array.from({ length: 24 }, (_, i) =>
        codeOf(() => verifier.check(keyOf('ES256'), INPUT, i % 3 === 0 ? flipped(good, i) : good)),
      ),
    );
    expect(outcomes).toEqual(Array.from({ length: 24 }, (_, i) => (i % 3 === 0 ? 'bad_signature' : 'accepted')));
  });
});

describe('verifySignature', () => {
  it('answers yes or no', () => {
    expect(verifySignature(keyOf('EdDSA'), INPUT, by('EdDSA'))).toBe(true);
    expect(verifySignature(keyOf('EdDSA'), INPUT, by('ES256'))).toBe(false);
  });
});

describe('the table of algorithms', () => {
  it('has the five of the protocol, and none for secrets', () =>
    expect([...TAB_ALGORITHMS].sort()).toEqual(['ES256', 'ES384', 'EdDSA', 'PS256', 'RS256']));

  it.each([
    ['ES256', ['ES256']],
    ['ES384', ['ES384']],
    ['EdDSA', ['EdDSA']],
    ['PS256', ['PS256', 'RS256']],
    ['RS256', ['PS256', 'RS256']],
  ] as const)('%s takes keys of its own type only', (alg, types) => {
    for (const other of TAB_ALGORITHMS) {
      expect(SIGNATURE_ALGORITHMS[alg].accepts(aKey(other).jwk), other).toBe(
        (types as readonly string[]).includes(other),
      );
    }
  });

  it.each([
    ['ES256', 64],
    ['ES384', 96],
    ['EdDSA', 64],
    ['PS256', 256],
    ['RS256', 256],
  ] as const)('%s signatures have %s octets', (alg, octets) =>
    expect(SIGNATURE_ALGORITHMS[alg].signatureOctets(aKey(alg).publicKey)).toBe(octets),
  );

  it('knows no signature length for a key that is not RSA', () => {
    const { publicKey } = generateKeyPairSync('ed25519');
    expect(
      SIGNATURE_ALGORITHMS.RS256.signatureOctets(createPublicKey(publicKey.export({ format: 'pem', type: 'spki' }))),
    ).toBe(0);
  });
});
