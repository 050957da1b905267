import { describe, expect, it } from 'vitest';
import type { TabAlgorithm } from '../../lib/token/claims.types.js';
import { parseCompact } from '../../lib/token/compact.js';
import { readTokenHeader } from '../../lib/token/header.js';
import { importPublicKey, readPublicJwk, thumbprint } from '../../lib/token/jwk.js';
import { verifySignature } from '../../lib/token/signature.js';
import { thrownBy } from '../utils/core/index.js';
import { describeVectors } from '../utils/vectors.js';

interface Example {
  id: string;
  jws?: string;
  jwk: Record<string, unknown>;
  alg?: string;
  expected: string;
}
const ALL: ReadonlySet<TabAlgorithm> = new Set<TabAlgorithm>(['ES256', 'ES384', 'EdDSA', 'PS256', 'RS256']);

describeVectors('jose', (vectors) => {
  const examples = () => vectors.json<{ cases: Example[] }>('rfc-examples.json').cases;
  const named = (id: string) => examples().find((each) => each.id === id) as Example;

  it.each([
    ['RFC7515-A.3-ES256', 'ES256'],
    ['RFC8037-A.4-EdDSA', 'EdDSA'],
  ] as const)('verifies %s, and nothing near it', (id, alg) => {
    const { jws = '', jwk } = named(id);
    const [header, payload, signature] = jws.split('.') as [string, string, string];
    const key = importPublicKey(readPublicJwk(jwk));
    const check = (input: string) =>
      verifySignature({ alg, key }, Buffer.from(input), Buffer.from(signature, 'base64url'));
    expect(check(`${header}.${payload}`)).toBe(true);
    expect(check(`${header}.${payload} `)).toBe(false);
    expect(check(`${payload}.${header}`)).toBe(false);
  });

  it('refuses a token under a shared secret: its algorithm and its key', () => {
    const { jws = '', jwk } = named('RFC7515-A.1-HS256');
    const header = { ...parseCompact(jws).header, typ: 'tab+jwt', kid: 'k'.repeat(43) };
    expect(thrownBy(() => readTokenHeader(header, ALL))).toBe('unsupported_alg');
    expect(thrownBy(() => readPublicJwk(jwk))).toBe('malformed_token');
  });

  it('refuses every example as a TAB token for its typ', () => {
    const tokens = examples().flatMap(({ jws }) => (jws === undefined ? [] : [jws]));
    expect(tokens.length).toBeGreaterThan(2);
    // The payload of some is no JSON object, which is refused before.
    for (const token of tokens)
      expect(thrownBy(() => readTokenHeader(parseCompact(token).header, ALL))).toBe('malformed_token');
  });

  it('has the thumbprint of RFC 7638 section 3.1', () => {
    const { jwk, expected } = named('RFC7638-3.1');
    expect(thumbprint(readPublicJwk(jwk))).toBe(expected);
  });

  it.each([
    ['jws_4_1.rsa_v15_signature', 'RS256'],
    ['jws_4_2.rsa-pss_signature', 'PS256'],
    ['jws_4_3.ecdsa_signature', 'ES256'],
  ] as const)('judges the key and signature of RFC 7520 %s', (file, alg) => {
    interface Cookbook {
      input: { key: Record<string, unknown>; alg: string };
      signing: { 'sig-input': string };
      output: { compact: string };
    }
    const { input, output } = vectors.json<Cookbook>(`cookbook/${file}.json`);
    const { d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, ...publicPart } = input.key;
    expect(thrownBy(() => readPublicJwk(input.key))).toBe('malformed_token');
    const [header, payload, signature] = output.compact.split('.') as [string, string, string];
    const outcome = thrownBy(() => readPublicJwk(publicPart));
    if (publicPart['crv'] === 'P-521') expect(outcome).toBe('malformed_token');
    if (outcome !== 'accepted' || input.alg !== alg) {
      // ES512 and PS384 are no algorithms of ours.
      expect(thrownBy(() => readTokenHeader({ typ: 'tab+jwt', alg: input.alg, kid: 'k'.repeat(43) }, ALL))).toBe(
        'unsupported_alg',
      );
      return;
    }
    const key = importPublicKey(readPublicJwk(publicPart));
    expect(
      verifySignature({ alg, key }, Buffer.from(`${header}.${payload}`), Buffer.from(signature, 'base64url')),
    ).toBe(true);
  });
});

describeVectors('jose', (vectors) => {
  describe('thumbprints', () => {
    it('are those of a second implementation', () => {
      const cases = vectors.json<{ vectors: { name: string; jwk: string; thumbprint: string }[] }>(
        'thumbprint-vectors-cloudflare.json',
      ).vectors;
      for (const { name, jwk, thumbprint: expected } of cases) {
        expect(thumbprint(readPublicJwk(JSON.parse(jwk) as Record<string, unknown>)), name).toBe(expected);
      }
      expect(cases).toHaveLength(2);
    });
  });
});

describeVectors('dpop', (vectors) => {
  it('refuses every DPoP proof of RFC 9449 as a TAB token', () => {
    const text = vectors.text('rfc9449-examples.json');
    const tokens = [...text.matchAll(/"(eyJ[\w-]+\.[\w-]+\.[\w-]+)"/g)].map((match) => match[1] as string);
    expect(tokens.length).toBeGreaterThan(0);
    for (const token of tokens)
      expect(thrownBy(() => readTokenHeader(parseCompact(token).header, ALL))).toBe('malformed_token');
  });
});
