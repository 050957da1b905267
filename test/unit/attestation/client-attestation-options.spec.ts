import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { JWK } from 'jose';
import { describe, expect, it } from 'vitest';
import { clientAttestation } from '../../../lib/attestation/client-attestation/client-attestation.js';
import type { ClientAttestationOptions } from '../../../lib/attestation/client-attestation/client-attestation.types.js';
import { TabConfigError } from '../../../lib/errors/tab-error.js';
import { attempt, inputOf, issue, issuer } from './client-attestation.fixture.js';

const { jwks } = issuer;
const [issuerKey] = jwks.keys as [JWK];
const jwkOf = (key: KeyObject) => key.export({ format: 'jwk' }) as JWK;
const remote = (uri: unknown, more: object = {}) => ({ issuers: [{ jwks: { uri, ...more } }] });
const local = (...keys: unknown[]) => ({ issuers: [{ jwks: { keys } }] });

describe('clientAttestation: options', () => {
  const bad: [string, unknown, RegExp][] = [
    ['nothing', undefined, /give an object with issuers/],
    ['no issuers', {}, /issuers must list at least one/],
    ['empty issuers', { issuers: [] }, /issuers must list at least one/],
    ['an issuer that is not an object', { issuers: ['https://x.example'] }, /issuers\[0\] must be an object/],
    ['no jwks', { issuers: [{}] }, /issuers\[0\]\.jwks must be \{ keys/],
    ['jwks null', { issuers: [{ jwks: null }] }, /issuers\[0\]\.jwks must be \{ keys/],
    ['keys and uri', { issuers: [{ jwks: { ...jwks, uri: 'https://x.example' } }] }, /keys: \[\.\.\.\] \} or \{ uri/],
    ['keys not a list', { issuers: [{ jwks: { keys: issuerKey } }] }, /at most 100 public JWKs/],
    ['no keys', local(), /no EC, OKP or RSA key/],
    ['only keys of unknown types', local({ kty: 'AKP', pub: 'x' }), /no EC, OKP or RSA key/],
    ['too many keys', local(...Array.from({ length: 101 }, () => issuerKey)), /at most 100 public JWKs/],
    ['a private key', local(jwkOf(issuer.privateKey)), /keys\[0\] holds private/],
    ['a secret', local(issuerKey, { kty: 'oct', k: 'AAAA' }), /keys\[1\] holds private/],
    ['a broken key', local({ ...issuerKey, y: 'AAAA' }), /keys\[0\] is not a public key/],
    [
      'a short RSA key',
      local(jwkOf(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey)),
      /RSA key of fewer than 2048 bits/,
    ],
    ['an empty iss', { issuers: [{ iss: '', jwks }] }, /issuers\[0\]\.iss must be a string/],
    ['an iss that is not a string', { issuers: [{ iss: 7, jwks }] }, /issuers\[0\]\.iss must be a string/],
    ['two issuers without iss', { issuers: [{ jwks }, { jwks }] }, /give each its own/],
    ['two issuers with one iss', { issuers: ['a', 'a'].map((iss) => ({ iss, jwks })) }, /merge their keys/],
    ['no algorithms', { issuers: [{ jwks, algorithms: [] }] }, /algorithms must list/],
    ['algorithms not a list', { issuers: [{ jwks, algorithms: 'ES256' }] }, /algorithms must list/],
    ['a MAC', { issuers: [{ jwks, algorithms: ['ES256', 'HS256'] }] }, /algorithms must list/],
    ['alg none', { issuers: [{ jwks, algorithms: ['none'] }] }, /algorithms must list/],
    ['assurance none', { issuers: [{ jwks, assurance: 'none' }] }, /assurance must be software, tee or strongbox/],
    ['assurance unknown', { issuers: [{ jwks, assurance: 'high' }] }, /assurance must be/],
    ['an empty clientId', { issuers: [{ jwks }], clientId: '' }, /clientId must be a string/],
    ['a long clientId', { issuers: [{ jwks }], clientId: 'c'.repeat(513) }, /clientId must be a string/],
    ['an audience list', { issuers: [{ jwks }], audience: ['a'] }, /audience must be a string/],
    ['maxAge 0', { issuers: [{ jwks }], maxAge: 0 }, /maxAge must be/],
    ['maxAge not whole', { issuers: [{ jwks }], maxAge: 1.5 }, /maxAge must be/],
    ['maxAge endless', { issuers: [{ jwks }], maxAge: Infinity }, /maxAge must be/],
    ['fetch not a function', { issuers: [{ jwks }], fetch: {} }, /fetch must be a function/],
    ['a relative uri', remote('/jwks'), /absolute URL/],
    ['a uri that is not a string', remote(7), /absolute URL/],
    ['http', remote('http://issuer.example/jwks'), /must be https/],
    ['http to a name that starts like loopback', remote('http://127.0.0.1.example/jwks'), /must be https/],
    ['http to a name that ends like loopback', remote('http://x.localhost.example/jwks'), /must be https/],
    ['a file', remote('file:///etc/keys.json'), /must be https/],
    ['data', remote('data:application/json,{}'), /must be https/],
    ['user info', remote('https://user:word@issuer.example/jwks'), /no user info/],
    ['a fragment', remote('https://issuer.example/jwks#x'), /no fragment/],
    ['a timeout of 0', remote('https://issuer.example/jwks', { timeout: 0 }), /timeout must be/],
    ['a long timeout', remote('https://issuer.example/jwks', { timeout: 31 }), /timeout must be/],
    ['an endless cache', remote('https://issuer.example/jwks', { cacheMaxAge: Infinity }), /cacheMaxAge must be/],
    ['a cooldown that is no number', remote('https://issuer.example/jwks', { cooldown: NaN }), /cooldown must be/],
  ];

  it.each(bad)('refuses %s at start-up, saying what to write', (_name, options, message) => {
    const build = () => clientAttestation(options as ClientAttestationOptions);
    expect(build).toThrow(TabConfigError);
    expect(build).toThrow(message);
  });

  it('never quotes a private key that was given by mistake', () => {
    const key = jwkOf(issuer.privateKey);
    const message = messageOf(() => clientAttestation(local(key) as ClientAttestationOptions));
    expect(message).toContain('holds private');
    expect(message).not.toContain(key.d);
  });

  it.each([
    'https://issuer.example/jwks',
    'http://localhost:8080/jwks',
    'http://127.0.0.1/jwks',
    'http://127.9.9.9:1/jwks',
    'http://[::1]:8080/jwks?x=1',
  ])('accepts %s without calling it', (uri) => {
    const fetch = () => Promise.reject(new Error('called'));
    expect(clientAttestation({ issuers: [{ jwks: { uri } }], fetch }).reach).toBe('software');
  });

  it('keeps the configuration as it was given, whatever happens to the objects later', async () => {
    const algorithms: ('ES256' | 'PS256')[] = ['PS256'];
    const keys = [...jwks.keys];
    const strict = clientAttestation({ issuers: [{ jwks, algorithms }] });
    const emptied = clientAttestation({ issuers: [{ jwks: { keys } }] });
    algorithms.push('ES256');
    keys.pop();
    const input = inputOf(await issue());
    expect(await attempt(strict, input)).toMatchObject({ error: { check: 'algorithm' } });
    expect(await attempt(emptied, input)).toHaveProperty('result');
  });

  it('leaves keys of unknown types in a set alone', () => {
    const options = local({ kty: 'AKP', alg: 'ML-DSA-44', pub: 'AAAA' }, issuerKey);
    expect(clientAttestation(options as ClientAttestationOptions).format).toBe('client-attestation');
  });
});

function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return error instanceof Error ? `${error.message} ${error.stack} ${String(error.cause)}` : String(error);
  }
  return 'nothing was thrown';
}
