import { createHash, createPublicKey, randomBytes, verify, type JsonWebKey } from 'node:crypto';
import { exportJWK, generateKeyPair } from 'jose';
import { describe, expect, it } from 'vitest';
import type { PublicJwk, TabAlgorithm } from '../../../lib/token/claims.types.js';
import {
  bindingClaims,
  credentialOf,
  enrolmentBinding,
  makeClaims,
  mintEnrolToken,
  mintToken,
  publicMembers,
  thumbprint,
  type MintRequest,
  type SigningKey,
} from '../../../lib/token/mint.js';

const sha = (data: string | Uint8Array) => createHash('sha256').update(data).digest('base64url');
const request = (override: Partial<MintRequest> = {}): MintRequest => ({
  method: 'GET',
  url: 'https://api.example.com/accounts',
  ...override,
});
const facts = {
  iat: 1_800_000_000,
  nonce: 'n'.repeat(22),
  sid: 's'.repeat(22),
  app: { id: 'bank', ver: '1.2.3' },
  rt: { at: 1_799_999_990, found: [], clear: ['root'], sdk: 'x/1' },
};

async function newKey(algorithm: TabAlgorithm = 'ES256'): Promise<SigningKey> {
  const pair = await generateKeyPair(algorithm, { extractable: false });
  return { algorithm, privateKey: pair.privateKey, publicKey: (await exportJWK(pair.publicKey)) as PublicJwk };
}

const json = (text: string) => JSON.parse(Buffer.from(text, 'base64url').toString());

function segments(token: string) {
  const [header = '', payload = '', signature = ''] = token.split('.');
  const input = Buffer.from(`${header}.${payload}`);
  return { header: json(header), claims: json(payload), signature: Buffer.from(signature, 'base64url'), input };
}

describe('binding claims', () => {
  it('binds method and target, and nothing that is not there', async () => {
    expect(await bindingClaims(request())).toEqual({ htm: 'GET', htu: 'https://api.example.com/accounts' });
  });

  it.each([
    ['HTTPS://API.Example.COM:443', 'https://api.example.com/'],
    ['https://api.example.com:8443/a', 'https://api.example.com:8443/a'],
    ['https://api.example.com/a//b/;x=1/%2F/%7e/', 'https://api.example.com/a//b/;x=1/%2F/%7e/'],
    ['https://api.example.com/a b/é', 'https://api.example.com/a%20b/%C3%A9'],
    ['https://api.example.com/a/%2e%2E/b/./c', 'https://api.example.com/b/c'],
    ['https://api.example.com/a#f?x', 'https://api.example.com/a'],
    ['https://api.example.com/a?', 'https://api.example.com/a'],
    ['http://[::1]:80/a', 'http://[::1]/a'],
  ])('takes the target of %s as fetch sends it', async (url, htu) => {
    expect(await bindingClaims(request({ url }))).toEqual({ htm: 'GET', htu });
  });

  it.each([
    ['?a=1', 'a=1'],
    ['?a=1#f', 'a=1'],
    ['?a=1?b=2', 'a=1?b=2'],
    ['?ü \'"<>', '%C3%BC%20%27%22%3C%3E'],
    ['?%7e+~', '%7e+~'],
    ['??', '?'],
  ])('hashes the query %s as sent', async (query, sent) => {
    const { qsh } = await bindingClaims(request({ url: `https://api.example.com/a${query}` }));
    expect(qsh).toBe(sha(sent));
  });

  it('keeps the method as it is', async () => {
    expect((await bindingClaims(request({ method: 'patch' }))).htm).toBe('patch');
  });

  it('hashes content, on every method, and names its media type', async () => {
    const content = randomBytes(1000);
    const claims = await bindingClaims(
      request({ method: 'DELETE', content, contentType: ' Text/PLAIN ; charset="x;y"' }),
    );
    expect(claims).toMatchObject({ bh: sha(content), ct: 'text/plain' });
  });

  it('leaves bh and ct out together', async () => {
    const claims = await bindingClaims(request({ content: new Uint8Array(), contentType: 'text/plain' }));
    expect(claims).toEqual({ htm: 'GET', htu: 'https://api.example.com/accounts' });
    expect(await bindingClaims(request({ content: Buffer.from('x') }))).not.toHaveProperty('ct');
  });

  it('hashes a view, not the buffer behind it', async () => {
    const whole = Buffer.from('0123456789');
    expect((await bindingClaims(request({ content: whole.subarray(2, 4) }))).bh).toBe(sha('23'));
  });

  it('hashes the credential and the bound headers octet by octet', async () => {
    const claims = await bindingClaims(
      request({ credential: 'tok\u00e9n', headers: { 'Idempotency-KEY': 'k-1', 'x-l': '\u00ff' } }),
    );
    expect(claims.ath).toBe(sha(Buffer.from('tok\u00e9n', 'latin1')));
    expect(claims.hd).toEqual({ 'idempotency-key': sha('k-1'), 'x-l': sha(Buffer.from([0xff])) });
  });

  it.each([
    ['a relative URL', { url: '/a' }],
    ['another scheme', { url: 'ftp://api.example.com/a' }],
    ['userinfo', { url: 'https://u:p@api.example.com/a' }],
    ['a header value beyond one octet', { headers: { a: '€' } }],
  ])('refuses %s', async (_, override) => {
    await expect(bindingClaims(request(override))).rejects.toThrow(TypeError);
  });
});

describe('tokens', () => {
  it('puts together exactly the claims of the protocol', async () => {
    const claims = await makeClaims(request(), { ...facts, exp: facts.iat + 5 });
    const { jti, ...rest } = claims;
    expect(jti).toMatch(/^[A-Za-z0-9_-]{22}$/);
    expect(rest).toEqual({ ...facts, exp: facts.iat + 5, htm: 'GET', htu: 'https://api.example.com/accounts' });
  });

  it('never makes the same jti twice', async () => {
    const all = await Promise.all(Array.from({ length: 500 }, () => makeClaims(request(), facts)));
    expect(new Set(all.map((claims) => claims.jti)).size).toBe(500);
  });

  it('takes no member that it was not asked for', async () => {
    const rt = { ...facts.rt, extra: 1 };
    const claims = await makeClaims(request(), { iat: 1, app: { ...facts.app, platform: 'x' } as never, rt });
    expect(Object.keys(claims).toSorted()).toEqual(['app', 'htm', 'htu', 'iat', 'jti', 'rt']);
    expect(claims.app).toEqual(facts.app);
    expect(claims.rt).toEqual(facts.rt);
  });

  it('signs a request token under the thumbprint', async () => {
    const key = await newKey();
    const claims = await makeClaims(request(), facts);
    const token = await mintToken(key, claims);
    const { kty, crv, x, y } = key.publicKey as Extract<PublicJwk, { kty: 'EC' }>;
    const kid = sha(`{"crv":"${crv}","kty":"${kty}","x":"${x}","y":"${y}"}`);
    expect(token).toMatch(/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}$/);
    expect(segments(token).header).toEqual({ typ: 'tab+jwt', alg: 'ES256', kid });
    expect(segments(token).claims).toEqual(JSON.parse(JSON.stringify(claims)));
    expect(await thumbprint(key.publicKey)).toBe(kid);
  });

  it('signs an enrolment token with the bare public key in it', async () => {
    const key = await newKey();
    const hinted = {
      ...key,
      publicKey: { ...key.publicKey, kid: 'a', use: 'sig', d: 'private' } as unknown as PublicJwk,
    };
    const { header } = segments(await mintEnrolToken(hinted, await makeClaims(request(), facts)));
    expect(header).toEqual({ typ: 'tab-enroll+jwt', alg: 'ES256', jwk: publicMembers(key.publicKey) });
    expect(Object.keys(header.jwk).toSorted()).toEqual(['crv', 'kty', 'x', 'y']);
  });

  it.each([
    ['ES256', 'sha256', 64],
    ['ES384', 'sha384', 96],
    ['EdDSA', null, 64],
    ['RS256', 'sha256', 256],
    ['PS256', 'sha256', 256],
  ] as const)('makes a %s signature that verifies', async (algorithm, hash, length) => {
    const key = await newKey(algorithm);
    const { header, signature, input } = segments(await mintToken(key, await makeClaims(request(), facts)));
    const publicKey = createPublicKey({ key: publicMembers(key.publicKey) as JsonWebKey, format: 'jwk' });
    const padding = algorithm === 'PS256' ? { padding: 6, saltLength: 32 } : {};
    expect(header.alg).toBe(algorithm);
    expect(signature).toHaveLength(length);
    expect(verify(hash, input, { key: publicKey, dsaEncoding: 'ieee-p1363', ...padding }, signature)).toBe(true);
    expect(
      verify(hash, Buffer.concat([input, input]), { key: publicKey, dsaEncoding: 'ieee-p1363', ...padding }, signature),
    ).toBe(false);
  });

  it('refuses to make a token that no server takes', async () => {
    const headers = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`x-header-${index}`, 'v']));
    const claims = await makeClaims(request({ headers }), facts);
    await expect(mintToken(await newKey(), claims)).rejects.toThrow(RangeError);
  });
});

describe('enrolment binding', () => {
  it('hashes the five lines, without a last line feed', async () => {
    const binding = await enrolmentBinding({
      origin: 'https://a.example',
      challenge: 'c.1',
      appId: 'bank',
      thumbprint: 't',
    });
    expect(Buffer.from(binding).toString('base64url')).toBe(sha('tab-enroll-v1\nhttps://a.example\nc.1\nbank\nt'));
    expect(binding).toHaveLength(32);
  });
});

describe('credential of an Authorization value', () => {
  it.each([
    ['Bearer abc', 'abc'],
    ['Bearer   abc', 'abc'],
    ['DPoP a b=c, d', 'a b=c, d'],
    ['Bearer', undefined],
    ['', undefined],
  ])('%j', (value, credential) => {
    expect(credentialOf(value)).toBe(credential);
  });
});
