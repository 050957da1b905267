import { octetsOf, reject } from './apple-check.js';
import type {
  AppleAttestationInput,
  AppleAttestedKey,
  AppleEnvironment,
  VerifiedAppleAttestation,
} from './apple.types.js';
import { readAttestationData, type AttestationData } from './authenticator-data.js';
import { decodeCborMap } from './cbor.js';
import { verifyCertificates, type AttestedCertificate } from './certificates.js';
import { rememberIssuers } from '../x509/index.js';
import { APPLE_APP_ATTEST_ROOTS } from './roots.js';
import { checkAppId, checkCategory, checkSize, sha256Of } from './rules.js';

/** Longest attestation object that is parsed, in octets; real ones have 5 to 6 kB. */
const ATTESTATION_MAX_OCTETS = 65_536;
const FORMAT = 'apple-appattest';

/** The environments by the id that authenticator data name them with. */
export const AAGUIDS: Readonly<Record<AppleEnvironment, Buffer>> = {
  development: Buffer.from('appattestdevelop'),
  production: Buffer.from('appattest\0\0\0\0\0\0\0'),
};

/** The attestation object, taken apart and not yet trusted. */
export interface AttestationObject {
  readonly x5c: readonly Uint8Array[];
  readonly authData: Uint8Array;
  readonly receipt?: Uint8Array;
}

/**
 * Verifies an attestation of Apple App Attest, by the steps that Apple's guide "Validating apps that connect to your server"
 * names. It calls nobody. Whether `clientDataHash` is fresh and the caller's own is the caller's to know.
 *
 * @throws AttestationError with an `AppleAttestationCheck`
 */
export function verifyAppleAttestation(input: AppleAttestationInput): VerifiedAppleAttestation {
  const { clientDataHash, environment, roots = APPLE_APP_ATTEST_ROOTS, now = new Date() } = input;
  const { x5c, authData, receipt } = readAttestationObject(input.attestationObject);
  const data = readAttestationData(authData);
  const certificate = verifyCertificates(x5c, roots, now);
  checkNonce(certificate, authData, clientDataHash);
  const keyId = checkKey(input.keyId, certificate, data);
  const appId = checkAppId(data.rpIdHash, typeof input.appId === 'string' ? [input.appId] : input.appId);
  checkUnused(data);
  checkEnvironment(data, environment);
  checkCategory(data.extensions, input.validationCategories);
  rememberIssuers(certificate.chain);
  const publicKey = jwkOf(certificate.publicPoint);
  return { keyId, publicKey, appId, environment, ...(receipt !== undefined && { receipt }), ...data.extensions };
}

/**
 * Reads the members that count, without trusting them; others may come, as systems since iOS 18.5 show, and prove nothing.
 *
 * @throws AttestationError `size` or `cbor`
 */
export function readAttestationObject(evidence: unknown): AttestationObject {
  const object = decodeCborMap(checkSize(evidence, ATTESTATION_MAX_OCTETS)) ?? reject('cbor', 'not one CBOR map');
  // Ensures that it is evidence of this format and no other.
  if (object.get('fmt') !== FORMAT) reject('cbor', `fmt is not ${FORMAT}`);
  const statement: unknown = object.get('attStmt');
  if (!(statement instanceof Map)) return reject('cbor', 'attStmt is not a map');
  const x5c: unknown = statement.get('x5c');
  if (!Array.isArray(x5c)) return reject('cbor', 'x5c is not an array');
  const receipt: unknown = statement.get('receipt');
  return {
    x5c: x5c.map((certificate) => octetsOf(certificate, 'cbor', 'a member of x5c')),
    authData: octetsOf(object.get('authData'), 'cbor', 'authData'),
    ...(receipt !== undefined && { receipt: octetsOf(receipt, 'cbor', 'receipt') }),
  };
}

/** Ensures that Apple certified this key for these authenticator data and this caller. */
export function checkNonce({ nonce }: AttestedCertificate, authData: Uint8Array, clientDataHash: Uint8Array): void {
  if (!sha256Of(authData, clientDataHash).equals(nonce)) reject('nonce', 'made for something else');
}

/** Ensures that the key has signed nothing yet. */
export function checkUnused({ counter }: AttestationData): void {
  if (counter !== 0) reject('counter', 'not 0');
}

/** Ensures that a development build does not pass as a released one, nor the other way round. */
export function checkEnvironment({ aaguid }: AttestationData, environment: AppleEnvironment): void {
  if (!Object.hasOwn(AAGUIDS, environment) || !aaguid.equals(AAGUIDS[environment]))
    reject('environment', `not made in ${environment}`);
}

/** Ensures that certificate, authenticator data and app mean one key. Returns its id. */
export function checkKey(
  keyId: Uint8Array | string,
  { publicPoint }: AttestedCertificate,
  data: AttestationData,
): string {
  const hash = sha256Of(publicPoint);
  // Ensures that the key is the one that the app named.
  const id = hash.toString('base64');
  if (id !== (typeof keyId === 'string' ? keyId : Buffer.from(keyId).toString('base64')))
    reject('key-id', 'not the hash of the attested key');
  // Ensures that the authenticator data speak of the same key, by its id and by itself.
  if (!hash.equals(data.credentialId)) reject('credential-id', 'not the key id');
  if (!publicPoint.equals(data.publicPoint)) reject('credential-key', 'not the attested key');
  return id;
}

function jwkOf(point: Buffer): AppleAttestedKey {
  const [x, y] = [point.subarray(1, 33), point.subarray(33, 65)];
  return { kty: 'EC', crv: 'P-256', x: x.toString('base64url'), y: y.toString('base64url') };
}
