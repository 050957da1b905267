import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, SignJWT, type JWK } from 'jose';
import { describe, expect, it } from 'vitest';
import { AttestationError } from '../../../lib/attestation/attestation-error.js';
import { clientAttestation } from '../../../lib/attestation/client-attestation/client-attestation.js';
import type { ClientAttestationCheck } from '../../../lib/attestation/client-attestation/client-attestation.types.js';
import { createAttestationIssuer } from '../../../lib/testing/attestation-issuer.js';
import type { PublicJwk } from '../../../lib/token/claims.types.js';
import {
  APP_ID,
  attempt,
  attesterWith,
  forge,
  inputOf,
  instanceKey,
  issue,
  issuer,
  KID,
  newInstanceKey,
  NOW,
  VALID_HEADER,
  validClaims,
  type Outcome,
} from './client-attestation.fixture.js';

function expectRefusal(outcome: Outcome, check: ClientAttestationCheck, stage: 'examine' | 'finish'): void {
  expect(outcome).toMatchObject({ stage, error: { code: 'attestation_rejected', check } });
  expect('error' in outcome && outcome.error).toBeInstanceOf(AttestationError);
}

describe('clientAttestation', () => {
  it('accepts an attestation of the instance key and says what it proves', async () => {
    const outcome = await attempt(attesterWith(), inputOf(await issue({ claims: { jti: 'one' } })));
    expect(outcome).toEqual({
      result: {
        format: 'client-attestation',
        assurance: 'software',
        keyBound: true,
        app: { id: APP_ID },
        claims: { sub: APP_ID, iat: NOW, exp: NOW + 3600, jti: 'one' },
        expiresAt: NOW + 3600,
      },
    });
  });

  it('accepts the least that the draft asks for', async () => {
    const jwt = await issue({ claims: { iat: undefined, jti: undefined } });
    const outcome = await attempt(attesterWith(), inputOf(jwt));
    expect(outcome).toMatchObject({ result: { claims: { sub: APP_ID, exp: NOW + 3600 } } });
    expect('result' in outcome && Object.keys(outcome.result.claims).sort()).toEqual(['exp', 'sub']);
  });

  it('ignores claims and statement members that it does not know', async () => {
    const jwt = await issue({ claims: { status: { n: 1 }, assurance: 'strongbox', app: { id: 'other' } } });
    const outcome = await attempt(attesterWith(), inputOf(jwt, { statement: { jwt, assurance: 'strongbox' } }));
    expect(outcome).toMatchObject({ result: { assurance: 'software', app: { id: APP_ID } } });
  });

  it('names the client id in claims and the enrolled app in the result', async () => {
    const attester = attesterWith({ clientId: 'https://client.example.com' });
    const outcome = await attempt(attester, inputOf(await issue({ sub: 'https://client.example.com' })));
    expect(outcome).toMatchObject({ result: { app: { id: APP_ID }, claims: { sub: 'https://client.example.com' } } });
  });

  it('refuses the app id as sub when a client id is configured', async () => {
    expectRefusal(await attempt(attesterWith({ clientId: 'other' }), inputOf(await issue())), 'subject', 'examine');
  });

  it('caps the expiry at maxAge, by default 30 days', async () => {
    const input = inputOf(await issue({ expiresIn: 10 * 365 * 86_400 }));
    expect(await attempt(attesterWith(), input)).toMatchObject({ result: { expiresAt: NOW + 30 * 86_400 } });
    expect(await attempt(attesterWith({ maxAge: 60 }), input)).toMatchObject({ result: { expiresAt: NOW + 60 } });
  });

  it('rounds fractional times down', async () => {
    const outcome = await attempt(attesterWith(), inputOf(await issue({ claims: { exp: NOW + 9.9, iat: NOW - 0.5 } })));
    expect(outcome).toMatchObject({ result: { expiresAt: NOW + 9 } });
  });

  it('may be presented again by the same key, also at the same time', async () => {
    const attester = attesterWith();
    const input = inputOf(await issue());
    const outcomes = await Promise.all([attempt(attester, input), attempt(attester, input), attempt(attester, input)]);
    expect(outcomes.every((outcome) => 'result' in outcome)).toBe(true);
  });

  it('reaches the highest assurance of its issuers and gives that of the one that signed', async () => {
    const tee = createAttestationIssuer({ iss: 'https://tee.example', clock: () => NOW });
    const attester = clientAttestation({
      issuers: [{ jwks: issuer.jwks }, { iss: 'https://tee.example', jwks: tee.jwks, assurance: 'tee' }],
    });
    expect(attester).toMatchObject({ format: 'client-attestation', reach: 'tee' });
    const jwt = await tee.issue({ sub: APP_ID, publicKey: instanceKey });
    const outcome = await attempt(attester, inputOf(jwt));
    expect(outcome).toMatchObject({ result: { assurance: 'tee', claims: { iss: 'https://tee.example' } } });
    expect(await attempt(attester, inputOf(await issue()))).toMatchObject({ result: { assurance: 'software' } });
  });
});

describe('clientAttestation: instance keys', () => {
  const pairs: [string, KeyObject][] = [
    ['P-384', generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey],
    ['Ed25519', generateKeyPairSync('ed25519').publicKey],
    ['RSA', generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey],
  ];

  it.each(pairs)('binds %s keys', async (_name, key) => {
    const publicKey = key.export({ format: 'jwk' }) as PublicJwk;
    const jwt = await issue({ publicKey: { ...publicKey, use: 'sig', kid: 'x' } as JWK });
    const input = inputOf(jwt, { publicKey, thumbprint: await calculateJwkThumbprint(publicKey as JWK) });
    expect(await attempt(attesterWith(), input)).toHaveProperty('result');
  });

  it('refuses the attestation of another key', async () => {
    const jwt = await issue({ publicKey: newInstanceKey() });
    expectRefusal(await attempt(attesterWith(), inputOf(jwt)), 'key-binding', 'examine');
  });

  it('refuses another spelling of the same key', async () => {
    const jwt = await issue({ publicKey: { ...instanceKey, x: `${'x' in instanceKey ? instanceKey.x : ''}=` } as JWK });
    expectRefusal(await attempt(attesterWith(), inputOf(jwt)), 'key-binding', 'examine');
  });

  it.each(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'])('refuses the private member %s', async (member) => {
    for (const value of ['AAAA', '', null]) {
      const jwt = await issue({ claims: { cnf: { jwk: { ...instanceKey, [member]: value } } } });
      expectRefusal(await attempt(attesterWith(), inputOf(jwt)), 'confirmation', 'examine');
    }
  });

  const confirmations: [string, unknown][] = [
    ['absent', undefined],
    ['null', null],
    ['a list', [{ jwk: instanceKey }]],
    ['without jwk', { jkt: 'x' }],
    ['with jwk null', { jwk: null }],
    ['with jwk a list', { jwk: [instanceKey] }],
    ['with jwk a string', { jwk: JSON.stringify(instanceKey) }],
    ['with an unknown key type', { jwk: { ...instanceKey, kty: 'AKP' } }],
    ['with a key type of Object.prototype', { jwk: { ...instanceKey, kty: 'constructor' } }],
    ['with a symmetric key', { jwk: { kty: 'oct' } }],
    ['with a member missing', { jwk: { ...instanceKey, y: undefined } }],
    ['with an ill-typed member', { jwk: { ...instanceKey, y: 1 } }],
  ];

  it.each(confirmations)('refuses cnf %s', async (_name, cnf) => {
    expectRefusal(await attempt(attesterWith(), inputOf(await issue({ claims: { cnf } }))), 'confirmation', 'examine');
  });
});

describe('clientAttestation: claims', () => {
  const refused: [string, Record<string, unknown>, ClientAttestationCheck][] = [
    ['sub absent', { sub: undefined }, 'claims'],
    ['sub a number', { sub: 1 }, 'claims'],
    ['sub of another app', { sub: 'bank.ios' }, 'subject'],
    ['sub in another case', { sub: APP_ID.toUpperCase() }, 'subject'],
    ['exp absent', { exp: undefined }, 'claims'],
    ['exp a string', { exp: `${NOW + 60}` }, 'claims'],
    ['exp negative', { exp: -1 }, 'claims'],
    ['exp beyond the range', { exp: 1e300 }, 'claims'],
    ['exp past', { iat: NOW - 9, exp: NOW - 1 }, 'time'],
    ['exp now', { iat: NOW - 9, exp: NOW }, 'time'],
    ['exp in this second', { iat: NOW - 9, exp: NOW + 0.9 }, 'time'],
    ['iat beyond tolerance', { iat: NOW + 16 }, 'time'],
    ['iat a string', { iat: 'now' }, 'claims'],
    ['iat null', { iat: null }, 'claims'],
    ['iat after exp', { iat: NOW + 10, exp: NOW + 5 }, 'time'],
    ['nbf beyond tolerance', { nbf: NOW + 16 }, 'time'],
    ['nbf a boolean', { nbf: true }, 'claims'],
    ['nbf at exp', { nbf: NOW + 5, exp: NOW + 5 }, 'time'],
    ['jti a number', { jti: 7 }, 'claims'],
    ['jti too long', { jti: 'j'.repeat(513) }, 'claims'],
    ['iss a list', { iss: ['a'] }, 'claims'],
    ['iss too long', { iss: 'i'.repeat(513) }, 'claims'],
    ['aud for somebody', { aud: 'https://as.example.com' }, 'audience'],
    ['aud an empty list', { aud: [] }, 'claims'],
    ['aud an object', { aud: {} }, 'claims'],
  ];

  it.each(refused)('refuses %s', async (_name, claims, check) => {
    expectRefusal(await attempt(attesterWith(), inputOf(await issue({ claims }))), check, 'examine');
  });

  const accepted: [string, Record<string, unknown>][] = [
    ['iat at the tolerance', { iat: NOW + 15 }],
    ['nbf at the tolerance', { nbf: NOW + 15 }],
    ['iat long ago', { iat: 0 }],
    ['exp in a second', { exp: NOW + 1 }],
  ];

  it.each(accepted)('accepts %s', async (_name, claims) => {
    expect(await attempt(attesterWith(), inputOf(await issue({ claims })))).toHaveProperty('result');
  });

  it('accepts an audience when it is the configured one', async () => {
    const attester = attesterWith({ audience: 'https://api.example' });
    const aud = ['https://other.example', 'https://api.example'];
    expect(await attempt(attester, inputOf(await issue({ claims: { aud } })))).toHaveProperty('result');
    expect(await attempt(attester, inputOf(await issue()))).toHaveProperty('result');
    const foreign = await issue({ claims: { aud: 'https://other.example' } });
    expectRefusal(await attempt(attester, inputOf(foreign)), 'audience', 'examine');
  });
});

describe('clientAttestation: header and structure', () => {
  const headers: [string, Record<string, unknown>, ClientAttestationCheck][] = [
    ['typ absent', { typ: undefined }, 'header'],
    ['typ JWT', { typ: 'JWT' }, 'header'],
    ['typ of a proof of possession', { typ: 'oauth-client-attestation-pop+jwt' }, 'header'],
    ['typ in another case', { typ: 'OAuth-Client-Attestation+JWT' }, 'header'],
    ['typ with application/', { typ: 'application/oauth-client-attestation+jwt' }, 'header'],
    ['typ a list', { typ: ['oauth-client-attestation+jwt'] }, 'header'],
    ['crit', { crit: ['x'], x: 1 }, 'header'],
    ['crit empty', { crit: [] }, 'header'],
    ['b64', { b64: true }, 'header'],
    ['kid a number', { kid: 1 }, 'header'],
    ['kid too long', { kid: 'k'.repeat(257) }, 'header'],
    ['kid unknown', { kid: 'other' }, 'issuer-key'],
    ['kid empty', { kid: '' }, 'issuer-key'],
    ['alg absent', { alg: undefined }, 'algorithm'],
    ['alg none', { alg: 'none' }, 'algorithm'],
    ['alg HS256', { alg: 'HS256' }, 'algorithm'],
    ['alg in another case', { alg: 'es256' }, 'algorithm'],
    ['alg not in the default list', { alg: 'ES512' }, 'algorithm'],
    ['alg a list', { alg: ['ES256'] }, 'algorithm'],
  ];

  it.each(headers)('refuses %s', async (_name, header, check) => {
    const jwt = forge({ ...VALID_HEADER, ...header }, validClaims());
    expectRefusal(await attempt(attesterWith(), inputOf(jwt)), check, 'examine');
  });

  it('refuses an allowed algorithm that no key of the issuer has', async () => {
    const jwt = forge({ ...VALID_HEADER, alg: 'PS256' }, validClaims());
    expectRefusal(await attempt(attesterWith(), inputOf(jwt)), 'issuer-key', 'finish');
  });

  it('allows per issuer only what is configured', async () => {
    const attester = attesterWith({}, { algorithms: ['PS256'] });
    expectRefusal(await attempt(attester, inputOf(await issue())), 'algorithm', 'examine');
  });

  it('takes no key from the header', async () => {
    const thief = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = await exportJWK(thief.publicKey);
    for (const header of [
      { ...VALID_HEADER, jwk },
      { typ: VALID_HEADER.typ, alg: 'ES256', jwk, jku: 'https://x.example' },
    ]) {
      const outcome = await attempt(attesterWith(), inputOf(forge(header, validClaims(), thief.privateKey)));
      expectRefusal(outcome, 'signature', 'finish');
    }
  });

  it('does not take the public key for a MAC secret', async () => {
    const input = `${b64u({ ...VALID_HEADER, alg: 'HS256' })}.${b64u(validClaims())}`;
    const mac = createHmac('sha256', JSON.stringify(issuer.jwks.keys[0])).update(input).digest('base64url');
    expectRefusal(await attempt(attesterWith(), inputOf(`${input}.${mac}`)), 'algorithm', 'examine');
  });

  const statements: [string, unknown, ClientAttestationCheck][] = [
    ['absent', undefined, 'statement'],
    ['null', null, 'statement'],
    ['a string', 'eyJ9', 'statement'],
    ['a list', [{ jwt: 'x' }], 'statement'],
    ['without jwt', { token: 'x' }, 'statement'],
    ['with an inherited jwt', Object.create({ jwt: 'x' }), 'statement'],
    ['with jwt null', { jwt: null }, 'structure'],
    ['with jwt a list', { jwt: ['a.b.c'] }, 'structure'],
    ['with jwt empty', { jwt: '' }, 'structure'],
  ];

  it.each(statements)('refuses a statement %s', async (_name, statement, check) => {
    expectRefusal(await attempt(attesterWith(), inputOf('', { statement })), check, 'examine');
  });

  it('refuses malformed compact forms', async () => {
    const [header, claims, signature] = (await issue()).split('.') as [string, string, string];
    const forms = [
      `${header}.${claims}`,
      `${header}.${claims}.`,
      `${header}..${signature}`,
      `.${claims}.${signature}`,
      `${header}.${claims}.${signature}.${signature}`,
      `${header}.${claims}.${signature}=`,
      ` ${header}.${claims}.${signature}`,
      `${header}.${claims}.${signature}\n`,
      `${Buffer.from('[]').toString('base64url')}.${claims}.${signature}`,
      `${header}.${Buffer.from('null').toString('base64url')}.${signature}`,
      `${header}.${Buffer.from('{"sub":"\xff"}', 'latin1').toString('base64url')}.${signature}`,
      `${header}.${Buffer.from('\ufeff{}').toString('base64url')}.${signature}`,
      `${header}.${claims.repeat(40)}.${signature}`,
    ];
    for (const form of forms) expectRefusal(await attempt(attesterWith(), inputOf(form)), 'structure', 'examine');
  });

  it('accepts 8192 characters and refuses one more', async () => {
    const padded = (length: number) => forge(VALID_HEADER, { ...validClaims(), pad: 'p'.repeat(length) });
    const lengths = Array.from({ length: 8 }, (_, index) => padded(5700 + index).length);
    expect(Math.max(...lengths)).toBeLessThan(8192);
    let size = 5700;
    while (padded(size + 1).length <= 8192) size += 1;
    expect(await attempt(attesterWith(), inputOf(padded(size)))).toHaveProperty('result');
    expectRefusal(await attempt(attesterWith(), inputOf(padded(size + 1))), 'structure', 'examine');
  });

  it('never quotes the attestation in its errors', async () => {
    const secret = 'do-not-log-this';
    const claims = { sub: secret, iss: secret, jti: secret, cnf: { jwk: { ...instanceKey, d: secret } } };
    for (const jwt of [forge(VALID_HEADER, claims), forge({ typ: secret, alg: secret }, `{"${secret}`), secret]) {
      const outcome = await attempt(attesterWith(), inputOf(jwt));
      const error = 'error' in outcome ? (outcome.error as AttestationError) : undefined;
      expect(error).toBeInstanceOf(AttestationError);
      expect(`${error?.message} ${error?.stack} ${String(error?.cause)}`).not.toContain(secret);
    }
  });
});

describe('clientAttestation: signatures', () => {
  it('refuses the signature of another key under the same kid, after every other check passed', async () => {
    const thief = createAttestationIssuer({ clock: () => NOW, kid: KID });
    const jwt = await thief.issue({ sub: APP_ID, publicKey: instanceKey });
    expectRefusal(await attempt(attesterWith(), inputOf(jwt)), 'signature', 'finish');
  });

  it.each([
    ['empty halves', Buffer.alloc(64)],
    ['r and s of ones', Buffer.alloc(64, 0xff)],
    ['one octet', Buffer.alloc(1)],
    ['DER', Buffer.from('3006020101020101', 'hex')],
  ])('refuses a signature of %s', async (_name, signature) => {
    const jwt = (await issue()).replace(/[^.]+$/, signature.toString('base64url'));
    expectRefusal(await attempt(attesterWith(), inputOf(jwt)), 'signature', 'finish');
  });

  const families: [string, string, () => { publicKey: KeyObject; privateKey: KeyObject }][] = [
    ['ES384', 'ES384', () => generateKeyPairSync('ec', { namedCurve: 'P-384' })],
    ['PS256', 'PS256', () => generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['RS256', 'RS256', () => generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['EdDSA', 'EdDSA', () => generateKeyPairSync('ed25519')],
    ['Ed25519', 'Ed25519', () => generateKeyPairSync('ed25519')],
  ];

  it.each(families)('verifies %s by default', async (_name, alg, generate) => {
    const { publicKey, privateKey } = generate();
    const attester = clientAttestation({ issuers: [{ jwks: { keys: [await exportJWK(publicKey)] } }] });
    const jwt = await new SignJWT(validClaims()).setProtectedHeader({ typ: VALID_HEADER.typ, alg }).sign(privateKey);
    expect(await attempt(attester, inputOf(jwt))).toHaveProperty('result');
  });

  it('tries the few keys that fit when no kid is named', async () => {
    const { keys } = createAttestationIssuer().jwks;
    const attester = attesterWith({}, { jwks: { keys: [...keys, ...issuer.jwks.keys] } });
    expect(await attempt(attester, inputOf(await issue({ header: { kid: undefined } })))).toHaveProperty('result');
    const stranger = createAttestationIssuer({ clock: () => NOW });
    const jwt = await stranger.issue({ sub: APP_ID, publicKey: instanceKey, header: { kid: undefined } });
    expectRefusal(await attempt(attester, inputOf(jwt)), 'signature', 'finish');
  });

  it('tries at most eight keys', async () => {
    const others = Array.from({ length: 8 }, () => createAttestationIssuer().jwks.keys).flat();
    const attester = attesterWith({}, { jwks: { keys: [...others, ...issuer.jwks.keys] } });
    const jwt = await issue({ header: { kid: undefined } });
    expectRefusal(await attempt(attester, inputOf(jwt)), 'signature', 'finish');
  });
});

describe('clientAttestation: issuers', () => {
  const red = createAttestationIssuer({ iss: 'https://red.example', clock: () => NOW, kid: 'same' });
  const blue = createAttestationIssuer({ iss: 'https://blue.example', clock: () => NOW, kid: 'same' });
  const named = [
    { iss: 'https://red.example', jwks: red.jwks },
    { iss: 'https://blue.example', jwks: blue.jwks },
  ];
  const request = { sub: APP_ID, publicKey: instanceKey };

  it('selects by exact iss', async () => {
    const attester = clientAttestation({ issuers: named });
    expect(await attempt(attester, inputOf(await red.issue(request)))).toHaveProperty('result');
    expect(await attempt(attester, inputOf(await blue.issue(request)))).toHaveProperty('result');
  });

  it.each([
    ['absent', undefined],
    ['empty', ''],
    ['with a slash more', 'https://red.example/'],
    ['in another case', 'https://RED.example'],
    ['unknown', 'https://green.example'],
  ])('refuses an iss %s', async (_name, iss) => {
    const jwt = await red.issue({ ...request, claims: { iss } });
    expectRefusal(await attempt(clientAttestation({ issuers: named }), inputOf(jwt)), 'issuer', 'examine');
  });

  it.each([[['https://red.example']], [null], [7]])('refuses an iss that is no string: %j', async (iss) => {
    const jwt = await red.issue({ ...request, claims: { iss } });
    expectRefusal(await attempt(clientAttestation({ issuers: named }), inputOf(jwt)), 'claims', 'examine');
  });

  it('refuses one issuer in the name of another', async () => {
    const jwt = await red.issue({ ...request, claims: { iss: 'https://blue.example' } });
    expectRefusal(await attempt(clientAttestation({ issuers: named }), inputOf(jwt)), 'signature', 'finish');
  });

  it('takes the one without iss for all that name no configured one, by its keys alone', async () => {
    const attester = clientAttestation({ issuers: [...named, { jwks: issuer.jwks }] });
    expect(await attempt(attester, inputOf(await issue()))).toHaveProperty('result');
    expect(await attempt(attester, inputOf(await issue({ claims: { iss: 'https://any.example' } })))).toHaveProperty(
      'result',
    );
    const nameless = await red.issue({ ...request, claims: { iss: undefined }, header: { kid: undefined } });
    expectRefusal(await attempt(attester, inputOf(nameless)), 'signature', 'finish');
    const claimed = await issue({ claims: { iss: 'https://red.example' }, header: { kid: 'same' } });
    expectRefusal(await attempt(attester, inputOf(claimed)), 'signature', 'finish');
  });
});

function b64u(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
