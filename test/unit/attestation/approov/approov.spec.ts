import { createHash, createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import type { JSONWebKeySet, JWK } from 'jose';
import { describe, expect, it } from 'vitest';
import { approov } from '../../../../lib/attestation/approov/approov.js';
import type { ApproovOptions } from '../../../../lib/attestation/approov/approov.types.js';
import { verifyApproov } from '../../../../lib/attestation/approov/verify-approov.js';
import type { AttestationInput } from '../../../../lib/attestation/attester.js';
import { TabConfigError } from '../../../../lib/errors/tab-error.js';
import { APP_ID, attempt, inputOf, NOW } from '../client-attestation.fixture.js';
import { json, LocalService } from '../service.fixture.js';
import {
  FUZZ,
  expectAllRefused,
  fuzzCount,
  mutateMembers,
  mutateText,
  randomInput,
  segment,
} from '../token-fuzz.fixture.js';

const SECRET = randomBytes(64);
const BINDING = createHash('sha256').update('enrolment').digest();
const BOUND = BINDING.toString('base64url');
const HEADER = { typ: 'JWT', alg: 'HS256' };
const ES_KEYS = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const JWKS: JSONWebKeySet = { keys: [{ ...(ES_KEYS.publicKey.export({ format: 'jwk' }) as JWK), kid: 'set-1' }] };

function payOf(bound: string): string {
  return createHash('sha256').update(bound).digest('base64');
}

function claims(overrides: Record<string, unknown> = {}): Record<string, unknown> {
  return { exp: NOW + 300.891912, did: 'ZGV2aWNl', pay: payOf(BOUND), arc: 'QGJV', ip: '192.0.2.1', ...overrides };
}

function mint(overrides: Record<string, unknown> = {}, header: object = HEADER, secret = SECRET): string {
  const input = `${segment(header)}.${segment(claims(overrides))}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

function mintEs(header: object = { typ: 'JWT', alg: 'ES256', kid: 'set-1' }): string {
  const input = `${segment(header)}.${segment(claims())}`;
  const signature = sign('sha256', Buffer.from(input), { key: ES_KEYS.privateKey, dsaEncoding: 'ieee-p1363' });
  return `${input}.${signature.toString('base64url')}`;
}

function inputFor(token: unknown, overrides: Partial<AttestationInput> = {}): AttestationInput {
  return inputOf(undefined, { statement: { token }, binding: BINDING, ...overrides });
}

function attester(options: ApproovOptions = {}): ReturnType<typeof approov> {
  const keyed = options.jwks !== undefined || options.secrets !== undefined;
  return approov({ ...(!keyed && { secrets: [SECRET.toString('base64')] }), ...options });
}

function verify(token: unknown, bound = BOUND): Promise<unknown> {
  return verifyApproov({ token, secrets: [SECRET.toString('base64')], bound, now: new Date(NOW * 1000) });
}

describe('approov', () => {
  it('accepts a token that is bound to the enrolment', async () => {
    const anno = ['rooted-allowed', 'beta'];
    const outcome = await attempt(attester(), inputFor(mint({ ipk: 'MFkw', anno })));
    expect(outcome).toEqual({
      result: {
        format: 'approov',
        assurance: 'software',
        keyBound: true,
        app: { id: APP_ID },
        claims: { did: 'ZGV2aWNl', ipk: 'MFkw', arc: 'QGJV', anno, exp: NOW + 300 },
        expiresAt: NOW + 86_400,
      },
    });
  });

  it.each([
    ['no typ', mint({}, { alg: 'HS256' })],
    ['an end a fraction of a second away', mint({ exp: NOW + 1.01 })],
    ['a kid', mint({}, { ...HEADER, kid: 'one' })],
  ])('accepts one with %s', async (_what, token) => {
    expect(await attempt(attester(), inputFor(token))).toHaveProperty('result');
  });

  it('accepts tokens of every secret while one is replaced by another', async () => {
    const next = randomBytes(32);
    const secrets = [next.toString('base64'), SECRET.toString('base64')];
    expect(await attempt(attester({ secrets }), inputFor(mint({}, HEADER, next)))).toHaveProperty('result');
    expect(await attempt(attester({ secrets }), inputFor(mint()))).toHaveProperty('result');
  });

  it.each<[string, unknown, string]>([
    ['made for another enrolment', mint({ pay: payOf(`${BOUND}x`) }), 'binding'],
    ['made for nothing', mint({ pay: undefined }), 'binding'],
    ['with the bound value itself', mint({ pay: BOUND }), 'binding'],
    ['with the hash in base64url', mint({ pay: Buffer.from(payOf(BOUND), 'base64').toString('base64url') }), 'binding'],
    ['with an empty pay', mint({ pay: '' }), 'binding'],
    ['with a pay that is no text', mint({ pay: [payOf(BOUND)] }), 'claims'],
    ['that is expired', mint({ exp: NOW }), 'time'],
    ['that expires within this second', mint({ exp: NOW + 0.9 }), 'time'],
    ['with no end', mint({ exp: undefined }), 'claims'],
    ['with an end that is text', mint({ exp: String(NOW + 300) }), 'claims'],
    ['that is not valid yet', mint({ nbf: NOW + 60 }), 'time'],
    ['by another secret', mint({}, HEADER, randomBytes(64)), 'signature'],
    ['without signature', mint().replace(/[^.]+$/, ''), 'structure'],
    ['with half a signature', mint().slice(0, -23), 'signature'],
    ['with alg none', mint({}, { typ: 'JWT', alg: 'none' }), 'algorithm'],
    ['with another MAC', mint({}, { typ: 'JWT', alg: 'HS512' }), 'algorithm'],
    ['with an asymmetric alg', mint({}, { typ: 'JWT', alg: 'RS256' }), 'algorithm'],
    ['of another type', mint({}, { ...HEADER, typ: 'tab+jwt' }), 'header'],
    ['with crit', mint({}, { ...HEADER, crit: ['exp'] }), 'header'],
    ['that is nothing', undefined, 'structure'],
    ['that is too long', mint({ fill: 'x'.repeat(8192) }), 'structure'],
    ['of 70,000 characters', 'A'.repeat(70_000), 'structure'],
  ])('refuses a token %s before anything is spent', async (_what, token, check) => {
    const outcome = await attempt(attester(), inputFor(token));
    expect(outcome).toMatchObject({ stage: 'examine', error: { code: 'attestation_rejected', check } });
  });

  it.each(['NO_NETWORK', 'MITM_DETECTED', 'POOR_NETWORK', 'NO_APPROOV_SERVICE', 'UNKNOWN_URL', 'DISABLED'])(
    'refuses the status word %s and says it',
    async (word) => {
      const outcome = await attempt(attester(), inputFor(word));
      expect(outcome).toMatchObject({ error: { check: 'status', detail: `status: ${word}` } });
    },
  );

  it.each(['No_Network', 'A'.repeat(65), 'NO_NETWORK\n', 'NO-NETWORK'])('does not quote %j', async (word) => {
    const outcome = await attempt(attester(), inputFor(word));
    expect(outcome).toMatchObject({ error: { check: 'structure' } });
    expect(JSON.stringify(outcome)).not.toContain(JSON.stringify(word).slice(1, -1));
  });

  it.each([undefined, null, 'token', [], {}, { jwt: mint() }])('refuses the statement %j', async (statement) => {
    const outcome = await attempt(attester(), inputFor(undefined, { statement }));
    expect(outcome).toMatchObject({ stage: 'examine', error: { check: 'statement' } });
  });

  it('holds iss and aud against what is configured', async () => {
    const strict = attester({ issuer: 'account.example', audience: 'api.example.com' });
    const good = { iss: 'account.example', aud: ['api.example.com'] };
    expect(await attempt(strict, inputFor(mint(good)))).toHaveProperty('result');
    const checkOf = async (overrides: object) => attempt(strict, inputFor(mint({ ...good, ...overrides })));
    expect(await checkOf({ iss: undefined })).toMatchObject({ error: { check: 'issuer' } });
    expect(await checkOf({ iss: 'account.example.evil' })).toMatchObject({ error: { check: 'issuer' } });
    expect(await checkOf({ aud: 'other.example.com' })).toMatchObject({ error: { check: 'audience' } });
    expect(await checkOf({ aud: undefined })).toMatchObject({ error: { check: 'audience' } });
  });

  it('says no secret and no token when it refuses', async () => {
    const token = mint({}, HEADER, randomBytes(64));
    const { error } = (await attempt(attester(), inputFor(token))) as { error: Error };
    const said = `${error.message} ${error.stack ?? ''} ${JSON.stringify(error)}`;
    expect(said).not.toContain(token.slice(-20));
    expect(said).not.toContain(SECRET.toString('base64').slice(0, 20));
  });
});

describe('approov with a key set', () => {
  it('accepts what a key of the set signed, and no MAC made with the public key', async () => {
    const keyed = attester({ jwks: JWKS });
    expect(await attempt(keyed, inputFor(mintEs()))).toHaveProperty('result.claims.did', 'ZGV2aWNl');
    const confused = mint({}, HEADER, Buffer.from(ES_KEYS.publicKey.export({ format: 'pem', type: 'spki' })));
    expect(await attempt(keyed, inputFor(confused))).toMatchObject({ error: { check: 'algorithm' } });
  });

  it('refuses an unknown kid before anything is spent, and another key after', async () => {
    const unknown = mintEs({ typ: 'JWT', alg: 'ES256', kid: 'set-2' });
    const outcome = await attempt(attester({ jwks: JWKS }), inputFor(unknown));
    expect(outcome).toMatchObject({ stage: 'examine', error: { check: 'issuer-key' } });
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }) as JWK;
    const jwks = { keys: [{ ...other, kid: 'set-1' }] };
    const forged = await attempt(attester({ jwks }), inputFor(mintEs()));
    expect(forged).toMatchObject({ stage: 'finish', error: { check: 'signature' } });
  });

  it('is unavailable while published keys cannot be had', async () => {
    const service = new LocalService();
    await service.open();
    try {
      const keyed = attester({ jwks: { uri: `${service.origin}/jwks` } });
      service.answer = json(JWKS, 500);
      const down = await attempt(keyed, inputFor(mintEs()));
      expect(down).toMatchObject({ stage: 'finish', error: { code: 'store_unavailable' } });
      service.answer = json(JWKS);
      const other = attester({ jwks: { uri: `${service.origin}/jwks` } });
      expect(await attempt(other, inputFor(mintEs()))).toHaveProperty('result');
    } finally {
      await service.close();
    }
  });
});

describe('the options of approov', () => {
  const good = SECRET.toString('base64');
  it.each<[string, unknown, RegExp]>([
    ['nothing', undefined, /give an object such as/],
    ['neither secrets nor jwks', {}, /either secrets: \[base64\] or jwks/],
    ['both', { secrets: [good], jwks: JWKS }, /either secrets/],
    ['no secret', { secrets: [] }, /1-8 base64 texts/],
    ['a secret that is not set', { secrets: [undefined] }, /secrets\[0\] must be base64/],
    ['a secret that is not base64', { secrets: [`${good}!`] }, /secrets\[0\] must be base64/],
    ['a short secret', { secrets: ['c2VjcmV0'] }, /at least 32 octets/],
    ['a MAC for the key set', { jwks: JWKS, algorithms: ['HS256'] }, /algorithms must list/],
    ['a secret as key set', { jwks: { keys: [{ kty: 'oct', k: 'AA' }] } }, /public key only/],
    ['an empty issuer', { secrets: [good], issuer: '' }, /issuer must be a string/],
    ['an age of nothing', { secrets: [good], maxAge: 0 }, /maxAge must be/],
  ])('refuse %s', (_what, options, message) => {
    expect(() => approov(options as ApproovOptions)).toThrow(TabConfigError);
    expect(() => approov(options as ApproovOptions)).toThrow(message);
    expect(() => approov(options as ApproovOptions)).not.toThrow(good.slice(0, 20));
  });
});

describe('verifyApproov under hostile input', FUZZ, () => {
  it('accepts no token with any one character changed', async () => {
    const token = mint();
    await expect(verify(token)).resolves.toMatchObject({ deviceId: 'ZGV2aWNl' });
    const mutants = Array.from({ length: token.length * 7 }, (_none, at) => {
      const place = Math.floor(at / 7);
      const flipped = String.fromCharCode(token.charCodeAt(place) ^ (1 << (at % 7)));
      return token.slice(0, place) + flipped + token.slice(place + 1);
    });
    let next = 0;
    await expectAllRefused(mutants.length, () => mutants[next++], verify);
  });

  it('refuses whatever is not a token', async () => {
    await expectAllRefused(fuzzCount(), randomInput, verify);
  });

  it('refuses tokens with changed parts', async () => {
    const token = mint();
    const [header = '', payload = '', signature = ''] = token.split('.');
    await expectAllRefused(
      fuzzCount(),
      (dice) =>
        dice.pick([
          () => mutateText(token, dice),
          () => `${segment(mutateMembers(HEADER, dice))}x.${payload}.${signature}`,
          () => `${header}.${segment(mutateMembers(claims(), dice))}.${segment(dice.below(1e9))}`,
        ])(),
      verify,
    );
  });

  it('refuses signed tokens for another enrolment, whatever else they say', async () => {
    await expectAllRefused(
      fuzzCount(),
      (dice) => mint({ ...mutateMembers(claims(), dice), pay: payOf('another') }, mutateMembers(HEADER, dice)),
      verify,
    );
  });
});
