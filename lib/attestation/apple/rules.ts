import { createHash } from 'node:crypto';
import { octetsOf, reject, type AppleAttestationCheck } from './apple-check.js';
import type { AppleExtensions, AppleValidationCategory } from './extensions.js';

/** SHA-256 over the octets one after the other. */
export function sha256Of(...parts: readonly (string | Uint8Array)[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** Ensures that evidence is octets of a length that is worth parsing. */
export function checkSize(evidence: unknown, max: number, check: AppleAttestationCheck = 'size'): Uint8Array {
  const octets = octetsOf(evidence, check, 'evidence');
  return octets.length <= max ? octets : reject(check, `longer than ${max} octets`);
}

/** Ensures that one of the configured apps made it. Returns that one. */
export function checkAppId(rpIdHash: Buffer, appIds: readonly string[]): string {
  return appIds.find((appId) => rpIdHash.equals(sha256Of(appId))) ?? reject('app-id', 'made by another app');
}

/** Ensures that the app was installed in a permitted way, where that is restricted. */
export function checkCategory(
  { validationCategory }: AppleExtensions,
  permitted: readonly AppleValidationCategory[] | undefined,
): void {
  if (permitted === undefined) return;
  if (validationCategory === undefined) return reject('validation-category', 'the system did not say');
  if (!permitted.includes(validationCategory)) reject('validation-category', `${validationCategory} is not permitted`);
}
