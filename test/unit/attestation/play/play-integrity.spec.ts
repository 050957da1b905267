import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AttestationError } from '../../../../lib/attestation/attestation-error.js';
import { googleDecoder } from '../../../../lib/attestation/play/google-decoder.js';
import { playIntegrity } from '../../../../lib/attestation/play/play-integrity.js';
import type {
  PlayDecoder,
  PlayIntegrityOptions,
  PlayRequirement,
} from '../../../../lib/attestation/play/play.types.js';
import { verifyPlayIntegrity } from '../../../../lib/attestation/play/verify-play-integrity.js';
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
import { BINDING, BOUND, CLASSIC, classicVerdict, DIGEST, mintClassic, signVerdict, verdict } from './play.fixture.js';

const TOKEN = 'eyJhbGciOiJBMjU2S1cifQ.a.b.c.d';

function inputFor(token: unknown): ReturnType<typeof inputOf> {
  return inputOf(undefined, { statement: { token }, binding: BINDING });
}

/** Runs an attester whose decoder gives `payload`. */
function run(payload: unknown, options: Partial<PlayIntegrityOptions> = {}, token: unknown = TOKEN): Promise<Outcome> {
  return attempt(playIntegrity({ decode: () => Promise.resolve(payload), ...options }), inputFor(token));
}

function runClassic(token: unknown, options: Partial<PlayIntegrityOptions> = {}): Promise<Outcome> {
  return attempt(playIntegrity({ classic: CLASSIC, ...options }), inputFor(token));
}

describe('playIntegrity', () => {
  it('accepts a verdict about this enrolment', async () => {
    const asked: string[][] = [];
    const decode: PlayDecoder = (...args) => Promise.resolve((asked.push(args), verdict()));
    const outcome = await attempt(playIntegrity({ decode }), inputFor(TOKEN));
    expect(asked).toEqual([[APP_ID, TOKEN]]);
    expect(outcome).toEqual({
      result: {
        format: 'play-integrity',
        assurance: 'software',
        keyBound: true,
        app: { id: APP_ID },
        claims: {
          packageName: APP_ID,
          versionCode: '42',
          appRecognitionVerdict: 'PLAY_RECOGNIZED',
          deviceRecognitionVerdict: ['MEETS_BASIC_INTEGRITY', 'MEETS_DEVICE_INTEGRITY'],
          appLicensingVerdict: 'LICENSED',
          playProtectVerdict: 'NO_ISSUES',
          iat: NOW - 2,
        },
        expiresAt: NOW + 86_400,
      },
    });
  });

  type Row = [string, Record<string, Record<string, unknown>>, PlayRequirement];
  it.each<Row>([
    [
      'times and versions that are numbers',
      { requestDetails: { timestampMillis: NOW * 1000 }, appIntegrity: { versionCode: 42 } },
      {},
    ],
    ['a clock of Google that is a little ahead', { requestDetails: { timestampMillis: (NOW + 15) * 1000 } }, {}],
    ['a verdict of five minutes ago', { requestDetails: { timestampMillis: (NOW - 300) * 1000 } }, {}],
    ['only the strong label', { deviceIntegrity: { deviceRecognitionVerdict: ['MEETS_STRONG_INTEGRITY'] } }, {}],
    [
      'the least integrity where that will do',
      { deviceIntegrity: { deviceRecognitionVerdict: ['MEETS_BASIC_INTEGRITY'] } },
      { deviceIntegrity: 'MEETS_BASIC_INTEGRITY' },
    ],
    [
      'labels of tomorrow beside one of today',
      { deviceIntegrity: { deviceRecognitionVerdict: ['MEETS_DEVICE_INTEGRITY', 'MEETS_NEW_INTEGRITY'] } },
      {},
    ],
    ['a user without licence where none is asked for', { accountDetails: { appLicensingVerdict: 'UNLICENSED' } }, {}],
    ['a licence', {}, { licensed: true }],
    ['the certificate', {}, { certificates: ['A'.repeat(43), DIGEST] }],
    [
      'a known certificate on a build that Play does not know',
      { appIntegrity: { appRecognitionVerdict: 'UNRECOGNIZED_VERSION' } },
      { allowUnrecognized: true, certificates: [DIGEST] },
    ],
    ['a testing response where allowed', { testingDetails: { isTestingResponse: true } }, { allowTesting: true }],
    ['a plain no about testing', { testingDetails: { isTestingResponse: false } }, {}],
  ])('accepts %s', async (_what, overrides, options) => {
    expect(await run(verdict(overrides), options)).toHaveProperty('result.assurance', 'software');
  });

  it('tells appraisal of an emulator that it let through', async () => {
    const payload = verdict({ deviceIntegrity: { deviceRecognitionVerdict: ['MEETS_VIRTUAL_INTEGRITY'] } });
    const outcome = await run(payload, { allowVirtual: true });
    expect(outcome).toMatchObject({ result: { claims: { emulator: true, securityLevel: 'software' } } });
  });

  it('keeps what else the verdict says about the device', async () => {
    const overrides = {
      deviceIntegrity: { deviceAttributes: { sdkVersion: 35 } },
      environmentDetails: { appAccessRiskVerdict: { appsDetected: ['KNOWN_INSTALLED', 'UNKNOWN_CAPTURING'] } },
    };
    expect(await run(verdict(overrides))).toMatchObject({
      result: { claims: { sdkVersion: 35, appAccessRiskVerdict: ['KNOWN_INSTALLED', 'UNKNOWN_CAPTURING'] } },
    });
  });

  it.each<[string, Record<string, Record<string, unknown>>, PlayRequirement, string]>([
    ['requested by another package', { requestDetails: { requestPackageName: 'com.evil' } }, {}, 'package'],
    ['for another enrolment', { requestDetails: { requestHash: 'A'.repeat(43) } }, {}, 'binding'],
    ['for no enrolment', { requestDetails: { requestHash: undefined } }, {}, 'binding'],
    ['with an empty hash', { requestDetails: { requestHash: '' } }, {}, 'binding'],
    ['with a hash and a nonce', { requestDetails: { nonce: BOUND } }, {}, 'binding'],
    ['with a hash that is padded', { requestDetails: { requestHash: `${BOUND}=` } }, {}, 'binding'],
    ['with a hash that is a list', { requestDetails: { requestHash: [BOUND] } }, {}, 'verdict'],
    ['that is too old', { requestDetails: { timestampMillis: (NOW - 301) * 1000 } }, {}, 'time'],
    [
      'that is older than asked for',
      { requestDetails: { timestampMillis: (NOW - 61) * 1000 } },
      { verdictMaxAge: 60 },
      'time',
    ],
    ['from the future', { requestDetails: { timestampMillis: (NOW + 16) * 1000 } }, {}, 'time'],
    ['in seconds', { requestDetails: { timestampMillis: NOW } }, {}, 'time'],
    ['of no time', { requestDetails: { timestampMillis: undefined } }, {}, 'verdict'],
    ['of a time that is text', { requestDetails: { timestampMillis: 'now' } }, {}, 'verdict'],
    [
      'about a build that Play does not know',
      { appIntegrity: { appRecognitionVerdict: 'UNRECOGNIZED_VERSION' } },
      {},
      'app',
    ],
    [
      'that was not made',
      { appIntegrity: { appRecognitionVerdict: 'UNEVALUATED' } },
      { allowUnrecognized: true, certificates: [DIGEST] },
      'app',
    ],
    ['without a word on the app', { appIntegrity: { appRecognitionVerdict: undefined } }, {}, 'verdict'],
    ['about another app', { appIntegrity: { packageName: 'com.evil' } }, {}, 'package'],
    ['without the name of the app', { appIntegrity: { packageName: undefined } }, {}, 'verdict'],
    ['about another certificate', {}, { certificates: ['A'.repeat(43)] }, 'certificate'],
    [
      'about one known certificate and another',
      { appIntegrity: { certificateSha256Digest: [DIGEST, 'B'.repeat(43)] } },
      { certificates: [DIGEST] },
      'certificate',
    ],
    [
      'about an unknown build of others',
      { appIntegrity: { appRecognitionVerdict: 'UNRECOGNIZED_VERSION', certificateSha256Digest: [] } },
      { allowUnrecognized: true, certificates: [DIGEST] },
      'certificate',
    ],
    [
      'about a device with basic integrity',
      { deviceIntegrity: { deviceRecognitionVerdict: ['MEETS_BASIC_INTEGRITY'] } },
      {},
      'device',
    ],
    ['about a device without strong integrity', {}, { deviceIntegrity: 'MEETS_STRONG_INTEGRITY' }, 'device'],
    [
      'about a device without any',
      { deviceIntegrity: { deviceRecognitionVerdict: [] } },
      { deviceIntegrity: 'MEETS_BASIC_INTEGRITY' },
      'device',
    ],
    ['without a word on the device', { deviceIntegrity: { deviceRecognitionVerdict: undefined } }, {}, 'device'],
    [
      'with a label that is no list',
      { deviceIntegrity: { deviceRecognitionVerdict: 'MEETS_DEVICE_INTEGRITY' } },
      {},
      'verdict',
    ],
    [
      'about an emulator',
      { deviceIntegrity: { deviceRecognitionVerdict: ['MEETS_VIRTUAL_INTEGRITY', 'MEETS_DEVICE_INTEGRITY'] } },
      {},
      'device',
    ],
    [
      'about a user without licence',
      { accountDetails: { appLicensingVerdict: 'UNLICENSED' } },
      { licensed: true },
      'licence',
    ],
    [
      'about a user who was not judged',
      { accountDetails: { appLicensingVerdict: undefined } },
      { licensed: true },
      'licence',
    ],
    ['for a tester', { testingDetails: { isTestingResponse: true } }, {}, 'testing'],
    ['for what may be a tester', { testingDetails: { isTestingResponse: 'false' } }, {}, 'testing'],
  ])('refuses a verdict %s', async (_what, overrides, options, check) => {
    const outcome = await run(verdict(overrides), options);
    expect(outcome).toMatchObject({ stage: 'finish', error: { code: 'attestation_rejected', check } });
  });

  it('looks at the request before anything that the verdict says', async () => {
    const bad = verdict({
      requestDetails: { requestHash: 'another' },
      appIntegrity: { appRecognitionVerdict: 'UNEVALUATED' },
      deviceIntegrity: { deviceRecognitionVerdict: [] },
      testingDetails: { isTestingResponse: true },
    });
    expect(await run(bad)).toMatchObject({ error: { check: 'binding' } });
  });

  it.each(['requestDetails', 'appIntegrity'])('refuses a verdict without %s', async (part) => {
    const { [part]: _removed, ...others } = verdict();
    expect(await run(others)).toMatchObject({ error: { check: 'verdict' } });
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['a number', 7],
    ['an empty text', ''],
    ['a text with spaces', 'a b'],
    ['a text with a line', 'abc\n'],
    ['70,000 characters', 'A'.repeat(70_000)],
  ])('asks nobody about %s', async (_what, token) => {
    const decode = () => Promise.reject(new Error('must not be called'));
    const outcome = await run(verdict(), { decode }, token);
    if (token === undefined) expect(await runClassic(undefined)).toMatchObject({ error: { check: 'statement' } });
    else expect(outcome).toMatchObject({ stage: 'examine', error: { check: 'statement' } });
  });

  it.each([null, 'token', [], {}, { jwt: TOKEN }])('refuses the statement %j', async (statement) => {
    const attester = playIntegrity({ decode: () => Promise.resolve(verdict()) });
    const outcome = await attempt(attester, inputOf(undefined, { statement, binding: BINDING }));
    expect(outcome).toMatchObject({ stage: 'examine', error: { check: 'statement' } });
  });

  it('is unavailable when a decoder fails or gives no verdict, and passes on what it refuses', async () => {
    for (const payload of [undefined, null, 'verdict', 7, [verdict()]]) {
      expect(await run(payload)).toMatchObject({ error: { code: 'store_unavailable' } });
    }
    const failing: PlayDecoder[] = [
      () => Promise.reject(new Error('down')),
      () => {
        throw new Error('down');
      },
    ];
    for (const decode of failing) {
      expect(await run({}, { decode })).toMatchObject({ stage: 'finish', error: { code: 'store_unavailable' } });
    }
    const refused = await run({}, { decode: () => Promise.reject(new AttestationError('decode', 'no')) });
    expect(refused).toMatchObject({ error: { code: 'attestation_rejected', check: 'decode' } });
  });
});

describe('googleDecoder', () => {
  const service = new LocalService();
  const good = { tokenPayloadExternal: verdict() };
  beforeEach(async () => service.open());
  afterEach(async () => service.close());

  function decoder(timeout = 1): PlayDecoder {
    return googleDecoder({ accessToken: () => Promise.resolve('ya29.token'), fetch: service.fetch, timeout });
  }

  it('asks Google once, with the token and its own authorisation', async () => {
    service.answer = json(good);
    expect(await run(undefined, { decode: decoder() })).toHaveProperty('result');
    const path = `/v1/${APP_ID}:decodeIntegrityToken`;
    expect(service.addresses).toEqual([`https://playintegrity.googleapis.com${path}`]);
    const call = { method: 'POST', path, authorization: 'Bearer ya29.token', body: { integrity_token: TOKEN } };
    expect(service.calls).toEqual([call]);
  });

  it('takes a refusal of the token for one', async () => {
    service.answer = json({ error: { code: 400 } }, 400);
    const outcome = await run(undefined, { decode: decoder() });
    expect(outcome).toMatchObject({ stage: 'finish', error: { code: 'attestation_rejected', check: 'decode' } });
  });

  it('is unavailable when the answer has no verdict', async () => {
    for (const answer of [{}, { tokenPayloadExternal: null }, { tokenPayloadExternal: 'x' }, verdict()]) {
      service.answer = json(answer);
      expect(await run(undefined, { decode: decoder() })).toMatchObject({ error: { code: 'store_unavailable' } });
    }
  });

  it.each(misbehaviours(good))('lets nobody in when the service %s', async (_what, answer) => {
    service.answer = answer;
    const outcome = await run(undefined, { decode: decoder(0.3) });
    expect(outcome).toMatchObject({ stage: 'finish', error: { code: 'store_unavailable' } });
  });

  it('refuses a stale verdict that the service gives again', async () => {
    const stale = verdict({ requestDetails: { timestampMillis: (NOW - 3600) * 1000 } });
    service.answer = json({ tokenPayloadExternal: stale });
    expect(await run(undefined, { decode: decoder() })).toMatchObject({ error: { check: 'time' } });
  });

  it('cannot be sent elsewhere by a package name', async () => {
    service.answer = json(good);
    await run(undefined, { decode: decoder(), packageName: '../evil?x=' });
    expect(service.addresses).toEqual([
      'https://playintegrity.googleapis.com/v1/..%2Fevil%3Fx%3D:decodeIntegrityToken',
    ]);
  });
});

describe('playIntegrity with tokens of the classic API', () => {
  it.each([
    ['a nonce', {}],
    ['a nonce that Play padded', { requestDetails: { nonce: `${BOUND}=` } }],
    ['a request hash', { requestDetails: { nonce: undefined, requestHash: BOUND } }],
  ])('accepts %s', async (_what, overrides) => {
    const token = await mintClassic({ payload: classicVerdict(overrides) });
    expect(await runClassic(token)).toMatchObject({ result: { assurance: 'software', claims: { versionCode: '42' } } });
  });

  it('judges what is in it', async () => {
    const payload = classicVerdict({ requestDetails: { nonce: 'A'.repeat(43) } });
    expect(await runClassic(await mintClassic({ payload }))).toMatchObject({ error: { check: 'binding' } });
    const standard = classicVerdict({ deviceIntegrity: { deviceRecognitionVerdict: [] } });
    expect(await runClassic(await mintClassic({ payload: standard }))).toMatchObject({ error: { check: 'device' } });
  });

  const dir = { jweHeader: { alg: 'dir', enc: 'A256GCM' } };
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  it.each<[string, () => Promise<string> | string, string, string]>([
    ['of one part', () => 'abc', 'examine', 'structure'],
    ['of three parts', () => signVerdict(), 'examine', 'structure'],
    ['that is used directly', () => mintClassic(dir), 'examine', 'structure'],
    [
      'of another wrapping',
      () => mintClassic({ jweHeader: { alg: 'A256GCMKW', enc: 'A256GCM' } }),
      'examine',
      'algorithm',
    ],
    ['of another cipher', () => mintClassic({ jweHeader: { alg: 'A256KW', enc: 'A128GCM' } }), 'examine', 'algorithm'],
    [
      'with a password',
      () => `${segment({ alg: 'PBES2-HS256+A128KW', enc: 'A256GCM', p2c: 1e9 })}.AA.AA.AA.AA`,
      'examine',
      'algorithm',
    ],
    [
      'that unpacks',
      () => `${segment({ alg: 'A256KW', enc: 'A256GCM', zip: 'DEF' })}.AA.AA.AA.AA`,
      'examine',
      'structure',
    ],
    [
      'with crit',
      () => `${segment({ alg: 'A256KW', enc: 'A256GCM', crit: ['x'] })}.AA.AA.AA.AA`,
      'examine',
      'structure',
    ],
    ['under another key', () => mintClassic({ aesKey: randomBytes(32) }), 'finish', 'decryption'],
    ['signed by another', () => mintClassic({ signer: other }), 'finish', 'signature'],
    [
      'signed by nobody',
      () => mintClassic({ jws: `${segment({ alg: 'none' })}.${segment(classicVerdict())}.` }),
      'finish',
      'structure',
    ],
    ['with another signature', () => mintClassic({ jwsHeader: { alg: 'ES384' } }), 'finish', 'algorithm'],
    [
      'with unencoded content',
      () => mintClassic({ jwsHeader: { alg: 'ES256', b64: false, crit: ['b64'] } }),
      'finish',
      'structure',
    ],
    ['around nothing', () => mintClassic({ jws: '' }), 'examine', 'structure'],
    ['around a plain verdict', () => mintClassic({ jws: JSON.stringify(classicVerdict()) }), 'finish', 'structure'],
    ['around a list', () => mintClassic({ payload: [] }), 'finish', 'verdict'],
  ])('refuses a token %s', async (_what, make, stage, check) => {
    expect(await runClassic(await make())).toMatchObject({ stage, error: { code: 'attestation_rejected', check } });
  });

  it('says no key and no token when it refuses', async () => {
    const token = await mintClassic({ aesKey: randomBytes(32) });
    const { error } = (await runClassic(token)) as { error: Error };
    const said = `${error.message} ${error.stack ?? ''} ${String(error.cause)}`;
    expect(said).not.toContain(token.slice(-30));
    expect(said).not.toContain(CLASSIC.decryptionKey.slice(0, 10));
  });
});

describe('the options of playIntegrity', () => {
  const decode: PlayDecoder = () => Promise.resolve({});
  it.each<[string, unknown, RegExp]>([
    ['nothing', undefined, /give an object such as/],
    ['neither decode nor classic', {}, /either decode/],
    ['both', { decode, classic: CLASSIC }, /either decode/],
    ['a decoder that is none', { decode: 'google' }, /decode must be a function/],
    ['a short key', { classic: { ...CLASSIC, decryptionKey: 'c2VjcmV0' } }, /decryptionKey must be/],
    ['a missing key', { classic: { ...CLASSIC, decryptionKey: undefined } }, /decryptionKey must be/],
    ['a broken key', { classic: { ...CLASSIC, verificationKey: 'AAAA' } }, /verificationKey must be/],
    ['an unknown integrity', { decode, deviceIntegrity: 'MEETS_VIRTUAL_INTEGRITY' }, /deviceIntegrity must be one of/],
    ['a certificate in hexadecimal', { decode, certificates: ['ab:cd'] }, /certificates must list/],
    ['no certificate', { decode, certificates: [] }, /certificates must list/],
    ['unknown builds of anybody', { decode, allowUnrecognized: true }, /allowUnrecognized needs certificates/],
    ['a word for a flag', { decode, allowTesting: 'no' }, /allowTesting must be true or false/],
    ['an age of nothing', { decode, verdictMaxAge: 0 }, /verdictMaxAge must be/],
    ['an empty package', { decode, packageName: '' }, /packageName must be a string/],
  ])('refuse %s', (_what, options, message) => {
    expect(() => playIntegrity(options as PlayIntegrityOptions)).toThrow(TabConfigError);
    expect(() => playIntegrity(options as PlayIntegrityOptions)).toThrow(message);
  });

  it('refuses a decoder without access', () => {
    expect(() => googleDecoder({} as never)).toThrow(/accessToken must be a function/);
    expect(() => googleDecoder(undefined as never)).toThrow(TabConfigError);
  });
});

describe('verifyPlayIntegrity under hostile input', FUZZ, () => {
  const expected = { packageName: APP_ID, bound: BOUND, now: new Date(NOW * 1000) };
  // The same checks, with the keys imported once.
  const attester = playIntegrity({ classic: CLASSIC });
  const verify = async (token: unknown) => attester.examine(inputFor(token))();
  const judge = (payload: unknown) => verifyPlayIntegrity({ verdict: payload, ...expected });

  it('accepts no token with any one character changed', async () => {
    const token = await mintClassic();
    await expect(verify(token)).resolves.toHaveProperty('assurance', 'software');
    const verdictOf = verifyPlayIntegrity({ token, classic: CLASSIC, ...expected });
    await expect(verdictOf).resolves.toMatchObject({ packageName: APP_ID, emulator: false });
    const mutants = Array.from({ length: token.length * 2 }, (_none, at) => {
      const place = at >> 1;
      // The lowest bit, which lenient decoders drop at the end of a segment, and another.
      const flipped = String.fromCharCode(token.charCodeAt(place) ^ (at % 2 === 0 ? 1 : 2 << (place % 6)));
      return token.slice(0, place) + flipped + token.slice(place + 1);
    });
    let next = 0;
    await expectAllRefused(mutants.length, () => mutants[next++], verify);
  });

  it('accepts no signed part with any one character changed', async () => {
    const jws = signVerdict();
    for (let at = 0; at < jws.length; at += 1) {
      const flipped = String.fromCharCode(jws.charCodeAt(at) ^ (1 << (at % 7)));
      const token = await mintClassic({ jws: jws.slice(0, at) + flipped + jws.slice(at + 1) });
      await expect(verify(token), `character ${at}`).rejects.toBeInstanceOf(AttestationError);
    }
  });

  it('refuses whatever is not a token, or not a verdict', async () => {
    await expectAllRefused(fuzzCount(), randomInput, verify);
    await expectAllRefused(fuzzCount(), randomInput, judge);
  });

  it('refuses tokens with changed parts', async () => {
    const token = await mintClassic();
    const [, ...rest] = token.split('.');
    const header = { alg: 'A256KW', enc: 'A256GCM' };
    await expectAllRefused(
      fuzzCount(),
      (dice) =>
        dice.pick([
          () => mutateText(token, dice),
          () => [segment({ ...mutateMembers(header, dice), n: 1 }), ...rest].join('.'),
        ])(),
      verify,
    );
  });

  it('refuses verdicts on a bad device, whatever else they say', async () => {
    const bad = { deviceIntegrity: { deviceRecognitionVerdict: ['MEETS_BASIC_INTEGRITY'] } };
    await expectAllRefused(fuzzCount(), (dice) => ({ ...mutateMembers(verdict(), dice), ...bad }), judge);
  });

  it('refuses everything by a clock that shows no time', async () => {
    const now = new Date(Number.NaN);
    await expect(verifyPlayIntegrity({ verdict: verdict(), ...expected, now })).rejects.toMatchObject({
      check: 'time',
    });
  });
});
