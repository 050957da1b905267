import { verify, type KeyObject } from 'node:crypto';
import { importPublicKey, readPublicJwk } from '../../token/jwk.js';
import { octetsOf, reject } from './apple-check.js';
import type { AppleAssertionInput, VerifiedAppleAssertion } from './apple.types.js';
import { readAssertionData } from './authenticator-data.js';
import { decodeCborMap } from './cbor.js';
import { checkAppId, checkCategory, checkSize, sha256Of } from './rules.js';

/** Longest assertion that is parsed, in octets; real ones have up to 270. */
const ASSERTION_MAX_OCTETS = 4096;

/**
 * Verifies an assertion of Apple App Attest by an attested key. It calls nobody and stores nothing: a caller that does not
 * raise its counter atomically accepts replays.
 *
 * @throws AttestationError with an `AppleAttestationCheck`
 */
export function verifyAppleAssertion(input: AppleAssertionInput): VerifiedAppleAssertion {
  const { clientDataHash, previousCounter } = input;
  const object = decodeCborMap(checkSize(input.assertion, ASSERTION_MAX_OCTETS)) ?? reject('cbor', 'not one CBOR map');
  const signature = octetsOf(object.get('signature'), 'cbor', 'signature');
  const authenticatorData = octetsOf(object.get('authenticatorData'), 'cbor', 'authenticatorData');
  const data = readAssertionData(authenticatorData);
  // Ensures that the attested key signed these authenticator data for this caller. The hash is the message: it is hashed again.
  const message = sha256Of(authenticatorData, clientDataHash);
  if (!verify('sha256', message, importKey(input.publicKey), signature)) reject('signature', 'not by the attested key');
  checkAppId(data.rpIdHash, [input.appId]);
  // Ensures that it is newer than every one before. Negated, so that no counter that is not a number lets one pass.
  if (!(data.counter > previousCounter)) reject('counter', 'not above the last one');
  checkCategory(data.extensions, input.validationCategories);
  return { counter: data.counter, ...data.extensions };
}

/** Ensures that what is kept as the attested key is one on P-256: no other can have been attested. */
function importKey(publicKey: AppleAssertionInput['publicKey']): KeyObject {
  try {
    const jwk = readPublicJwk({ ...publicKey });
    if (jwk.kty === 'EC' && jwk.crv === 'P-256') return importPublicKey(jwk);
  } catch {
    // Told below, in the terms of this format.
  }
  return reject('previous', 'the attested key is not a key on P-256');
}
