import { generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import { encode } from 'cborg';
import { describe, expect, it } from 'vitest';
import type { AppleAttestedKey } from '../../../../lib/attestation/apple/apple.types.js';
import { verifyAppleAssertion } from '../../../../lib/attestation/apple/verify-assertion.js';
import type { AppleAssertionForgery, AppleDevice } from '../../../../lib/testing/apple-attestation.js';
import { APP_ID, BINDING, checkOf, deviceWith } from './apple.fixture.js';

type Overrides = Partial<Parameters<typeof verifyAppleAssertion>[0]>;

function verify(device: AppleDevice, forgery: AppleAssertionForgery = {}, overrides: Overrides = {}) {
  return verifyAppleAssertion({
    assertion: device.assert(BINDING, forgery),
    clientDataHash: BINDING,
    publicKey: device.publicKey,
    appId: APP_ID,
    previousCounter: 0,
    ...overrides,
  });
}

function check(forgery: AppleAssertionForgery = {}, overrides: Overrides = {}): string | undefined {
  return checkOf(() => verify(deviceWith(), forgery, overrides));
}

describe('verifyAppleAssertion', () => {
  it('tells the counter, which goes up', () => {
    const device = deviceWith();
    expect(verify(device)).toEqual({ counter: 1 });
    expect(verify(device, {}, { previousCounter: 1 })).toEqual({ counter: 2 });
    expect(verify(device, { counter: 2 ** 32 - 1 }, { previousCounter: 2 })).toEqual({ counter: 4_294_967_295 });
  });

  it.each([0xc0, 0x40])('reads the map that newer systems append, with flags %i', (flags) => {
    const device = deviceWith({ validationCategory: 2, bundleVersion: '7', extensionFlag: flags === 0xc0 });
    expect(verify(device)).toEqual({ counter: 1, validationCategory: 2, bundleVersion: '7' });
    const checkFor = (validationCategories: readonly number[]) =>
      checkOf(() => verify(device, {}, { validationCategories }));
    expect(checkFor([2])).toBeUndefined();
    expect(checkFor([4])).toBe('validation-category');
    expect(check({}, { validationCategories: [2] })).toBe('validation-category');
  });

  it('reads 153 octets of authenticator data', () => {
    const map = encode({ apple_bundle_version_01: '1'.repeat(88) });
    const authenticatorData = (data: Buffer) => Buffer.concat([data, map]);
    expect(authenticatorData(Buffer.alloc(37))).toHaveLength(152);
    expect(verify(deviceWith(), { authenticatorData }).bundleVersion).toHaveLength(88);
  });

  it.each([0, 1, 2 ** 32, Number.NaN, Number.POSITIVE_INFINITY])(
    'refuses a counter of 0 or not above %d',
    (previous) => {
      expect(check({ counter: 0 }, { previousCounter: previous })).toBe('counter');
    },
  );

  it('refuses the same assertion again', () => {
    const device = deviceWith();
    const assertion = device.assert(BINDING);
    const { counter } = verify(device, {}, { assertion });
    expect(checkOf(() => verify(device, {}, { assertion, previousCounter: counter }))).toBe('counter');
  });

  it('refuses another app, key or client data', () => {
    expect(check({}, { appId: 'ABCDE12345.com.example.other' })).toBe('app-id');
    expect(check({}, { publicKey: deviceWith().publicKey })).toBe('signature');
    expect(check({}, { clientDataHash: Buffer.alloc(32) })).toBe('signature');
  });

  it('refuses a counter or map that was not signed', () => {
    const object = (members: Record<string, unknown>) => {
      const data = Buffer.from(members['authenticatorData'] as Buffer);
      data.writeUInt32BE(99, 33);
      return { ...members, authenticatorData: data };
    };
    expect(check({ object })).toBe('signature');
    const authenticatorData = (data: Buffer) => Buffer.concat([data, encode({ apple_bundle_version_01: '2' })]);
    expect(
      check({ object: (m) => ({ ...m, authenticatorData: authenticatorData(m['authenticatorData'] as Buffer) }) }),
    ).toBe('signature');
  });

  it.each<[string, string, AppleAssertionForgery]>([
    ['no signature', 'cbor', { object: ({ authenticatorData }) => ({ authenticatorData }) }],
    ['no authenticator data', 'cbor', { object: ({ signature }) => ({ signature }) }],
    ['a signature that is text', 'cbor', { object: (members) => ({ ...members, signature: 'text' }) }],
    ['data that are text', 'cbor', { object: (members) => ({ ...members, authenticatorData: 'text' }) }],
    ['an empty signature', 'signature', { object: (members) => ({ ...members, signature: Buffer.alloc(0) }) }],
    [
      'a signature of r and s as they are',
      'signature',
      { object: (members) => ({ ...members, signature: Buffer.alloc(64, 1) }) },
    ],
    [
      'a signature of zeros',
      'signature',
      { object: (members) => ({ ...members, signature: Buffer.from('3006020100020100', 'hex') }) },
    ],
    ['data of 33 octets', 'authenticator-data', { authenticatorData: (data) => data.subarray(0, 33) }],
    [
      'data followed by a zero',
      'authenticator-data',
      { authenticatorData: (data) => Buffer.concat([data, Buffer.of(0)]) },
    ],
    [
      'a category of 3 octets',
      'extensions',
      { authenticatorData: (data) => Buffer.concat([data, encode({ apple_validation_category_01: Buffer.alloc(3) })]) },
    ],
  ])('refuses %s', (_title, expected, forgery) => {
    expect(check(forgery)).toBe(expected);
  });

  it('refuses a stored key that no device can have', () => {
    const jwkOf = (key: JsonWebKey) => key as unknown as AppleAttestedKey;
    const keys = [
      jwkOf(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ format: 'jwk' })),
      jwkOf(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' })),
      jwkOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })),
      { ...deviceWith().publicKey, x: 'A'.repeat(43) },
      {} as AppleAttestedKey,
      undefined as unknown as AppleAttestedKey,
    ];
    for (const publicKey of keys) expect(check({}, { publicKey })).toBe('previous');
    expect(
      checkOf(() => verify(deviceWith(), {}, { publicKey: keys.at(-1), assertion: deviceWith().assert(BINDING) })),
    ).toBe('previous');
  });

  it('refuses what is too long before it looks at it', () => {
    expect(check({}, { assertion: Buffer.alloc(4097, 0x81) })).toBe('size');
    expect(check({}, { assertion: Buffer.alloc(4096, 0x81) })).toBe('cbor');
    expect(check({}, { assertion: 'text' as unknown as Uint8Array })).toBe('size');
  });
});
