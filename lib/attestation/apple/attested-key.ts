import { isJsonObject } from '../../token/json.js';
import { reject } from './apple-check.js';
import type { AppleAttestedKey } from './apple.types.js';
import type { AppleSettings } from './settings.js';

/** What an earlier attestation said about the key that signs an assertion. */
export interface AttestedKey {
  readonly keyId: string;
  readonly publicKey: AppleAttestedKey;
  readonly appId: string;
}

/**
 * Reads the attested key out of an instance's claims, and ensures that it would still be accepted: a server that has left
 * the development environment, or dropped an app, does not go on by old attestations.
 *
 * @throws AttestationError
 */
export function readAttestedKey(claims: Readonly<Record<string, unknown>>, settings: AppleSettings): AttestedKey {
  const { keyId, publicKey, appId, environment } = claims;
  if (typeof keyId !== 'string' || typeof appId !== 'string' || !isJsonObject(publicKey)) {
    return reject('previous', 'no key was attested');
  }
  // Ensures that the key was attested in the environment that counts now.
  if (environment !== settings.environment) reject('environment', `not attested in ${settings.environment}`);
  // Ensures that it was attested by an app that counts now.
  if (!settings.appIds.includes(appId)) reject('app-id', 'attested by an app that is not configured');
  return { keyId, publicKey: publicKey as unknown as AppleAttestedKey, appId };
}
