import { reject } from './apple-check.js';
import { decodeCborFirst, decodeCborMap } from './cbor.js';
import { NO_EXTENSIONS, readExtensions, type AppleExtensions } from './extensions.js';

/** Authenticator data of an assertion: who signed for which app, the how-manieth time. */
export interface AssertionData {
  /** SHA-256 of the App ID, `TEAMID.bundle.id`. */
  readonly rpIdHash: Buffer;
  readonly counter: number;
  readonly extensions: AppleExtensions;
}

/** Authenticator data of an attestation: that of an assertion and the attested key. */
export interface AttestationData extends AssertionData {
  /** The environment, 16 octets. */
  readonly aaguid: Buffer;
  readonly credentialId: Buffer;
  /** The COSE key as a point: `04 ‖ x ‖ y`, 65 octets. */
  readonly publicPoint: Buffer;
}

/** SHA-256 of the App ID, flags, counter. */
const FIXED_OCTETS = 32 + 1 + 4;
/** The environment and the length of the credential id, which follow in an attestation. */
const ATTESTED_OCTETS = 16 + 2;
const CREDENTIAL_ID_OCTETS = 32;
/** Flags of WebAuthn section 6.1, the only ones that say anything here. */
const ATTESTED_CREDENTIAL = 0x40;
const EXTENSION_DATA = 0x80;

/** COSE key parameters (RFC 9052 section 7, RFC 9053 sections 2.1 and 7.1) with the values of an ES256 key on P-256. */
const COSE_FIXED: readonly (readonly [label: number, value: number])[] = [
  [1, 2],
  [3, -7],
  [-1, 1],
];
const COSE_X = -2;
const COSE_Y = -3;
const COSE_MEMBERS = 5;
const COORDINATE_OCTETS = 32;

interface Fixed {
  readonly rpIdHash: Buffer;
  readonly flags: number;
  readonly counter: number;
}

function readFixed(data: Buffer): Fixed {
  // Ensures that every fixed field is there.
  if (data.length < FIXED_OCTETS) reject('authenticator-data', `shorter than ${FIXED_OCTETS} octets`);
  return { rpIdHash: data.subarray(0, 32), flags: data.readUInt8(32), counter: data.readUInt32BE(33) };
}

/**
 * Reads what ends the authenticator data: nothing, or one map. Apple adds the map with the extension flag and without it,
 * so the octets decide; a flag that promises a map which is not there is refused.
 */
function readTail(tail: Uint8Array, flags: number): AppleExtensions {
  if (tail.length === 0 && (flags & EXTENSION_DATA) !== 0) reject('authenticator-data', 'extensions are missing');
  if (tail.length === 0) return NO_EXTENSIONS;
  return readExtensions(decodeCborMap(tail) ?? reject('authenticator-data', 'does not end with one CBOR map'));
}

/**
 * Reads the authenticator data of an assertion. Its flags say that a credential is attested, though none is in it.
 *
 * @throws AttestationError
 */
export function readAssertionData(octets: Uint8Array): AssertionData {
  const data = Buffer.from(octets);
  const { rpIdHash, flags, counter } = readFixed(data);
  return { rpIdHash, counter, extensions: readTail(data.subarray(FIXED_OCTETS), flags) };
}

/**
 * Reads the authenticator data of an attestation.
 *
 * @throws AttestationError
 */
export function readAttestationData(octets: Uint8Array): AttestationData {
  const data = Buffer.from(octets);
  const { rpIdHash, flags, counter } = readFixed(data);
  const idStart = FIXED_OCTETS + ATTESTED_OCTETS;
  const keyStart = idStart + CREDENTIAL_ID_OCTETS;
  // Ensures that a key is attested at all.
  if ((flags & ATTESTED_CREDENTIAL) === 0) reject('authenticator-data', 'attests no credential');
  if (data.length < keyStart) reject('authenticator-data', 'credential is cut short');
  // Ensures that the id is of the one length that a SHA-256 key id has.
  if (data.readUInt16BE(idStart - 2) !== CREDENTIAL_ID_OCTETS) {
    reject('authenticator-data', `credential id is not of ${CREDENTIAL_ID_OCTETS} octets`);
  }
  const key = decodeCborFirst(data.subarray(keyStart)) ?? reject('credential-key', 'not CBOR');
  return {
    rpIdHash,
    counter,
    aaguid: data.subarray(FIXED_OCTETS, FIXED_OCTETS + 16),
    credentialId: data.subarray(idStart, keyStart),
    publicPoint: readCosePoint(key.value),
    extensions: readTail(key.rest, flags),
  };
}

/** Ensures that the key is an ES256 key on P-256 of exactly the members that such a key has. */
function readCosePoint(key: unknown): Buffer {
  if (
    !(key instanceof Map) ||
    key.size !== COSE_MEMBERS ||
    COSE_FIXED.some(([name, value]) => key.get(name) !== value)
  ) {
    return reject('credential-key', 'not an ES256 key');
  }
  return Buffer.concat([Buffer.of(4), coordinate(key.get(COSE_X)), coordinate(key.get(COSE_Y))]);
}

function coordinate(value: unknown): Uint8Array {
  if (value instanceof Uint8Array && value.length === COORDINATE_OCTETS) return value;
  return reject('credential-key', `coordinate is not of ${COORDINATE_OCTETS} octets`);
}
