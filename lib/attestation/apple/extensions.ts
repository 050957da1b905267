import { reject } from './apple-check.js';

/**
 * How the app came onto the device, by the operating system's launch validation: 1 part of the system, 2 TestFlight,
 * 3 development, 4 App Store, 5 enterprise or ad hoc, 6 Developer ID, 10 other. Later systems may add numbers.
 */
export type AppleValidationCategory = number;

/** What the map that ends authenticator data says, from iOS and macOS 27 on. Absent: the system did not say. */
export interface AppleExtensions {
  readonly validationCategory?: AppleValidationCategory;
  /** `CFBundleVersion`: the build, not the marketing version. */
  readonly bundleVersion?: string;
  /** The code directory's hash, hexadecimal, where the app opted in. */
  readonly codeDirectoryHash?: string;
}

/** Authenticator data without a map. */
export const NO_EXTENSIONS: AppleExtensions = {};

const CATEGORY = 'apple_validation_category_01';
const BUNDLE_VERSION = 'apple_bundle_version_01';
const CODE_DIRECTORY_HASH = 'apple_cd_hash_hash_01';

const CATEGORY_OCTETS = 4;
/** Apple asks for three numbers of few digits; longer ones are not kept. */
const VERSION_MAX_LENGTH = 128;
/** SHA-512; today it is SHA-256. */
const HASH_MAX_OCTETS = 64;

function readCategory(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (!(value instanceof Uint8Array) || value.length !== CATEGORY_OCTETS) {
    return reject('extensions', `${CATEGORY} is not ${CATEGORY_OCTETS} octets`);
  }
  return Buffer.from(value).readUInt32LE();
}

function readVersion(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && value.length <= VERSION_MAX_LENGTH) return value;
  return reject('extensions', `${BUNDLE_VERSION} is not a text of at most ${VERSION_MAX_LENGTH} characters`);
}

function readHash(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (value instanceof Uint8Array && value.length <= HASH_MAX_OCTETS) return Buffer.from(value).toString('hex');
  return reject('extensions', `${CODE_DIRECTORY_HASH} is not at most ${HASH_MAX_OCTETS} octets`);
}

/**
 * Reads the members that are known; others are left, since each system may add some.
 *
 * @throws AttestationError
 */
export function readExtensions(members: ReadonlyMap<unknown, unknown>): AppleExtensions {
  // Ensures that it is a map of names, and not a second key or anything else.
  if (![...members.keys()].every((name) => typeof name === 'string')) reject('extensions', 'a name is not text');
  const validationCategory = readCategory(members.get(CATEGORY));
  const bundleVersion = readVersion(members.get(BUNDLE_VERSION));
  const codeDirectoryHash = readHash(members.get(CODE_DIRECTORY_HASH));
  return {
    ...(validationCategory !== undefined && { validationCategory }),
    ...(bundleVersion !== undefined && { bundleVersion }),
    ...(codeDirectoryHash !== undefined && { codeDirectoryHash }),
  };
}
