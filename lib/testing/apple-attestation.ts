import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { encode } from 'cborg';
import type { AppleAttestedKey, AppleEnvironment } from '../attestation/apple/apple.types.js';
import { p256Jwk } from './ec-jwk.js';

/** Options of `createAppleAttestationCa`. */
export interface AppleAttestationCaOptions {
  /** From which the validity of certificates is counted, seconds since the epoch; default the system clock. */
  readonly clock?: () => number;
}

/** A device and the app on it. */
export interface AppleDeviceOptions {
  /** `TEAMID.bundle.id`. */
  readonly appId: string;
  readonly environment: AppleEnvironment;
  /** Said in the map that systems from iOS 27 on add; default absent, as before iOS 27. */
  readonly validationCategory?: number;
  /** Likewise. */
  readonly bundleVersion?: string;
  /** Whether the map comes with the extension flag (`0xC0`) or without (`0x40`); systems do both. Default true. */
  readonly extensionFlag?: boolean;
}

/** What to do otherwise than a device does; for tests that forge. */
export interface AppleAttestationForgery {
  /** Changes the authenticator data before they are certified. */
  readonly authData?: (octets: Buffer) => Buffer;
  /** The values of the nonce extensions in the leaf; default one, as given. */
  readonly nonceExtensions?: (value: Buffer) => readonly Buffer[];
  /** Changes the certificates, leaf first. */
  readonly x5c?: (certificates: readonly Buffer[]) => readonly unknown[];
  /** Changes the object before it is encoded. */
  readonly object?: (members: Record<string, unknown>) => unknown;
  /** The public key that is certified instead. */
  readonly leafKey?: KeyObject;
}

/** The same for an assertion. */
export interface AppleAssertionForgery {
  /** Default one more than the last. */
  readonly counter?: number;
  /** Changes the authenticator data before they are signed. */
  readonly authenticatorData?: (octets: Buffer) => Buffer;
  /** Changes the object before it is encoded. */
  readonly object?: (members: Record<string, unknown>) => unknown;
}

/** A synthetic device with one attested key. */
export interface AppleDevice {
  /** Base64, as `generateKey` returns it. */
  readonly keyId: string;
  readonly publicKey: AppleAttestedKey;
  /** As `attestKey` does; deterministic but for signatures. */
  attest(clientDataHash: Uint8Array, forgery?: AppleAttestationForgery): Buffer;
  /** As `generateAssertion` does; counts up. */
  assert(clientDataHash: Uint8Array, forgery?: AppleAssertionForgery): Buffer;
}

/** A synthetic Apple. */
export interface AppleAttestationCa {
  /** PEM, for `roots` of `appleAppAttest`. */
  readonly root: string;
  /** The CA under it that certifies keys, DER. */
  readonly intermediate: Buffer;
  createDevice(options: AppleDeviceOptions): AppleDevice;
}

const DAY = 24 * 3600;
const ECDSA_WITH_SHA256 = '06082a8648ce3d040302';
const ECDSA_WITH_SHA384 = '06082a8648ce3d040303';
const COMMON_NAME = '0603550403';
const BASIC_CONSTRAINTS = '0603551d13';
const KEY_USAGE = '0603551d0f';
/** 1.2.840.113635.100.8.2 */
const NONCE = '06092a864886f763640802';
const AAGUIDS: Readonly<Record<AppleEnvironment, string>> = {
  development: 'appattestdevelop',
  production: 'appattest\0\0\0\0\0\0\0',
};

interface Issuer {
  readonly name: string;
  readonly privateKey: KeyObject;
}

interface CertificateFields {
  readonly subject: string;
  readonly publicKey: KeyObject;
  readonly issuer: Issuer;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly ca: boolean;
  readonly extensions?: readonly Buffer[];
  readonly algorithm?: 'sha256' | 'sha384';
}

/** One DER element: identifier, length, content. */
function der(identifier: number, ...content: readonly (Uint8Array | string)[]): Buffer {
  const octets = Buffer.concat(content.map((part) => (typeof part === 'string' ? Buffer.from(part, 'hex') : part)));
  const size = octets.length.toString(16);
  const long = Buffer.from(size.length % 2 === 0 ? size : `0${size}`, 'hex');
  const length = octets.length < 128 ? Buffer.of(octets.length) : Buffer.concat([Buffer.of(0x80 | long.length), long]);
  return Buffer.concat([Buffer.of(identifier), length, octets]);
}

function nameOf(commonName: string): Buffer {
  return der(0x30, der(0x31, der(0x30, COMMON_NAME, der(0x0c, Buffer.from(commonName)))));
}

/** UTCTime up to 2049, GeneralizedTime after (RFC 5280 section 4.1.2.5). */
function timeOf(seconds: number): Buffer {
  const text = new Date(seconds * 1000).toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  return text < '2050' ? der(0x17, Buffer.from(text.slice(2))) : der(0x18, Buffer.from(text));
}

function extension(oid: string, value: Uint8Array, critical = false): Buffer {
  return der(0x30, oid, ...(critical ? ['0101ff'] : []), der(0x04, value));
}

function issueCertificate(fields: CertificateFields): Buffer {
  const { subject, publicKey, issuer, notBefore, notAfter, ca, extensions = [], algorithm = 'sha384' } = fields;
  const signature = der(0x30, algorithm === 'sha256' ? ECDSA_WITH_SHA256 : ECDSA_WITH_SHA384);
  const usage = extension(KEY_USAGE, der(0x03, ca ? '0106' : '04f0'), true);
  const constraints = extension(BASIC_CONSTRAINTS, der(0x30, ...(ca ? ['0101ff'] : [])), true);
  const body = der(
    0x30,
    der(0xa0, '020102'),
    der(0x02, Buffer.concat([Buffer.of(1), randomBytes(8)])),
    signature,
    nameOf(issuer.name),
    der(0x30, timeOf(notBefore), timeOf(notAfter)),
    nameOf(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, der(0x30, constraints, usage, ...extensions)),
  );
  return der(0x30, body, signature, der(0x03, '00', sign(algorithm, body, issuer.privateKey)));
}

function sha256(...parts: readonly Uint8Array[]): Buffer {
  return createHash('sha256').update(Buffer.concat(parts)).digest();
}

function extensionMap({ validationCategory, bundleVersion }: AppleDeviceOptions): Buffer {
  const category = Buffer.alloc(4);
  category.writeUInt32LE(validationCategory ?? 0);
  const members = {
    ...(validationCategory !== undefined && { apple_validation_category_01: category }),
    ...(bundleVersion !== undefined && { apple_bundle_version_01: bundleVersion }),
  };
  return Object.keys(members).length === 0 ? Buffer.alloc(0) : Buffer.from(encode(members));
}

/** App, flags and counter, which begin all authenticator data. */
function fixedData(options: AppleDeviceOptions, map: Buffer, counter: number): Buffer {
  const octets = Buffer.alloc(37);
  sha256(Buffer.from(options.appId)).copy(octets);
  octets.writeUInt8(map.length > 0 && options.extensionFlag !== false ? 0xc0 : 0x40, 32);
  octets.writeUInt32BE(counter, 33);
  return octets;
}

function pemOf(certificate: Buffer): string {
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

/**
 * Makes a synthetic Apple: a root, a CA under it, and devices whose evidence passes `appleAppAttest` where that root is
 * trusted, and nowhere else.
 *
 * @example
 * const apple = createAppleAttestationCa();
 * const device = apple.createDevice({ appId: 'ABCDE12345.com.example.bank', environment: 'production' });
 * const attester = appleAppAttest({ appId: 'ABCDE12345.com.example.bank', environment: 'production', roots: [apple.root] });
 * const attestationObject = device.attest(clientDataHash);
 */
export function createAppleAttestationCa(options: AppleAttestationCaOptions = {}): AppleAttestationCa {
  const { clock = systemClock } = options;
  const now = clock();
  const rootKeys = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const caKeys = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const rootIssuer = { name: 'Synthetic App Attestation Root CA', privateKey: rootKeys.privateKey };
  const caIssuer = { name: 'Synthetic App Attestation CA 1', privateKey: caKeys.privateKey };
  const life = { notBefore: now - 365 * DAY, notAfter: now + 3650 * DAY, ca: true, issuer: rootIssuer };
  const root = issueCertificate({ ...life, subject: rootIssuer.name, publicKey: rootKeys.publicKey });
  const intermediate = issueCertificate({ ...life, subject: caIssuer.name, publicKey: caKeys.publicKey });
  return {
    root: pemOf(root),
    intermediate,
    createDevice: (device) => createDevice(device, caIssuer, intermediate, clock),
  };
}

function createDevice(
  options: AppleDeviceOptions,
  issuer: Issuer,
  intermediate: Buffer,
  clock: () => number,
): AppleDevice {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x, y } = p256Jwk(publicKey);
  const [xOctets, yOctets] = [Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')];
  const keyHash = sha256(Buffer.of(4), xOctets, yOctets);
  const map = extensionMap(options);
  const cose = new Map<number, unknown>([
    [1, 2],
    [3, -7],
    [-1, 1],
    [-2, xOctets],
    [-3, yOctets],
  ]);
  let counter = 0;

  function attest(clientDataHash: Uint8Array, forgery: AppleAttestationForgery = {}): Buffer {
    const aaguid = Buffer.from(AAGUIDS[options.environment]);
    const credential = Buffer.concat([aaguid, Buffer.of(0, 32), keyHash, encode(cose)]);
    const genuine = Buffer.concat([fixedData(options, map, 0), credential, map]);
    const authData = forgery.authData?.(genuine) ?? genuine;
    const nonce = der(0x30, der(0xa1, der(0x04, sha256(authData, clientDataHash))));
    const now = clock();
    const leaf = issueCertificate({
      subject: keyHash.toString('hex'),
      publicKey: forgery.leafKey ?? publicKey,
      issuer,
      notBefore: now - DAY,
      notAfter: now + 2 * DAY,
      ca: false,
      extensions: (forgery.nonceExtensions?.(nonce) ?? [nonce]).map((value) => extension(NONCE, value)),
      algorithm: 'sha256',
    });
    const x5c = forgery.x5c?.([leaf, intermediate]) ?? [leaf, intermediate];
    const members = { fmt: 'apple-appattest', attStmt: { x5c, receipt: Buffer.from('synthetic') }, authData };
    return Buffer.from(encode(forgery.object?.(members) ?? members));
  }

  function assert(clientDataHash: Uint8Array, forgery: AppleAssertionForgery = {}): Buffer {
    counter = forgery.counter ?? counter + 1;
    const genuine = Buffer.concat([fixedData(options, map, counter), map]);
    const authenticatorData = forgery.authenticatorData?.(genuine) ?? genuine;
    const signature = sign('sha256', sha256(authenticatorData, clientDataHash), privateKey);
    const members = { signature, authenticatorData };
    return Buffer.from(encode(forgery.object?.(members) ?? members));
  }

  return { keyId: keyHash.toString('base64'), publicKey: { kty: 'EC', crv: 'P-256', x, y }, attest, assert };
}

function systemClock(): number {
  return Math.floor(Date.now() / 1000);
}
