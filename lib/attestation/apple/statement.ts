import { isJsonObject } from '../../token/json.js';
import { decodeBase64 } from '../x509/base64.js';
import { reject } from './apple-check.js';

/** The statement of an enrolment: a key's first attestation, or its renewal by an assertion. */
export type AppleStatement =
  | { readonly kind: 'attestation'; readonly keyId: string; readonly attestationObject: Uint8Array }
  | { readonly kind: 'renewal'; readonly keyId: string; readonly assertion: Uint8Array };

/** Longest base64 text: that of the longest attestation object. */
const TEXT_MAX_LENGTH = 87_384;
const KEY_ID_OCTETS = 32;

/** Decodes base64 in its one canonical spelling, so that a key id can be compared as text. */
function octetsOf(text: unknown, name: string): Buffer {
  if (typeof text !== 'string') return reject('statement', `${name} is not a string`);
  if (text.length > TEXT_MAX_LENGTH) return reject('size', `${name} is longer than ${TEXT_MAX_LENGTH} characters`);
  return decodeBase64(text) ?? reject('statement', `${name} is not base64`);
}

/**
 * Reads `{ keyId, attestationObject }` or `{ keyId, assertion }`.
 *
 * @throws AttestationError
 */
export function readStatement(statement: unknown): AppleStatement {
  if (!isJsonObject(statement)) return reject('statement', 'not an object');
  const { keyId, attestationObject, assertion } = statement;
  // Ensures that it is clear which of the two is claimed.
  if ((attestationObject === undefined) === (assertion === undefined)) {
    return reject('statement', 'not one of attestationObject and assertion');
  }
  if (octetsOf(keyId, 'keyId').length !== KEY_ID_OCTETS) reject('statement', `keyId is not ${KEY_ID_OCTETS} octets`);
  const id = keyId as string;
  return assertion === undefined
    ? { kind: 'attestation', keyId: id, attestationObject: octetsOf(attestationObject, 'attestationObject') }
    : { kind: 'renewal', keyId: id, assertion: octetsOf(assertion, 'assertion') };
}
