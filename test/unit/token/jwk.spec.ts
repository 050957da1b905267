import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { importPublicKey, readPublicJwk, thumbprint } from '../../../lib/token/jwk.js';
import type { PublicJwk } from '../../../lib/token/claims.types.js';
import { aKey, b64u, thrownBy, type Members } from '../../utils/core/index.js';

const P256 = aKey('ES256').jwk as Members;
const P384 = aKey('ES384').jwk as Members;
const ED = aKey('EdDSA').jwk as Members;
const RSA = aKey('RS256').jwk as Members;
const read = (jwk: Members) => thrownBy(() => readPublicJwk(jwk));
const octetsOf = (text: unknown) => Buffer.from(text as string, 'base64url');

/** An RSA key of these octets; nobody has its private part, which reading it does not need. */
const modulus = (bits: number, first = 0x80) => {
  const octets = Buffer.alloc(bits / 8, 0x5a);
  octets[0] = first;
  octets[octets.length - 1] = 0x5b;
  return b64u(octets);
};
const rsa = (change: Members = {}) => ({ kty: 'RSA', n: modulus(2048), e: 'AQAB', ...change });

describe('readPublicJwk', () => {
  it.each([
    ['P-256', P256],
    ['P-384', P384],
    ['Ed25519', ED],
    ['RSA', RSA],
  ])('reads %s as it is', (_what, jwk) => expect(readPublicJwk(jwk)).toEqual(jwk));

  it('leaves other members behind', () => {
    const extra = { alg: 'none', use: 'enc', key_ops: ['decrypt'], kid: 5, x5c: ['x'], jku: 'x', ext: true };
    for (const jwk of [P256, ED, RSA]) expect(readPublicJwk({ ...jwk, ...extra })).toEqual(jwk);
    expect(readPublicJwk({ ...ED, y: P256.y })).toEqual(ED);
    expect(readPublicJwk({ ...P256, n: 'x', e: 'x' })).toEqual(P256);
  });

  it.each(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'])(
    'refuses the private member %s on every type of key, whatever its value',
    (member) => {
      for (const jwk of [P256, P384, ED, RSA]) {
        for (const value of ['AQ', '', null, undefined])
          expect(read({ ...jwk, [member]: value })).toBe('malformed_token');
      }
    },
  );

  it.each([undefined, null, 'oct', 'ec', 'EC ', 'rsa', 'okp', 'AKP', 1, ['EC'], 'toString', '__proto__'])(
    'refuses kty %j',
    (kty) => expect(read({ ...P256, ...ED, ...RSA, kty })).toBe('malformed_token'),
  );

  it.each(['P-521', 'P256', 'p-256', 'secp256k1', 'Ed25519', '', undefined, null, ['P-256'], '__proto__'])(
    'refuses EC on curve %j',
    (crv) => expect(read({ ...P256, crv })).toBe('malformed_token'),
  );
  it.each(['Ed448', 'X25519', 'ed25519', 'P-256', undefined, null, ['Ed25519']])('refuses OKP on curve %j', (crv) =>
    expect(read({ ...ED, crv })).toBe('malformed_token'),
  );

  for (const [name, jwk, members] of [
    ['P-256', P256, ['x', 'y']],
    ['P-384', P384, ['x', 'y']],
    ['Ed25519', ED, ['x']],
  ] as const) {
    it.each([...members])(`refuses ${name} whose %s is not canonical and of full length`, (member) => {
      const octets = octetsOf(jwk[member]);
      const bad = [
        undefined,
        null,
        1,
        [jwk[member]],
        '',
        b64u(octets.subarray(1)),
        b64u(octets.subarray(0, -1)),
        b64u(Buffer.concat([Buffer.alloc(1), octets])),
        b64u(Buffer.concat([octets, Buffer.alloc(1)])),
        `${String(jwk[member])}=`,
        `${String(jwk[member])}\n`,
        octets.toString('base64'),
        octets.toString('hex'),
      ].filter((value) => value !== jwk[member]);
      for (const value of bad) expect(read({ ...jwk, [member]: value }), String(value)).toBe('malformed_token');
    });
  }

  it('refuses coordinates with trailing bits', () => {
    const x = `${'A'.repeat(42)}B`;
    expect(read({ ...P256, x })).toBe('malformed_token');
    expect(read({ ...ED, x })).toBe('malformed_token');
  });

  it.each([
    ['2048 bits', rsa(), 'accepted'],
    ['3072 bits', rsa({ n: modulus(3072) }), 'accepted'],
    ['4096 bits', rsa({ n: modulus(4096) }), 'accepted'],
    ['1024 bits', rsa({ n: modulus(1024) }), 'malformed_token'],
    ['2040 bits', rsa({ n: modulus(2040) }), 'malformed_token'],
    ['4104 bits', rsa({ n: modulus(4104) }), 'malformed_token'],
    ['8192 bits', rsa({ n: modulus(8192) }), 'malformed_token'],
    ['a leading zero octet', rsa({ n: modulus(2056, 0) }), 'malformed_token'],
    ['a leading zero octet within the length', rsa({ n: modulus(2048, 0) }), 'malformed_token'],
    ['a padded modulus', rsa({ n: `${modulus(2048)}==` }), 'malformed_token'],
    ['no modulus', rsa({ n: undefined }), 'malformed_token'],
    ['e = 3', rsa({ e: 'Aw' }), 'malformed_token'],
    ['e = 1', rsa({ e: 'AQ' }), 'malformed_token'],
    ['e = 65539', rsa({ e: 'AQAD' }), 'malformed_token'],
    ['e with a leading zero octet', rsa({ e: 'AAEAAQ' }), 'malformed_token'],
    ['e padded', rsa({ e: 'AQAB=' }), 'malformed_token'],
    ['e as a number', rsa({ e: 65537 }), 'malformed_token'],
    ['no e', rsa({ e: undefined }), 'malformed_token'],
  ])('RSA with %s: %s', (_what, jwk, outcome) => expect(read(jwk)).toBe(outcome));
});

describe('importPublicKey', () => {
  it.each(['ES256', 'ES384', 'EdDSA', 'RS256'] as const)('imports a key for %s', (alg) => {
    const { jwk, publicKey } = aKey(alg);
    expect(importPublicKey(jwk).equals(publicKey)).toBe(true);
  });

  it('refuses a point that is not on its curve', () => {
    const y = octetsOf(P256.y);
    y[31] = (y[31] as number) ^ 1;
    expect(thrownBy(() => importPublicKey({ ...P256, y: b64u(y) } as PublicJwk))).toBe('malformed_token');
  });
  it('refuses the point at infinity as zeros', () => {
    const zeros = 'A'.repeat(43);
    expect(thrownBy(() => importPublicKey({ kty: 'EC', crv: 'P-256', x: zeros, y: zeros }))).toBe('malformed_token');
  });
  it('refuses coordinates not below the prime', () => {
    const ones = `${'_'.repeat(42)}8`;
    expect(thrownBy(() => importPublicKey({ kty: 'EC', crv: 'P-256', x: ones, y: ones }))).toBe('malformed_token');
  });
  it('refuses a modulus whose bits are not whole octets, which has leading zero bits', () => {
    expect(thrownBy(() => importPublicKey(rsa({ n: modulus(2048, 0x40) }) as PublicJwk))).toBe('malformed_token');
    expect(thrownBy(() => importPublicKey(rsa({ n: modulus(2048, 0x01) }) as PublicJwk))).toBe('malformed_token');
  });
  it('takes a real key of 4096 bits', () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const jwk = publicKey.export({ format: 'jwk' }) as unknown as PublicJwk;
    expect(importPublicKey(jwk).equals(createPublicKey(publicKey.export({ format: 'pem', type: 'spki' })))).toBe(true);
    expect(importPublicKey(rsa({ n: modulus(4096) }) as PublicJwk).asymmetricKeyDetails?.modulusLength).toBe(4096);
  });
});

describe('thumbprint', () => {
  it('is that of RFC 7638 section 3.1', () => {
    const n =
      '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw';
    expect(thumbprint({ kty: 'RSA', n, e: 'AQAB' })).toBe('NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs');
  });
  it('is that of RFC 8037 appendix A.3', () => {
    expect(thumbprint({ kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' })).toBe(
      'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k',
    );
  });
  it('is that of the DPoP example of RFC 9449 section 6.1', () => {
    const jwk = {
      kty: 'EC',
      crv: 'P-256',
      x: 'l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs',
      y: '9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA',
    } as const;
    expect(thumbprint(jwk)).toBe('0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I');
  });
  it.each(['ES256', 'ES384', 'EdDSA', 'RS256'] as const)(
    'has 43 characters and is made of the required members: %s',
    (alg) => {
      const { jwk, id } = aKey(alg);
      expect(thumbprint(jwk)).toBe(id);
      expect(id).toMatch(/^[A-Za-z0-9_-]{43}$/);
    },
  );
});
