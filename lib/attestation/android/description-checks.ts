import { timingSafeEqual } from 'node:crypto';
import { AttestationError } from '../attestation-error.js';
import type { AndroidKeyCheck, AndroidKeyPolicy } from './android-key.types.js';
import type { AttestationApplicationId, AuthorizationList, KeyDescription } from './key-description.types.js';

/** Refuses the attestation. `detail` never quotes it. */
export function reject(check: AndroidKeyCheck, detail: string, cause?: unknown): never {
  throw new AttestationError(check, detail, { cause });
}

const GENERATED = 0;
const PURPOSE_SIGN = 2;
const PURPOSE_VERIFY = 3;
/** Year and month, as in 202504. */
const PATCH_LEVEL = { min: 200001, max: 999912 } as const;

/** What the level that is vouched for enforces: for a key in software there is no hardware to ask. */
export function enforcedBy(description: KeyDescription): AuthorizationList {
  const { keyMintSecurityLevel, softwareEnforced, hardwareEnforced } = description;
  return keyMintSecurityLevel === 'software' ? { ...hardwareEnforced, ...softwareEnforced } : hardwareEnforced;
}

/** Ensures that the key was made for one of these challenges, without telling by time how much of one was right. */
export function checkChallenge({ attestationChallenge }: KeyDescription, challenges: readonly Uint8Array[]): void {
  const same = challenges.map(
    (challenge) =>
      challenge.length > 0 &&
      challenge.length === attestationChallenge.length &&
      timingSafeEqual(challenge, attestationChallenge),
  );
  if (!same.includes(true)) reject('challenge', 'the key was made for another challenge');
}

/** Ensures that what wrote the attestation is as safe as what holds the key, and that it is safe enough. */
export function checkLevels(description: KeyDescription, policy: AndroidKeyPolicy): void {
  const { attestationSecurityLevel, keyMintSecurityLevel } = description;
  if (attestationSecurityLevel !== keyMintSecurityLevel) reject('security-level', 'the two levels differ');
  if (keyMintSecurityLevel === 'software' && policy.allowSoftware !== true)
    reject('security-level', 'the key lives in software');
}

/** Ensures that no copy of the key exists outside: it was generated where it lives, not imported. */
export function checkOrigin({ origin }: AuthorizationList): void {
  if (origin !== GENERATED) reject('origin', 'the key was not generated where it lives');
}

/** Ensures that the app made the key. Android says so in the software list, under the verified boot. */
export function checkApplication(
  { softwareEnforced }: KeyDescription,
  packageName: string | undefined,
  digests: ReadonlySet<string> | undefined,
): AttestationApplicationId {
  const app = softwareEnforced.attestationApplicationId;
  if (packageName === undefined && digests === undefined) return app ?? { packages: [], signatureDigests: [] };
  if (app === undefined) return reject('application', 'the identity of the app is absent');
  if (packageName !== undefined && !app.packages.some(({ name }) => name === packageName))
    reject('application', 'another package made the key');
  // Packages may call themselves anything; only the signer is proven. All signers count, so that none is a stranger.
  const signed =
    app.signatureDigests.length > 0 && app.signatureDigests.every((digest) => digests?.has(digest) ?? true);
  if (digests !== undefined && !signed) reject('signing-certificate', 'the app is signed by somebody else');
  return app;
}

/** Ensures that the system which speaks for the app is the one that the maker shipped. */
export function checkBoot(enforced: AuthorizationList, description: KeyDescription, policy: AndroidKeyPolicy): void {
  const { rootOfTrust } = enforced;
  if (rootOfTrust === undefined) {
    if (description.keyMintSecurityLevel === 'software' && policy.allowUnverifiedBoot === true) return;
    return reject('root-of-trust', 'the hardware does not say how the device booted');
  }
  const { verifiedBootState, deviceLocked } = rootOfTrust;
  if (verifiedBootState === 'FAILED') reject('boot-state', 'the verification of the boot failed');
  if (verifiedBootState !== 'VERIFIED' && policy.allowUnverifiedBoot !== true)
    reject('boot-state', 'the boot was not verified');
  if (!deviceLocked && policy.allowUnlocked !== true) reject('device-locked', 'the boot loader is unlocked');
}

function isPatchLevel(level: number): boolean {
  const month = level % 100;
  return level >= PATCH_LEVEL.min && level <= PATCH_LEVEL.max && month >= 1 && month <= 12;
}

/** Ensures that neither system nor app is older than configured. What is not said, or not sensible, is below any floor. */
export function checkFloors(
  { osVersion = -1, osPatchLevel = -1 }: AuthorizationList,
  { packages }: AttestationApplicationId,
  packageName: string | undefined,
  policy: AndroidKeyPolicy,
): void {
  const { minOsVersion, minOsPatchLevel, minAppVersionCode } = policy;
  if (minOsVersion !== undefined && osVersion < minOsVersion) reject('os-version', 'the Android version is too low');
  if (minOsPatchLevel !== undefined && !(isPatchLevel(osPatchLevel) && osPatchLevel >= minOsPatchLevel))
    reject('patch-level', 'the security patch level is too low');
  if (minAppVersionCode === undefined) return;
  const judged = packages.filter(({ name }) => packageName === undefined || name === packageName);
  if (judged.length === 0 || judged.some(({ version }) => version < minAppVersionCode))
    reject('app-version', 'the version of the app is too low');
}

/** Ensures that the key signs and does nothing else: one that attests or decrypts could be made to say other things. */
export function checkKeyUse({ purpose = [] }: AuthorizationList): void {
  if (!purpose.includes(PURPOSE_SIGN)) reject('key-use', 'the key is not for signing');
  if (purpose.some((each) => each !== PURPOSE_SIGN && each !== PURPOSE_VERIFY))
    reject('key-use', 'the key is for more than signing');
}
