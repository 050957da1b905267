import { Enumerated } from 'asn1js';
import { AttestationError } from '../attestation-error.js';
import { octetsOf, sequenceOf, smallUnsignedOf } from '../x509/der-values.js';
import { DerError, fail, parseDer, type DerNode } from '../x509/der.js';
import { readAuthorizationList } from './authorization-list.js';
import type { AndroidSecurityLevel, KeyDescription } from './key-description.types.js';

/** OID of the attestation extension. */
export const KEY_DESCRIPTION = '1.3.6.1.4.1.11129.2.1.17';

const LEVELS: readonly AndroidSecurityLevel[] = ['software', 'tee', 'strongbox'];

function readLevel(node: DerNode | undefined): AndroidSecurityLevel {
  return LEVELS[smallUnsignedOf(node, Enumerated)] ?? fail('a security level is not known');
}

function readKeyDescription(extension: Uint8Array): KeyDescription {
  const [version, level, keyMintVersion, keyMintLevel, challenge, uniqueId, software, hardware] = sequenceOf(
    parseDer(extension),
    8,
  );
  return {
    attestationVersion: smallUnsignedOf(version),
    attestationSecurityLevel: readLevel(level),
    keyMintVersion: smallUnsignedOf(keyMintVersion),
    keyMintSecurityLevel: readLevel(keyMintLevel),
    attestationChallenge: octetsOf(challenge),
    uniqueId: octetsOf(uniqueId),
    softwareEnforced: readAuthorizationList(software),
    hardwareEnforced: readAuthorizationList(hardware),
  };
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
