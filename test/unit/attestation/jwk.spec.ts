import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { calculateJwkThumbprint, type JWK } from 'jose';
import { describe, expect, it } from 'vitest';
import { jwkThumbprint } from '../../../lib/attestation/jose/jwk.js';
import { hasPrivateMembers } from '../../../lib/token/jwk.js';

const RFC_7638_EXAMPLE = {
  kty: 'RSA',
  n: '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw',
  e: 'AQAB',
  alg: 'RS256',
  kid: '2011-04-29',
};

describe('jwkThumbprint', () => {
  it('is that of the example in RFC 7638 section 3.1', () => {
    expect(jwkThumbprint(RFC_7638_EXAMPLE)).toBe('NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs');
  });

  const keys: [string, KeyObject][] = [
    ['P-256', generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey],
    ['Ed25519', generateKeyPairSync('ed25519').publicKey],
    ['RSA', generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey],
  ];

  it.each(keys)('agrees with another implementation on %s, in any order of members', async (_name, key) => {
    const jwk = key.export({ format: 'jwk' }) as JWK;
    const shuffled = Object.fromEntries(Object.entries({ ...jwk, kid: 'x' }).reverse());
    expect(jwkThumbprint(shuffled)).toBe(await calculateJwkThumbprint(jwk));
  });

  it.each([
    [{}],
    [{ kty: 'oct', k: 'AA' }],
    [{ kty: 'EC', crv: 'P-256', x: 'AA' }],
    [{ kty: 'EC', crv: 'P-256', x: 'AA', y: null }],
    [{ kty: ['EC'], crv: 'P-256', x: 'AA', y: 'AA' }],
    [{ kty: '__proto__' }],
    [Object.create({ kty: 'OKP', crv: 'Ed25519', x: 'AA' }) as Record<string, unknown>],
  ])('is undefined for %j', (jwk) => {
    expect(jwkThumbprint(jwk)).toBeUndefined();
  });
});

describe('hasPrivateMembers', () => {
  it('sees them whatever their value, and nothing else', () => {
    expect(hasPrivateMembers(RFC_7638_EXAMPLE)).toBe(false);
    expect(hasPrivateMembers({ ...RFC_7638_EXAMPLE, d: undefined })).toBe(true);
    expect(hasPrivateMembers({ ...RFC_7638_EXAMPLE, oth: [] })).toBe(true);
  });
});
