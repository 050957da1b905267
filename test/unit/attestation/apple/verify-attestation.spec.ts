import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { encode } from 'cborg';
import { describe, expect, it } from 'vitest';
import { verifyAppleAttestation } from '../../../../lib/attestation/apple/verify-attestation.js';
import {
  createAppleAttestationCa,
  type AppleAttestationForgery,
  type AppleDevice,
  type AppleDeviceOptions,
} from '../../../../lib/testing/apple-attestation.js';
import { APP_ID, apple, BINDING, checkOf, deviceWith, NOW } from './apple.fixture.js';

type Overrides = Partial<Parameters<typeof verifyAppleAttestation>[0]>;

function verify(device: AppleDevice, forgery: AppleAttestationForgery = {}, overrides: Overrides = {}) {
  return verifyAppleAttestation({
    attestationObject: device.attest(BINDING, forgery),
    keyId: device.keyId,
    clientDataHash: BINDING,
    appId: APP_ID,
    environment: 'production',
    roots: [apple.root],
    now: new Date(NOW * 1000),
    ...overrides,
  });
}

function check(forgery: AppleAttestationForgery = {}, overrides: Overrides = {}): string | undefined {
  return checkOf(() => verify(deviceWith(), forgery, overrides));
}

/** Authenticator data with a map of these members behind, certified as such. */
function checkMap(map: unknown): string | undefined {
  return check({ authData: (data) => Buffer.concat([data, encode(map)]) });
}

function edited(edit: (data: Buffer) => void): AppleAttestationForgery {
  return {
    authData: (data) => {
      edit(data);
      return data;
    },
  };
}

const NEW_SYSTEM: readonly [string, Partial<AppleDeviceOptions>][] = [
  ['with the extension flag', { extensionFlag: true }],
  ['without the extension flag', { extensionFlag: false }],
];

describe('verifyAppleAttestation', () => {
  it('tells the key, the app and the environment', () => {
    const device = deviceWith();
    expect(verify(device)).toEqual({
      keyId: device.keyId,
      publicKey: device.publicKey,
      appId: APP_ID,
      environment: 'production',
      receipt: new Uint8Array(Buffer.from('synthetic')),
    });
  });

  it('takes an attestation without a receipt, and with members that it does not know', () => {
    const object = (members: Record<string, unknown>) => {
      const { x5c } = members['attStmt'] as { x5c: unknown };
      return { ...members, attStmt: { x5c }, cdHash: { hash: Buffer.alloc(20) } };
    };
    expect(verify(deviceWith(), { object }).receipt).toBeUndefined();
  });

  it('takes the client data hash as it is, whatever its length', () => {
    for (const clientDataHash of [Buffer.from('test_server_challenge'), Buffer.alloc(0), Buffer.alloc(64)]) {
      const device = deviceWith();
      const attestationObject = device.attest(clientDataHash);
      expect(verify(device, {}, { attestationObject, clientDataHash }).keyId).toBe(device.keyId);
    }
  });

  it('keeps the environments apart', () => {
    const device = deviceWith({ environment: 'development' });
    expect(checkOf(() => verify(device))).toBe('environment');
    expect(verify(device, {}, { environment: 'development' }).environment).toBe('development');
  });

  it('is valid from the first to the last second of its leaf', () => {
    const device = deviceWith();
    const attestationObject = device.attest(BINDING);
    const checkAt = (seconds: number) =>
      checkOf(() => verify(device, {}, { attestationObject, now: new Date(seconds * 1000) }));
    expect([-86_400, 2 * 86_400].map((offset) => checkAt(NOW + offset))).toEqual([undefined, undefined]);
    expect([-86_401, 2 * 86_400 + 1].map((offset) => checkAt(NOW + offset))).toEqual(['validity', 'validity']);
  });

  it('trusts the configured root only, and Apple by default', () => {
    const { root } = createAppleAttestationCa({ clock: () => NOW });
    expect(check({}, { roots: [root] })).toBe('trust-anchor');
    expect(check({}, { roots: [] })).toBe('trust-anchor');
    expect(check({}, { roots: undefined })).toBe('trust-anchor');
    expect(check({}, { roots: [root, apple.root] })).toBeUndefined();
  });

  it('no longer trusts a root that was taken out of its list, or overwritten in it', () => {
    const roots = [apple.root];
    expect(check({}, { roots })).toBeUndefined();
    roots.pop();
    expect(check({}, { roots })).toBe('trust-anchor');
    const der = new X509Certificate(apple.root).raw;
    expect(check({}, { roots: [der] })).toBeUndefined();
    der.set(new X509Certificate(createAppleAttestationCa({ clock: () => NOW }).root).raw.subarray(0, der.length));
    expect(check({}, { roots: [der] })).toBeDefined();
  });

  it('refuses an environment that there is none of', () => {
    for (const environment of ['staging', 'toString', '__proto__', undefined])
      expect(check({}, { environment: environment as 'production' })).toBe('environment');
  });

  describe.each(NEW_SYSTEM)('of a system that appends a map, %s', (_title, options) => {
    it('tells category and version', () => {
      const device = deviceWith({ ...options, validationCategory: 4, bundleVersion: '1042' });
      expect(verify(device)).toMatchObject({ validationCategory: 4, bundleVersion: '1042' });
    });

    it('restricts the category where it is told to', () => {
      const checkWith = (validationCategory: number | undefined, validationCategories: readonly number[]) =>
        checkOf(() =>
          verify(deviceWith({ ...options, bundleVersion: '1', validationCategory }), {}, { validationCategories }),
        );
      expect(checkWith(4, [4])).toBeUndefined();
      expect(checkWith(2, [2, 4])).toBeUndefined();
      expect(checkWith(3, [2, 4])).toBe('validation-category');
      expect(checkWith(0x0400_0000, [4])).toBe('validation-category');
      expect(checkWith(undefined, [4])).toBe('validation-category');
    });

    it('is refused when the map is taken away afterwards', () => {
      const device = deviceWith({ ...options, validationCategory: 3 });
      const object = (members: Record<string, unknown>) => {
        const data = Buffer.from((members['authData'] as Buffer).subarray(0, 164));
        data[32] = 0x40;
        return { ...members, authData: data };
      };
      expect(checkOf(() => verify(device, { object }))).toBe('nonce');
    });
  });

  it('keeps the code directory hash', () => {
    const map = encode({ apple_cd_hash_type_01: Buffer.of(2), apple_cd_hash_hash_01: Buffer.alloc(32, 0xab) });
    const verified = verify(deviceWith(), { authData: (data) => Buffer.concat([data, map]) });
    expect(verified.codeDirectoryHash).toBe('ab'.repeat(32));
  });

  it('passes over members of the map that it does not know', () => {
    expect(checkMap({ apple_something_01: [1, { deep: true }], other: null })).toBeUndefined();
    expect(checkMap({})).toBeUndefined();
  });

  it.each<[string, unknown]>([
    ['a category of 3 octets', { apple_validation_category_01: Buffer.alloc(3) }],
    ['a category of 5 octets', { apple_validation_category_01: Buffer.alloc(5) }],
    ['a category that is a number', { apple_validation_category_01: 4 }],
    ['a category that is text', { apple_validation_category_01: '4' }],
    ['a version that is octets', { apple_bundle_version_01: Buffer.from('1') }],
    ['a version of 129 characters', { apple_bundle_version_01: '1'.repeat(129) }],
    ['a hash that is text', { apple_cd_hash_hash_01: 'ab' }],
    ['a hash of 65 octets', { apple_cd_hash_hash_01: Buffer.alloc(65) }],
    ['a name that is a number', new Map([[1, 2]])],
  ])('refuses %s', (_title, map) => {
    expect(checkMap(map)).toBe('extensions');
  });

  it.each<[string, Buffer]>([
    ['something that is not a map', Buffer.from(encode([1]))],
    ['two maps', Buffer.from([0xa0, 0xa0])],
    ['a map of indefinite length', Buffer.from([0xbf, 0xff])],
    ['a map cut short', Buffer.from([0xa1, 0x61, 0x61])],
    ['a map that says a name twice', Buffer.from('a2616101616102', 'hex')],
    ['a zero', Buffer.of(0)],
  ])('refuses authenticator data that end with %s', (_title, tail) => {
    expect(check({ authData: (data) => Buffer.concat([data, tail]) })).toBe('authenticator-data');
  });

  it.each<[string, string, AppleAttestationForgery]>([
    ['a counter of 1', 'counter', edited((data) => data.writeUInt32BE(1, 33))],
    ['a counter of 2^24', 'counter', edited((data) => data.writeUInt32BE(2 ** 24, 33))],
    ['another app', 'app-id', edited((data) => data.writeUInt8(data.readUInt8(0) ^ 1, 0))],
    ['the development environment', 'environment', edited((data) => void data.write('appattestdevelop', 37))],
    ['an unknown environment', 'environment', edited((data) => data.writeUInt8(1, 52))],
    ['a credential id of 24 octets', 'authenticator-data', edited((data) => data.writeUInt16BE(24, 53))],
    ['another credential id', 'credential-id', edited((data) => data.writeUInt8(data.readUInt8(60) ^ 1, 60))],
    ['another credential key', 'credential-key', edited((data) => data.writeUInt8(data.readUInt8(110) ^ 1, 110))],
    ['a credential key of another algorithm', 'credential-key', edited((data) => data.writeUInt8(0x27, 91))],
    ['no attested credential', 'authenticator-data', edited((data) => data.writeUInt8(0, 32))],
    ['extensions that are not there', 'authenticator-data', edited((data) => data.writeUInt8(0xc0, 32))],
    [
      'a credential key without y',
      'credential-key',
      { authData: (data) => Buffer.concat([data.subarray(0, 87), Buffer.of(0xa4), data.subarray(88, 129)]) },
    ],
    ['data of 37 octets', 'authenticator-data', { authData: (data) => data.subarray(0, 37) }],
    ['data of 36 octets', 'authenticator-data', { authData: (data) => data.subarray(0, 36) }],
    ['no data', 'authenticator-data', { authData: () => Buffer.alloc(0) }],
  ])('refuses %s, though certified', (_title, expected, forgery) => {
    expect(check(forgery)).toBe(expected);
  });

  it.each<[string, string, (value: Buffer) => readonly Buffer[]]>([
    ['missing', 'nonce-extension', () => []],
    ['there twice', 'certificate', (value) => [value, value]],
    [
      'in another context tag',
      'nonce-extension',
      (value) => [Buffer.concat([Buffer.from('3024a2220420', 'hex'), value.subarray(6)])],
    ],
    ['followed by an octet', 'nonce-extension', (value) => [Buffer.concat([value, Buffer.of(0)])]],
    [
      'followed by an octet inside',
      'nonce-extension',
      (value) => [Buffer.concat([Buffer.from('3025a1220420', 'hex'), value.subarray(6), Buffer.of(0)])],
    ],
    ['without its wrapping', 'nonce-extension', (value) => [value.subarray(4)]],
    ['of 31 octets', 'nonce-extension', (value) => [value.subarray(0, -1)]],
    ['empty', 'nonce-extension', () => [Buffer.alloc(0)]],
    ['another value', 'nonce', (value) => [Buffer.concat([value.subarray(0, 6), Buffer.alloc(32)])]],
  ])('refuses a nonce extension that is %s', (_title, expected, nonceExtensions) => {
    expect(check({ nonceExtensions })).toBe(expected);
  });

  it.each<[string, object]>([
    ['P-384', generateKeyPairSync('ec', { namedCurve: 'P-384' })],
    ['RSA', generateKeyPairSync('rsa', { modulusLength: 2048 })],
  ])('refuses a certified key on %s', (_title, pair) => {
    const { publicKey: leafKey } = pair as ReturnType<typeof generateKeyPairSync>;
    expect(check({ leafKey } as unknown as AppleAttestationForgery)).toBe('certificate-key');
  });

  it('refuses a certified key that the data do not speak of', () => {
    const { publicKey: leafKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    expect(check({ leafKey })).toBe('key-id');
  });

  it('refuses a chain that skips the CA, repeats it, or stands on its head', () => {
    const second = createAppleAttestationCa({ clock: () => NOW });
    expect(check({ x5c: ([leaf]) => [leaf] })).toBe('chain-length');
    expect(check({ x5c: ([leaf, ca]) => [leaf, ca, ca] })).toBe('chain-length');
    expect(check({ x5c: ([leaf, ca]) => [ca, leaf] })).toBeDefined();
    expect(check({ x5c: ([leaf]) => [leaf, leaf] })).toBeDefined();
    expect(check({ x5c: ([, ca]) => [ca, ca] })).toBeDefined();
    expect(check({ x5c: ([leaf]) => [leaf, second.intermediate] })).toBeDefined();
    expect(
      check({ x5c: () => [apple.intermediate, Buffer.from(apple.root.replaceAll(/-----.*-----|\s/g, ''), 'base64')] }),
    ).toBe('certificate-chain');
  });

  it('takes members that it does not know, but no more items than any evidence has', () => {
    const withItems = (count: number) =>
      check({ object: (members) => ({ ...members, later: Array.from({ length: count }, () => 0) }) });
    expect(withItems(900)).toBeUndefined();
    expect(withItems(1024)).toBe('cbor');
    expect(withItems(50_000)).toBe('cbor');
  });

  it('refuses what is too long before it looks at it', () => {
    const attestationObject = Buffer.alloc(65_537, 0x81);
    expect(check({}, { attestationObject })).toBe('size');
    expect(check({}, { attestationObject: attestationObject.subarray(1) })).toBe('cbor');
  });

  it.each<[string, Uint8Array]>([
    ['nothing', Buffer.alloc(0)],
    ['arrays 65,536 deep', Buffer.alloc(65_536, 0x81)],
    ['maps 30,000 deep', Buffer.from('a100'.repeat(30_000), 'hex')],
    ['tags 65,536 deep', Buffer.alloc(65_536, 0xc1)],
    ['an array of 2^53 members', Buffer.from('9b001fffffffffffff00', 'hex')],
    ['a map of 2^64 - 1 members', Buffer.from('bbffffffffffffffff00', 'hex')],
    ['octets of 2^32 - 1', Buffer.from('5affffffff00', 'hex')],
    ['a length of 8 octets where 1 does', Buffer.from('bb0000000000000000', 'hex')],
    ['a map of indefinite length', Buffer.from('bfff', 'hex')],
    ['a break', Buffer.of(0xff)],
    ['a tagged map', Buffer.from('d9d9f7a0', 'hex')],
    ['a number', Buffer.of(0)],
  ])('refuses %s', (_title, attestationObject) => {
    expect(check({}, { attestationObject })).toBe('cbor');
  });

  it('refuses what is not octets at all', () => {
    for (const attestationObject of [undefined, null, 'text', {}, [1]]) {
      expect(check({}, { attestationObject: attestationObject as unknown as Uint8Array })).toBe('size');
    }
  });
});
