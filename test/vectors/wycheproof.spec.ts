import { constants, createPublicKey, verify } from 'node:crypto';
import { expect, it } from 'vitest';
import type { PublicJwk, TabAlgorithm } from '../../lib/token/claims.types.js';
import { importPublicKey, readPublicJwk } from '../../lib/token/jwk.js';
import { SignatureVerifier, verifySignature } from '../../lib/token/signature.js';
import { codeOf, thrownBy } from '../utils/core/index.js';
import { describeVectors } from '../utils/vectors.js';

interface Case {
  tcId: number;
  comment: string;
  flags: string[];
  msg: string;
  sig: string;
  result: 'valid' | 'invalid' | 'acceptable';
}
interface Group {
  publicKeyDer: string;
  publicKeyJwk?: Record<string, unknown>;
  keyJwk?: Record<string, unknown>;
  tests: Case[];
}

const FILES: readonly (readonly [file: string, alg: TabAlgorithm, cases: number])[] = [
  ['ecdsa_secp256r1_sha256_p1363_test', 'ES256', 262],
  ['ecdsa_secp384r1_sha384_p1363_test', 'ES384', 280],
  ['ed25519_test', 'EdDSA', 65],
  ['rsa_signature_2048_sha256_test', 'RS256', 259],
];

describeVectors('jose', (vectors) => {
  it.each(FILES)('%s: every verdict is ours', async (file, alg, count) => {
    const { testGroups } = vectors.json<{ testGroups: Group[] }>(`wycheproof/${file}.json`);
    const pooled = new SignatureVerifier('pool');
    let seen = 0;
    for (const group of testGroups) {
      const key = createPublicKey({ key: Buffer.from(group.publicKeyDer, 'hex'), format: 'der', type: 'spki' });
      for (const { tcId, comment, msg, sig, result } of group.tests) {
        const [input, signature] = [Buffer.from(msg, 'hex'), Buffer.from(sig, 'hex')];
        const ours = verifySignature({ alg, key }, input, signature);
        const where = `${file} ${tcId}: ${comment}`;
        if (result !== 'acceptable') expect(ours, where).toBe(result === 'valid');
        expect(await codeOf(() => pooled.check({ alg, key }, input, signature)), where).toBe(
          ours ? 'accepted' : 'bad_signature',
        );
        seen += 1;
      }
    }
    expect(seen).toBe(count);
  });

  it.each(FILES)('%s: the keys read from their JWK are the keys of their DER', (file) => {
    const { testGroups } = vectors.json<{ testGroups: Group[] }>(`wycheproof/${file}.json`);
    let read = 0;
    for (const { publicKeyJwk, keyJwk, publicKeyDer } of testGroups) {
      const given = publicKeyJwk ?? keyJwk;
      if (given === undefined) continue;
      // A few groups have keys that instances may not have.
      if (given['kty'] === 'RSA' && given['e'] !== 'AQAB') {
        expect(thrownBy(() => readPublicJwk(given))).toBe('malformed_token');
        continue;
      }
      const jwk: PublicJwk = readPublicJwk(given);
      expect(importPublicKey(jwk).export({ format: 'der', type: 'spki' }).toString('hex')).toBe(publicKeyDer);
      read += 1;
    }
    expect(read).toBeGreaterThan(0);
  });

  it('no PKCS#1 v1.5 signature passes as PSS', () => {
    const { testGroups } = vectors.json<{ testGroups: Group[] }>('wycheproof/rsa_signature_2048_sha256_test.json');
    for (const { publicKeyDer, tests } of testGroups) {
      const key = createPublicKey({ key: Buffer.from(publicKeyDer, 'hex'), format: 'der', type: 'spki' });
      for (const { msg, sig, result } of tests.filter((each) => each.result === 'valid').slice(0, 3)) {
        const [input, signature] = [Buffer.from(msg, 'hex'), Buffer.from(sig, 'hex')];
        expect(verify('sha256', input, { key, padding: constants.RSA_PKCS1_PADDING }, signature)).toBe(
          result === 'valid',
        );
        expect(verifySignature({ alg: 'PS256', key }, input, signature)).toBe(false);
      }
    }
  });
});
