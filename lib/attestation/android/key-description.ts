import { AttestationError } from '../attestation-error.js';
import { smallUnsignedOf } from '../x509/der-values.js';
import { DerError, readSequence, TAG, type DerReader } from '../x509/der.js';
import { readAuthorizationList } from './authorization-list.js';
import type { AndroidSecurityLevel, KeyDescription } from './key-description.types.js';

/** OID of the attestation extension. */
export const KEY_DESCRIPTION = '1.3.6.1.4.1.11129.2.1.17';

const LEVELS: readonly AndroidSecurityLevel[] = ['software', 'tee', 'strongbox'];

function readLevel(reader: DerReader): AndroidSecurityLevel {
  const level = LEVELS[smallUnsignedOf(reader.read(TAG.enumerated))];
  if (level === undefined) throw new DerError('a security level is not known');
  return level;
}

function readKeyDescription(extension: Uint8Array): KeyDescription {
  const reader = readSequence(extension);
  const description = {
    attestationVersion: smallUnsignedOf(reader.read(TAG.integer)),
    attestationSecurityLevel: readLevel(reader),
    keyMintVersion: smallUnsignedOf(reader.read(TAG.integer)),
    keyMintSecurityLevel: readLevel(reader),
    attestationChallenge: reader.read(TAG.octetString),
    uniqueId: reader.read(TAG.octetString),
    softwareEnforced: readAuthorizationList(reader),
    hardwareEnforced: readAuthorizationList(reader),
  };
  reader.end();
  return description;
}

/**
 * Reads the value of the attestation extension: strict DER, every known field of its type. It judges nothing.
 *
 * @param extension what is inside the extension's OCTET STRING
 * @throws AttestationError `key-description`
 */
export function parseKeyDescription(extension: Uint8Array): KeyDescription {
  try {
    return readKeyDescription(extension);
  } catch (error) {
    if (error instanceof DerError) throw new AttestationError('key-description', error.message, { cause: error });
    throw error;
  }
}
