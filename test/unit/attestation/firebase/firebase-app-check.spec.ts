import { generateKeyPairSync, sign } from 'node:crypto';
import type { JSONWebKeySet, JWK } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AttestationError } from '../../../../lib/attestation/attestation-error.js';
import { firebaseAppCheck } from '../../../../lib/attestation/firebase/firebase-app-check.js';
import type { FirebaseAppCheckOptions, FirebaseConsumer } from '../../../../lib/attestation/firebase/firebase.types.js';
import { googleConsumer, type GoogleConsumerOptions } from '../../../../lib/attestation/firebase/google-consumer.js';
import { verifyFirebaseAppCheck } from '../../../../lib/attestation/firebase/verify-app-check.js';
import { TabConfigError } from '../../../../lib/errors/tab-error.js';
import { APP_ID, attempt, inputOf, NOW, type Outcome } from '../client-attestation.fixture.js';
import { json, LocalService, misbehaviours } from '../service.fixture.js';
import {
  FUZZ,
  expectAllRefused,
  fuzzCount,
  mutateMembers,
  mutateText,
  randomInput,
  segment,
} from '../token-fuzz.fixture.js';

const KEYS = generateKeyPairSync('rsa', { modulusLength: 2048 });
const JWKS: JSONWebKeySet = { keys: [{ ...(KEYS.publicKey.export({ format: 'jwk' }) as JWK), kid: 'fb-1' }] };
const FIREBASE_APP = '1:123456:android:abcdef';
const PROJECT = { projectId: 'bank-prod', projectNumber: '123456', appId: FIREBASE_APP };
const HEADER = { typ: 'JWT', alg: 'RS256', kid: 'fb-1' };
const ISSUER = 'https://firebaseappcheck.googleapis.com/123456';

function claims(overrides: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    sub: FIREBASE_APP,
    aud: ['projects/123456', 'projects/bank-prod'],
    iss: ISSUER,
    provider: 'play_integrity',
    iat: NOW,
    exp: NOW + 3600,
    jti: 'token-id-0123456789',
    ...overrides,
  };
}

function mint(overrides: Record<string, unknown> = {}, header: object = HEADER): string {
  const input = `${segment(header)}.${segment(claims(overrides))}`;
  return `${input}.${sign('sha256', Buffer.from(input), KEYS.privateKey).toString('base64url')}`;
}

function run(token: unknown, options: Partial<FirebaseAppCheckOptions> = {}): Promise<Outcome> {
  return attempt(
    firebaseAppCheck({ ...PROJECT, jwks: JWKS, ...options }),
    inputOf(undefined, { statement: { token } }),
  );
}

const fresh: FirebaseConsumer = () => Promise.resolve({ alreadyConsumed: false });

describe('firebaseAppCheck', () => {
  it('accepts a token as worth nothing more than none, and names its id to be spent', async () => {
    expect(firebaseAppCheck({ ...PROJECT, jwks: JWKS }).reach).toBe('none');
    expect(await run(mint())).toEqual({
      result: {
        format: 'firebase-app-check',
        assurance: 'none',
        keyBound: false,
        app: { id: APP_ID },
        claims: {
          appId: FIREBASE_APP,
          provider: 'play_integrity',
          jti: 'token-id-0123456789',
          iat: NOW,
          exp: NOW + 3600,
          consumed: false,
        },
        expiresAt: NOW + 86_400,
        claim: { issuer: ISSUER, id: 'token-id-0123456789', expiresAt: NOW + 3600 },
      },
    });
  });

  it('accepts a token that it has consumed as software, without a key of its own', async () => {
    expect(firebaseAppCheck({ ...PROJECT, consume: fresh }).reach).toBe('software');
    const outcome = await run(mint(), { consume: fresh });
    expect(outcome).toMatchObject({ result: { assurance: 'software', keyBound: false, claims: { consumed: true } } });
  });

  it('names nothing to be spent where the token has no id', async () => {
    const outcome = await run(mint({ jti: undefined }));
    expect(outcome).toHaveProperty('result');
    expect(outcome).not.toHaveProperty('result.claim');
  });

  it.each([
    ['one audience as text', { aud: 'projects/bank-prod' }, {}],
    ['no provider', { provider: undefined }, {}],
    ['a debug provider that is allowed', { provider: 'debug' }, { allowDebug: true }],
    ['one of several apps', {}, { appId: ['1:123456:ios:abc', FIREBASE_APP] }],
  ])('accepts %s', async (_what, overrides, options) => {
    expect(await run(mint(overrides), options)).toHaveProperty('result');
  });

  it.each<[string, unknown, string]>([
    ['of another project', mint({ iss: `${ISSUER}7` }), 'issuer'],
    ['with the prefix of an issuer', mint({ iss: 'https://firebaseappcheck.googleapis.com/' }), 'issuer'],
    ['without issuer', mint({ iss: undefined }), 'claims'],
    ['for another project', mint({ aud: ['projects/123456', 'projects/bank-test'] }), 'audience'],
    ['for nobody', mint({ aud: [] }), 'audience'],
    ['without audience', mint({ aud: undefined }), 'audience'],
    ['with an audience of numbers', mint({ aud: [1] }), 'claims'],
    ['of another app', mint({ sub: '1:123456:android:other' }), 'subject'],
    ['without app', mint({ sub: undefined }), 'claims'],
    ['that is expired', mint({ exp: NOW }), 'time'],
    ['without end', mint({ exp: undefined }), 'claims'],
    ['from the future', mint({ iat: NOW + 16 }), 'time'],
    ['by the debug provider', mint({ provider: 'debug' }), 'provider'],
    ['with an empty id', mint({ jti: '' }), 'claims'],
    ['with an id that is a number', mint({ jti: 7 }), 'claims'],
    ['of no type', mint({}, { alg: 'RS256', kid: 'fb-1' }), 'header'],
    ['of another type', mint({}, { ...HEADER, typ: 'tab+jwt' }), 'header'],
    ['without kid', mint({}, { typ: 'JWT', alg: 'RS256' }), 'header'],
    ['with another alg', mint({}, { ...HEADER, alg: 'RS512' }), 'algorithm'],
    ['with a MAC', mint({}, { ...HEADER, alg: 'HS256' }), 'algorithm'],
    ['without signature', mint({}, { ...HEADER, alg: 'none' }), 'algorithm'],
    ['with an unknown kid', mint({}, { ...HEADER, kid: 'fb-2' }), 'issuer-key'],
    ['that is nothing', undefined, 'structure'],
    ['of 70,000 characters', 'A'.repeat(70_000), 'structure'],
    ['that is deep', `${segment(HEADER)}.${Buffer.from('['.repeat(5000)).toString('base64url')}.AAAA`, 'structure'],
  ])('refuses a token %s before anything is spent', async (_what, token, check) => {
    const consume = () => Promise.reject(new Error('must not be called'));
    const outcome = await run(token, { consume });
    expect(outcome).toMatchObject({ stage: 'examine', error: { code: 'attestation_rejected', check } });
  });

  it('refuses a forged token without consuming it', async () => {
    let consumed = 0;
    const consume: FirebaseConsumer = () => Promise.resolve({ alreadyConsumed: (consumed += 1) > 9 });
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' }) as JWK;
    const outcome = await run(mint(), { consume, jwks: { keys: [{ ...other, kid: 'fb-1' }] } });
    expect(outcome).toMatchObject({ stage: 'finish', error: { check: 'signature' } });
    expect(consumed).toBe(0);
  });

  it.each([null, 'token', [], {}, { jwt: mint() }])('refuses the statement %j', async (statement) => {
    const attester = firebaseAppCheck({ ...PROJECT, jwks: JWKS });
    const outcome = await attempt(attester, inputOf(undefined, { statement }));
    expect(outcome).toMatchObject({ stage: 'examine', error: { check: 'statement' } });
  });

  it('refuses a token that was consumed before', async () => {
    const outcome = await run(mint(), { consume: () => Promise.resolve({ alreadyConsumed: true }) });
    expect(outcome).toMatchObject({ stage: 'finish', error: { code: 'attestation_rejected', check: 'consumed' } });
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['text', 'false'],
    ['a boolean alone', false],
    ['an object without it', {}],
    ['text in its place', { alreadyConsumed: 'false' }],
    ['nothing in its place', { alreadyConsumed: null }],
  ])('is unavailable when a consumer answers %s', async (_what, answer) => {
    const outcome = await run(mint(), { consume: () => Promise.resolve(answer as never) });
    expect(outcome).toMatchObject({ stage: 'finish', error: { code: 'store_unavailable' } });
  });

  it('is unavailable when a consumer fails, at once or later, and passes on what it refuses', async () => {
    const failing: FirebaseConsumer[] = [
      () => Promise.reject(new Error('down')),
      () => {
        throw new Error('down');
      },
    ];
    for (const consume of failing) {
      const outcome = await run(mint(), { consume });
      expect(outcome).toMatchObject({ error: { code: 'store_unavailable', hints: { retryAfter: 10 } } });
    }
    const refused = await run(mint(), { consume: () => Promise.reject(new AttestationError('consumed', 'no')) });
    expect(refused).toMatchObject({ error: { code: 'attestation_rejected', check: 'consumed' } });
  });
});

describe('googleConsumer', () => {
  const service = new LocalService();
  beforeEach(async () => service.open());
  afterEach(async () => service.close());

  const ACCESS = 'ya29.access-token_of~the+server/x==';
  function consumer(options: Partial<GoogleConsumerOptions> = {}): FirebaseConsumer {
    const accessToken = () => Promise.resolve(ACCESS);
    return googleConsumer({ projectId: 'bank-prod', accessToken, fetch: service.fetch, timeout: 1, ...options });
  }

  it('asks Firebase once, with the token and its own authorisation', async () => {
    const token = mint();
    expect(await run(token, { consume: consumer() })).toMatchObject({ result: { assurance: 'software' } });
    const path = '/v1beta/projects/bank-prod:verifyAppCheckToken';
    expect(service.addresses).toEqual([`https://firebaseappcheck.googleapis.com${path}`]);
    const call = { method: 'POST', path, authorization: `Bearer ${ACCESS}`, body: { app_check_token: token } };
    expect(service.calls).toEqual([call]);
  });

  it('takes what Firebase says about it', async () => {
    service.answer = json({ alreadyConsumed: true });
    expect(await run(mint(), { consume: consumer() })).toMatchObject({ error: { check: 'consumed' } });
    service.answer = json({ error: { code: 400, status: 'INVALID_ARGUMENT' } }, 400);
    const refused = await run(mint(), { consume: consumer() });
    expect(refused).toMatchObject({ error: { code: 'attestation_rejected', check: 'consumed' } });
    service.answer = json({ alreadyConsumed: 'no' });
    expect(await run(mint(), { consume: consumer() })).toMatchObject({ error: { code: 'store_unavailable' } });
  });

  it.each(misbehaviours({ alreadyConsumed: false }))('lets nobody in when the service %s', async (_what, answer) => {
    service.answer = answer;
    const outcome = await run(mint(), { consume: consumer({ timeout: 0.3 }) });
    expect(outcome).toMatchObject({ stage: 'finish', error: { code: 'store_unavailable' } });
  });

  it('asks again after a failure', async () => {
    const consume = consumer();
    service.answer = json({}, 503);
    expect(await run(mint(), { consume })).toMatchObject({ error: { code: 'store_unavailable' } });
    service.answer = json({});
    expect(await run(mint(), { consume })).toHaveProperty('result');
  });

  it.each<[string, () => Promise<string>]>([
    ['fails', () => Promise.reject(new Error('no credentials'))],
    ['gives nothing', () => Promise.resolve(undefined as never)],
    ['gives a text that no header takes', () => Promise.resolve('secret-of-ours\r\nx: y')],
    ['never settles', () => new Promise(() => undefined)],
  ])('does not call when accessToken %s, and keeps it to itself', async (_what, accessToken) => {
    const outcome = await run(mint(), { consume: consumer({ accessToken, timeout: 0.1 }) });
    expect(outcome).toMatchObject({ error: { code: 'store_unavailable' } });
    const { error } = outcome as { error: Error };
    expect(`${error.message} ${String(error.cause)}`).not.toContain('secret-of-ours');
    expect(service.calls).toEqual([]);
  });

  it('is unavailable while published keys cannot be had', async () => {
    service.answer = json(JWKS, 500);
    const outcome = await run(mint(), { jwks: { uri: `${service.origin}/v1/jwks` } });
    expect(outcome).toMatchObject({ stage: 'finish', error: { code: 'store_unavailable' } });
    service.answer = json(JWKS);
    expect(await run(mint(), { jwks: { uri: `${service.origin}/v1/jwks` } })).toHaveProperty('result');
  });
});

describe('the options of firebaseAppCheck and googleConsumer', () => {
  it.each<[string, unknown, RegExp]>([
    ['nothing', undefined, /give an object such as/],
    ['no project', { ...PROJECT, projectId: undefined }, /projectId must be a string/],
    ['a number that is not text', { ...PROJECT, projectNumber: 123_456 }, /decimal digits/],
    ['an id for a number', { ...PROJECT, projectNumber: 'bank-prod' }, /decimal digits/],
    ['no app', { ...PROJECT, appId: undefined }, /appId must be a string/],
    ['an empty list of apps', { ...PROJECT, appId: [] }, /appId must name at least one/],
    ['a consumer that is none', { ...PROJECT, consume: true }, /consume must be a function/],
    ['a word for allowDebug', { ...PROJECT, allowDebug: 'yes' }, /allowDebug must be true or false/],
    ['keys over a plain connection', { ...PROJECT, jwks: { uri: 'http://keys.example/jwks' } }, /must be https:/],
    ['keys that are none', { ...PROJECT, jwks: [] }, /jwks must be \{ keys/],
    ['an age that is a fraction', { ...PROJECT, maxAge: 0.5 }, /maxAge must be/],
  ])('refuse %s', (_what, options, message) => {
    expect(() => firebaseAppCheck(options as FirebaseAppCheckOptions)).toThrow(TabConfigError);
    expect(() => firebaseAppCheck(options as FirebaseAppCheckOptions)).toThrow(message);
  });

  it.each<[unknown, RegExp]>([
    [undefined, /give an object such as/],
    [{ accessToken: () => Promise.resolve('x') }, /projectId must be a string/],
    [{ projectId: 'bank-prod' }, /accessToken must be a function/],
    [{ projectId: 'bank-prod', accessToken: () => Promise.resolve('x'), timeout: 60 }, /timeout must be/],
    [{ projectId: 'bank-prod', accessToken: () => Promise.resolve('x'), fetch: 'fetch' }, /fetch must be a function/],
  ])('refuse %j', (options, message) => {
    expect(() => googleConsumer(options as GoogleConsumerOptions)).toThrow(TabConfigError);
    expect(() => googleConsumer(options as GoogleConsumerOptions)).toThrow(message);
  });
});

describe('verifyFirebaseAppCheck under hostile input', FUZZ, () => {
  const verify = (token: unknown) =>
    verifyFirebaseAppCheck({ token, ...PROJECT, jwks: JWKS, now: new Date(NOW * 1000) });

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
          () => `${segment(mutateMembers(HEADER, dice))}.${payload}.${signature.slice(4)}`,
          () => `${header}.${segment(mutateMembers(claims(), dice))}.${signature.slice(4)}`,
        ])(),
      verify,
    );
  });
});
