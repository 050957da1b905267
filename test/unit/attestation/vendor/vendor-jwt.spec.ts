import { generateKeyPairSync, sign } from 'node:crypto';
import type { JSONWebKeySet, JWK } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AttestationInput } from '../../../../lib/attestation/attester.js';
import { vendorJwt, verifyVendorJwt } from '../../../../lib/attestation/vendor/vendor-jwt.js';
import type { JwtVendor, VendorJwtOptions } from '../../../../lib/attestation/vendor/vendor.types.js';
import { TabConfigError } from '../../../../lib/errors/tab-error.js';
import { APP_ID, attempt, inputOf, NOW, thumbprint, type Outcome } from '../client-attestation.fixture.js';
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

const KEYS = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const OTHER = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const KEY = KEYS.publicKey.export({ format: 'jwk' }) as JWK;
const JWKS: JSONWebKeySet = { keys: [{ ...KEY, kid: 'v-1' }] };
const HEADER = { typ: 'JWT', alg: 'ES256', kid: 'v-1' };
const CHALLENGE = 'challenge-of-the-enrolment';
const ISS = 'https://rasp.example';
const AUD = 'https://api.example.com';

const THREATS: JwtVendor['threats'] = {
  'device.rooted': 'root',
  'device.emulator': 'emulator',
  'https://rasp.example/hooks': 'hooking',
  events: { ROOT: 'root', DEBUGGER: 'debugger', FRIDA: 'x-rasp-frida', NONE: null },
};

function claims(overrides: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    iss: ISS,
    aud: AUD,
    sub: 'install-1',
    jti: 'verdict-1',
    iat: NOW - 1,
    exp: NOW + 60,
    nonce: CHALLENGE,
    cnf: { jkt: thumbprint },
    device: { rooted: false, emulator: false, model: 'Pixel' },
    'https://rasp.example/hooks': false,
    events: ['NONE'],
    ...overrides,
  };
}

function mint(overrides: Record<string, unknown> = {}, header: object = HEADER, key = KEYS.privateKey): string {
  const input = `${segment(header)}.${segment(claims(overrides))}`;
  return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

function vendor(overrides: Partial<JwtVendor> = {}): JwtVendor {
  const keyed = 'key' in overrides ? {} : { jwks: JWKS };
  return { iss: ISS, aud: AUD, ...keyed, threats: THREATS, ...overrides };
}

function run(
  jwt: unknown,
  overrides: Partial<JwtVendor> = {},
  input: Partial<AttestationInput> = {},
): Promise<Outcome> {
  const attester = vendorJwt({ vendors: [vendor(overrides)] });
  return attempt(attester, inputOf(jwt, { challenge: CHALLENGE, ...input }));
}

describe('vendorJwt', () => {
  it('accepts a clean verdict over the challenge and the key', async () => {
    expect(await run(mint(), { keep: ['device.model', 'device', 'absent'] })).toEqual({
      result: {
        format: 'jwt',
        assurance: 'software',
        keyBound: true,
        app: { id: APP_ID },
        claims: {
          iss: ISS,
          sub: 'install-1',
          jti: 'verdict-1',
          iat: NOW - 1,
          exp: NOW + 60,
          kept: { 'device.model': 'Pixel' },
        },
        expiresAt: NOW + 86_400,
      },
    });
  });

  it.each<[string, Record<string, unknown>, Partial<JwtVendor>]>([
    ['several audiences', { aud: ['x', AUD] }, {}],
    ['a status that is text', { events: 'NONE' }, {}],
    ['no events at all', { events: [] }, {}],
    ['claims that are absent where that will do', { device: undefined, events: undefined }, { allowMissing: true }],
    [
      'other places',
      { challenge: { value: CHALLENGE }, 'key.id': thumbprint, nonce: 1, cnf: 1 },
      { nonce: 'challenge.value', keyThumbprint: 'key.id' },
    ],
    ['what nobody asked about', { device: { rooted: true } }, { threats: {} }],
  ])('accepts %s', async (_what, overrides, options) => {
    expect(await run(mint(overrides), options)).toHaveProperty('result');
  });

  it.each<[string, JwtVendor['key']]>([
    ['a JWK', KEY],
    ['a JWK with another kid', { ...KEY, kid: 'something' }],
    ['PEM', KEYS.publicKey.export({ format: 'pem', type: 'spki' }).toString()],
  ])('accepts what the one key signed, given as %s', async (_what, key) => {
    expect(await run(mint(), { key })).toHaveProperty('result');
    expect(await run(mint({}, HEADER, OTHER.privateKey), { key })).toMatchObject({ error: { check: 'signature' } });
  });

  it('accepts what the vendor is configured to vouch for', async () => {
    expect(vendorJwt({ vendors: [vendor({ assurance: 'tee' })] }).reach).toBe('tee');
    expect(await run(mint(), { assurance: 'tee' })).toMatchObject({ result: { assurance: 'tee' } });
  });

  it('accepts the type that is asked for, only', async () => {
    expect(await run(mint({}, { ...HEADER, typ: 'verdict+jwt' }), { typ: 'verdict+jwt' })).toHaveProperty('result');
    expect(await run(mint(), { typ: 'verdict+jwt' })).toMatchObject({ error: { check: 'header' } });
    expect(await run(mint({}, { alg: 'ES256', kid: 'v-1' }))).toHaveProperty('result');
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['one flag', { device: { rooted: true, emulator: false } }, 'root'],
    ['a flag whose name has dots', { 'https://rasp.example/hooks': true }, 'hooking'],
    ['events', { events: ['NONE', 'DEBUGGER', 'FRIDA'] }, 'debugger x-rasp-frida'],
    ['a status', { events: 'ROOT' }, 'root'],
  ])('refuses threats that %s tells of, and names them', async (_what, overrides, names) => {
    const outcome = await run(mint(overrides));
    expect(outcome).toMatchObject({ stage: 'examine', error: { check: 'threat', detail: `threat: ${names}` } });
  });

  it('lets threats through that are allowed, keeps them, and tells appraisal of an emulator', async () => {
    const jwt = mint({ device: { rooted: false, emulator: true }, events: ['DEBUGGER'] });
    const outcome = await run(jwt, { allowThreats: ['emulator', 'debugger'] });
    const kept = { threats: ['debugger', 'emulator'], emulator: true, securityLevel: 'software' };
    expect(outcome).toMatchObject({ result: { claims: kept } });
    expect(await run(jwt, { allowThreats: ['debugger'] })).toMatchObject({ error: { detail: 'threat: emulator' } });
  });

  it.each<[string, Record<string, unknown>]>([
    ['absent', { device: { emulator: false } }],
    ['text for a flag', { device: { rooted: 'false', emulator: false } }],
    ['null for a flag', { device: { rooted: null, emulator: false } }],
    ['a value that is not mapped', { events: ['NONE', 'NEW_THREAT'] }],
    ['a value that every object has', { events: ['constructor'] }],
    ['a value that is no text', { events: [7] }],
    ['too many values', { events: Array.from({ length: 65 }, () => 'NONE') }],
    ['absent events', { events: undefined }],
  ])('does not take for clear what is %s', async (_what, overrides) => {
    expect(await run(mint(overrides))).toMatchObject({ stage: 'examine', error: { check: 'unchecked' } });
  });

  it('keeps no claim under a name of ours', async () => {
    const keep = ['keyBound', 'assertionCounter', 'verifiedBootState'];
    const outcome = await run(mint({ keyBound: 'x', assertionCounter: 9, verifiedBootState: 'VERIFIED' }), { keep });
    const { result } = outcome as { result: { claims: Record<string, unknown> } };
    expect(Object.keys(result.claims).sort()).toEqual(['exp', 'iat', 'iss', 'jti', 'kept', 'sub']);
  });

  it.each<[string, unknown, string]>([
    ['of another vendor', mint({ iss: 'https://evil.example' }), 'issuer'],
    ['of no vendor', mint({ iss: undefined }), 'issuer'],
    ['of a vendor by another name', mint({ iss: ISS.toUpperCase() }), 'issuer'],
    ['for another server', mint({ aud: 'https://other.example' }), 'audience'],
    ['for nobody', mint({ aud: undefined }), 'audience'],
    ['that is expired', mint({ exp: NOW }), 'time'],
    ['without end', mint({ exp: undefined }), 'claims'],
    ['from the future', mint({ iat: NOW + 16 }), 'time'],
    ['that is not valid yet', mint({ nbf: NOW + 16 }), 'time'],
    ['over another challenge', mint({ nonce: 'another' }), 'challenge'],
    ['over no challenge', mint({ nonce: undefined }), 'challenge'],
    ['over a list of challenges', mint({ nonce: [CHALLENGE] }), 'challenge'],
    ['about another key', mint({ cnf: { jkt: 'A'.repeat(43) } }), 'key-binding'],
    ['about no key', mint({ cnf: undefined }), 'key-binding'],
    ['about a key in text', mint({ cnf: `{"jkt":"${thumbprint}"}` }), 'key-binding'],
    ['without signature', mint({}, { ...HEADER, alg: 'none' }), 'algorithm'],
    ['with a MAC', mint({}, { ...HEADER, alg: 'HS256' }), 'algorithm'],
    ['with an unknown kid', mint({}, { ...HEADER, kid: 'v-2' }), 'issuer-key'],
    ['of another type', mint({}, { ...HEADER, typ: 'tab+jwt' }), 'header'],
    ['with crit', mint({}, { ...HEADER, crit: ['exp'] }), 'header'],
    ['that is nothing', undefined, 'structure'],
    ['of 70,000 characters', 'A'.repeat(70_000), 'structure'],
  ])('refuses a verdict %s before anything is spent', async (_what, jwt, check) => {
    const outcome = await run(jwt);
    expect(outcome).toMatchObject({ stage: 'examine', error: { code: 'attestation_rejected', check } });
  });

  it('refuses a verdict that another signed', async () => {
    const outcome = await run(mint({}, HEADER, OTHER.privateKey));
    expect(outcome).toMatchObject({ stage: 'finish', error: { check: 'signature' } });
  });

  it('tries the keys of the vendor that is named, no others', async () => {
    const second: JwtVendor = {
      iss: 'https://two.example',
      aud: AUD,
      key: OTHER.publicKey.export({ format: 'jwk' }) as JWK,
    };
    const attester = vendorJwt({ vendors: [vendor(), second] });
    const forged = mint({ iss: 'https://two.example' });
    const outcome = await attempt(attester, inputOf(forged, { challenge: CHALLENGE }));
    expect(outcome).toMatchObject({ stage: 'finish', error: { check: 'signature' } });
  });

  it.each([null, 'jwt', [], {}, { token: mint() }])('refuses the statement %j', async (statement) => {
    const outcome = await run(undefined, {}, { statement });
    expect(outcome).toMatchObject({ stage: 'examine', error: { check: 'statement' } });
  });
});

describe('published keys of a vendor', () => {
  const service = new LocalService();
  beforeEach(async () => service.open());
  afterEach(async () => service.close());

  /** Seconds: a busy machine may take some time to answer well; what never answers need not be waited for. */
  const remote = (timeout = 5) => ({ jwks: { uri: `${service.origin}/jwks`, timeout } });

  it('are fetched', async () => {
    service.answer = json(JWKS);
    expect(await run(mint(), remote())).toHaveProperty('result');
    expect(service.calls).toHaveLength(1);
  });

  it.each(misbehaviours(JWKS))('let nobody in when the service %s', async (_what, answer) => {
    service.answer = answer;
    const outcome = await run(mint(), remote(0.3));
    expect(outcome).toMatchObject({ stage: 'finish', error: { code: 'store_unavailable' } });
  });
});

describe('the options of vendorJwt', () => {
  it.each<[string, unknown, RegExp]>([
    ['nothing', undefined, /give an object such as/],
    ['no vendors', { vendors: [] }, /vendors must list at least one/],
    ['a vendor that is none', { vendors: [null] }, /give an object such as .* for vendors\[0\]/],
    ['no iss', { vendors: [vendor({ iss: '' })] }, /vendors\[0\]\.iss must be a string/],
    ['no aud', { vendors: [{ ...vendor(), aud: undefined }] }, /vendors\[0\]\.aud must be a string/],
    ['no keys', { vendors: [{ iss: ISS, aud: AUD }] }, /needs either jwks/],
    ['two sorts of keys', { vendors: [{ ...vendor(), key: KEY }] }, /needs either jwks/],
    [
      'a private key',
      { vendors: [vendor({ key: KEYS.privateKey.export({ format: 'jwk' }) as JWK })] },
      /public key only/,
    ],
    [
      'a private key in PEM',
      { vendors: [vendor({ key: KEYS.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString() })] },
      /public key only/,
    ],
    ['a secret for a key', { vendors: [vendor({ key: { kty: 'oct', k: 'AAAA' } })] }, /public key only/],
    ['text for a key', { vendors: [vendor({ key: 'key' })] }, /public JWK or the PEM/],
    ['a MAC', { vendors: [{ ...vendor(), algorithms: ['HS256'] }] }, /algorithms must list/],
    ['no signature', { vendors: [{ ...vendor(), algorithms: ['none'] }] }, /algorithms must list/],
    ['an unknown threat', { vendors: [{ ...vendor(), threats: { rooted: 'rooted' } }] }, /must be a threat name/],
    ['an empty map', { vendors: [vendor({ threats: { events: {} } })] }, /or a map/],
    ['an unknown threat in a map', { vendors: [{ ...vendor(), threats: { e: { X: 'x' } } }] }, /or a map/],
    ['an unknown threat to allow', { vendors: [{ ...vendor(), allowThreats: ['rooted'] }] }, /allowThreats must list/],
    ['a word for a flag', { vendors: [{ ...vendor(), allowMissing: 'yes' }] }, /allowMissing must be true or false/],
    ['an assurance of none', { vendors: [{ ...vendor(), assurance: 'none' }] }, /assurance must be/],
    ['a path that is empty', { vendors: [vendor({ nonce: '' })] }, /nonce must be a string/],
    ['one path to keep', { vendors: [{ ...vendor(), keep: 'device' }] }, /keep must list/],
    ['the same vendor twice', { vendors: [vendor(), vendor()] }, /same iss/],
    ['an age of nothing', { vendors: [vendor()], maxAge: -1 }, /maxAge must be/],
  ])('refuse %s', (_what, options, message) => {
    expect(() => vendorJwt(options as VendorJwtOptions)).toThrow(TabConfigError);
    expect(() => vendorJwt(options as VendorJwtOptions)).toThrow(message);
  });
});

describe('verifyVendorJwt under hostile input', FUZZ, () => {
  const attester = vendorJwt({ vendors: [vendor()] });
  const verify = async (jwt: unknown) => attester.examine(inputOf(jwt, { challenge: CHALLENGE }))();

  it('accepts no verdict with any one character changed', async () => {
    const jwt = mint();
    const expected = { challenge: CHALLENGE, thumbprint, now: new Date(NOW * 1000) };
    await expect(verifyVendorJwt({ token: jwt, vendor: vendor(), ...expected })).resolves.toMatchObject({
      threats: [],
    });
    const mutants = Array.from({ length: jwt.length * 7 }, (_none, at) => {
      const place = Math.floor(at / 7);
      const flipped = String.fromCharCode(jwt.charCodeAt(place) ^ (1 << (at % 7)));
      return jwt.slice(0, place) + flipped + jwt.slice(place + 1);
    });
    let next = 0;
    await expectAllRefused(mutants.length, () => mutants[next++], verify);
  });

  it('refuses whatever is not a verdict', async () => {
    await expectAllRefused(fuzzCount(), randomInput, verify);
  });

  it('refuses verdicts with changed parts', async () => {
    const jwt = mint();
    const [header = '', payload = '', signature = ''] = jwt.split('.');
    const bad = `${signature.slice(0, -4)}AAAA`;
    await expectAllRefused(
      fuzzCount(),
      (dice) =>
        dice.pick([
          () => mutateText(jwt, dice),
          () => `${segment(mutateMembers(HEADER, dice))}.${payload}.${bad}`,
          () => `${header}.${segment(mutateMembers(claims(), dice))}.${bad}`,
        ])(),
      verify,
    );
  });

  it('refuses what the vendor signed about threats, whatever else it says', async () => {
    const found = { events: ['FRIDA'] };
    await expectAllRefused(
      Math.min(fuzzCount(1000), 20_000),
      (dice) => mint({ ...mutateMembers(claims(), dice), ...found }, mutateMembers(HEADER, dice)),
      verify,
    );
  });
});
