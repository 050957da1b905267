import { describe, expect, it } from 'vitest';
import type { AppleAppAttestOptions } from '../../../../lib/attestation/apple/apple.types.js';
import { appleAppAttest } from '../../../../lib/attestation/apple/app-attest.js';
import type { AttestationInput, AttestationResult, PreviousAttestation } from '../../../../lib/attestation/attester.js';
import { TabConfigError } from '../../../../lib/errors/tab-error.js';
import {
  accept,
  APP_ID,
  attestationOf,
  attesterWith,
  BINDING,
  checkOf,
  deviceWith,
  inputOf,
  NOW,
  renewalOf,
} from './apple.fixture.js';

const MONTH = 2_592_000;

/** The instance's attestation as the server keeps it: through JSON, with members of its own. */
function previousOf(result: AttestationResult, overrides: Partial<PreviousAttestation> = {}): PreviousAttestation {
  const claims = JSON.parse(JSON.stringify({ ...result.claims, keyBound: true })) as Record<string, unknown>;
  return { format: result.format, claims, counter: result.counter ?? 0, ...overrides };
}

function checkInput(statement: unknown, overrides: Partial<AttestationInput> = {}, attester = attesterWith()) {
  return checkOf(() => attester.examine(inputOf(statement, overrides)));
}

describe('appleAppAttest', () => {
  it('attests a key bound app and device in software', async () => {
    const device = deviceWith({ validationCategory: 4, bundleVersion: '1042' });
    const result = await accept(attesterWith(), inputOf(attestationOf(device)));
    expect(result).toEqual({
      format: 'apple-appattest',
      assurance: 'software',
      keyBound: true,
      app: { id: 'bank.ios', version: '1042' },
      claims: {
        keyId: device.keyId,
        publicKey: device.publicKey,
        appId: APP_ID,
        environment: 'production',
        validationCategory: 4,
        bundleVersion: '1042',
      },
      expiresAt: NOW + MONTH,
      counter: 0,
    });
    expect(JSON.parse(JSON.stringify(result.claims))).toEqual(result.claims);
  });

  it('says nothing of what an older system does not say', async () => {
    const { app, claims } = await accept(attesterWith(), inputOf(attestationOf(deviceWith())));
    expect(app).toEqual({ id: 'bank.ios' });
    expect(Object.keys(claims).sort()).toEqual(['appId', 'environment', 'keyId', 'publicKey']);
  });

  it('takes the binding as client data hash, and neither its hash nor the keyless one', () => {
    const { keylessBinding } = inputOf({});
    expect(checkInput(attestationOf(deviceWith(), keylessBinding))).toBe('nonce');
    expect(checkInput(attestationOf(deviceWith(), Buffer.from(BINDING.toString('base64url'))))).toBe('nonce');
  });

  it('takes any of several apps, and says which', async () => {
    const options = { appId: undefined, appIds: [APP_ID, `${APP_ID}.clip`] } as Partial<AppleAppAttestOptions>;
    const device = deviceWith({ appId: `${APP_ID}.clip` });
    const { claims } = await accept(attesterWith(options), inputOf(attestationOf(device)));
    expect(claims['appId']).toBe(`${APP_ID}.clip`);
    expect(checkInput(attestationOf(device))).toBe('app-id');
  });

  it('judges validity by the clock of the input', () => {
    const statement = attestationOf(deviceWith());
    expect(checkInput(statement, { now: NOW + 3 * 86_400 })).toBe('validity');
  });

  it('restricts how the app was installed', () => {
    const attester = attesterWith({ validationCategories: [4] });
    expect(checkInput(attestationOf(deviceWith({ validationCategory: 4 })), {}, attester)).toBeUndefined();
    expect(checkInput(attestationOf(deviceWith({ validationCategory: 5 })), {}, attester)).toBe('validation-category');
    expect(checkInput(attestationOf(deviceWith()), {}, attester)).toBe('validation-category');
  });

  it('keeps the receipt only where it is wanted, through renewals', async () => {
    const attester = attesterWith({ receipt: true });
    const device = deviceWith();
    const first = await accept(attester, inputOf(attestationOf(device)));
    expect(first.claims['receipt']).toBe(Buffer.from('synthetic').toString('base64'));
    const previous = previousOf(first);
    const renewed = await accept(attester, inputOf(renewalOf(device), { previous }));
    expect(renewed.claims['receipt']).toBe(first.claims['receipt']);
    const without = await accept(attesterWith(), inputOf(renewalOf(device), { previous }));
    expect(without.claims).not.toHaveProperty('receipt');
  });

  it('does not keep a receipt of any size', () => {
    const device = deviceWith();
    const object = (members: Record<string, unknown>) => ({
      ...members,
      attStmt: { ...(members['attStmt'] as object), receipt: Buffer.alloc(8193) },
    });
    const statement = { keyId: device.keyId, attestationObject: device.attest(BINDING, { object }).toString('base64') };
    expect(checkInput(statement, {}, attesterWith({ receipt: true }))).toBe('receipt');
    expect(checkInput(statement)).toBeUndefined();
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['an array', []],
    ['no member', {}],
    ['only a key id', { keyId: deviceWith().keyId }],
    ['both kinds of evidence', { ...attestationOf(deviceWith()), ...renewalOf(deviceWith()) }],
    ['a key id of 31 octets', { ...attestationOf(deviceWith()), keyId: Buffer.alloc(31).toString('base64') }],
    ['a key id in base64url', { ...attestationOf(deviceWith()), keyId: Buffer.alloc(32, 0xff).toString('base64url') }],
    ['evidence that is no text', { keyId: deviceWith().keyId, attestationObject: 7 }],
    ['evidence with a line break', { keyId: deviceWith().keyId, attestationObject: 'o2Nm\nbXRv' }],
    ['evidence without padding', { keyId: deviceWith().keyId, attestationObject: 'o2Nmbg' }],
    ['evidence with trailing bits', { keyId: deviceWith().keyId, assertion: 'o2Nmbh==' }],
  ])('refuses a statement of %s', (_title, statement) => {
    expect(checkInput(statement)).toBe('statement');
  });

  it('refuses text that is too long before it is decoded', () => {
    expect(checkInput({ keyId: deviceWith().keyId, assertion: 'A'.repeat(87_388) })).toBe('size');
  });
});

describe('renewal by an assertion', () => {
  it('counts up, and takes what the system says now', async () => {
    const device = deviceWith({ validationCategory: 4, bundleVersion: '2' });
    const first = await accept(attesterWith(), inputOf(attestationOf(device)));
    const later = NOW + 100 * 86_400;
    const input = inputOf(renewalOf(device), { previous: previousOf(first), now: later });
    const renewed = await accept(attesterWith(), input);
    expect(renewed).toEqual({ ...first, counter: 1, expiresAt: later + MONTH });
    expect(checkOf(() => attesterWith().examine({ ...input, previous: previousOf(renewed) }))).toBe('counter');
  });

  it('does not go on saying what the system no longer says', async () => {
    const device = deviceWith();
    const first = await accept(attesterWith(), inputOf(attestationOf(device)));
    const previous = previousOf(first, { claims: { ...first.claims, validationCategory: 4, bundleVersion: '1' } });
    const { claims } = await accept(attesterWith(), inputOf(renewalOf(device), { previous }));
    expect(claims).toEqual(first.claims);
    const restricted = attesterWith({ validationCategories: [4] });
    expect(checkInput(renewalOf(device), { previous }, restricted)).toBe('validation-category');
  });

  it('is refused without an attestation of this format by this key', async () => {
    const device = deviceWith();
    const first = await accept(attesterWith(), inputOf(attestationOf(device)));
    const other = deviceWith();
    const check = (previous: PreviousAttestation | undefined, statement: unknown = renewalOf(device)) =>
      checkInput(statement, { previous });
    expect(check(previousOf(first))).toBeUndefined();
    expect(check(undefined)).toBe('previous');
    expect(check(previousOf(first, { format: 'android-key' }))).toBe('previous');
    expect(check(previousOf(first, { claims: {} }))).toBe('previous');
    expect(check(previousOf(first, { claims: { ...first.claims, publicKey: 'key' } }))).toBe('previous');
    expect(check(previousOf(first), renewalOf(other))).toBe('key-id');
    expect(check(previousOf(first), { ...renewalOf(other), keyId: device.keyId })).toBe('signature');
    expect(check(previousOf(first), renewalOf(device, Buffer.alloc(32)))).toBe('signature');
  });

  it('is refused when the environment or the app no longer counts', async () => {
    const device = deviceWith({ environment: 'development' });
    const development = attesterWith({ environment: 'development' });
    const previous = previousOf(await accept(development, inputOf(attestationOf(device))));
    expect(checkInput(renewalOf(device), { previous }, development)).toBeUndefined();
    expect(checkInput(renewalOf(device), { previous })).toBe('environment');
    const otherApp = attesterWith({
      environment: 'development',
      appId: `${APP_ID}2`,
    } as Partial<AppleAppAttestOptions>);
    expect(checkInput(renewalOf(device), { previous }, otherApp)).toBe('app-id');
  });
});

describe('an assertion on a request', () => {
  const HASH = Buffer.alloc(32, 7);

  it('is taken once, by the attested key, for this token', async () => {
    const attester = attesterWith();
    const device = deviceWith();
    const { claims } = previousOf(await accept(attester, inputOf(attestationOf(device))));
    const assertion = device.assert(HASH);
    const input = { assertion, clientDataHash: HASH, claims, previousCounter: 0 };
    expect(attester.assertRequest?.(input)).toEqual({ counter: 1 });
    const check = (overrides: object) => checkOf(() => attester.assertRequest?.({ ...input, ...overrides }));
    expect(check({ previousCounter: 1 })).toBe('counter');
    expect(check({ clientDataHash: BINDING })).toBe('signature');
    expect(check({ assertion: deviceWith().assert(HASH) })).toBe('signature');
    expect(check({ claims: {} })).toBe('previous');
    expect(check({ claims: { ...claims, environment: 'development' } })).toBe('environment');
    expect(check({ assertion: Buffer.alloc(0) })).toBe('cbor');
  });
});

describe('the options', () => {
  const VALID = { appId: APP_ID, environment: 'production' };

  it('trust Apple by default', () => {
    expect(appleAppAttest({ appId: APP_ID, environment: 'production' })).toMatchObject({
      format: 'apple-appattest',
      reach: 'software',
    });
    const attester = appleAppAttest({ appId: APP_ID, environment: 'production' });
    expect(checkInput(attestationOf(deviceWith()), {}, attester)).toBe('trust-anchor');
  });

  it.each<[string, unknown]>([
    ['absent', undefined],
    ['without an app', { environment: 'production' }],
    ['with appId and appIds', { ...VALID, appIds: [APP_ID] }],
    ['without any of appIds', { environment: 'production', appIds: [] }],
    ['with appIds that are text', { environment: 'production', appIds: APP_ID }],
    ['with a bundle id alone', { ...VALID, appId: 'com.example.bank' }],
    ['with a wildcard', { ...VALID, appId: 'ABCDE12345.*' }],
    ['without an environment', { appId: APP_ID }],
    ['with another environment', { ...VALID, environment: 'staging' }],
    ['without any of validationCategories', { ...VALID, validationCategories: [] }],
    ['with a category by name', { ...VALID, validationCategories: ['appStore'] }],
    ['with a negative category', { ...VALID, validationCategories: [-1] }],
    ['with a life of 0', { ...VALID, maxAge: 0 }],
    ['with half a second', { ...VALID, maxAge: 0.5 }],
    ['with no roots', { ...VALID, roots: [] }],
    [
      'with a root that is no certificate',
      { ...VALID, roots: ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'] },
    ],
    ['with a root that is neither text nor octets', { ...VALID, roots: [7] }],
    ['with a receipt that is no yes or no', { ...VALID, receipt: 'keep' }],
  ])('are refused %s', (_title, options) => {
    expect(() => appleAppAttest(options as AppleAppAttestOptions)).toThrow(TabConfigError);
    expect(() => appleAppAttest(options as AppleAppAttestOptions)).toThrow(/^appleAppAttest: /);
  });
});
