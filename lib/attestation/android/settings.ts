import { isJsonObject } from '../../token/json.js';
import { OptionChecks } from '../jose/option-checks.js';
import type { AndroidKeyPolicy } from './android-key.types.js';
import { androidRevocation, type AndroidRevocation } from './revocation.js';
import { readSignatureDigests } from './signature-digest.js';
import { anchorsOf, type AndroidKeySettings } from './verify-android-key.js';

/** Options of `androidKeyAttestation`. */
export interface AndroidKeyAttestationOptions {
  /** The app's package name (application id), such as `com.example.bank`. */
  readonly packageName: string;
  /**
   * SHA-256 of the certificates that the app may be signed with: 32 octets, or text in hex (with or without colons) or
   * base64. With Play App Signing that is Google's key for the app: Play Console, App integrity, App signing. At least one.
   */
  readonly signatureDigests: readonly (Uint8Array | string)[];
  /** Certificates (PEM or DER) whose keys are trusted in place of Google's hardware roots, for tests and emulators. */
  readonly roots?: readonly (string | Uint8Array)[];
  /** Withdrawn certificates; default `androidRevocation()`, which refuses while it has no list. `unchecked` is for tests. */
  readonly revocation?: AndroidRevocation | 'unchecked';
  readonly policy?: AndroidKeyPolicy;
  /** Seconds that an attestation counts from enrolment on; default 2,592,000 (30 days). */
  readonly maxAge?: number;
}

/** The options, checked, with their defaults. */
export interface AttesterSettings extends AndroidKeySettings {
  readonly packageName: string;
  readonly revocation: AndroidRevocation;
  readonly maxAge: number;
}

const DEFAULT_MAX_AGE = 30 * 86_400;
const FLAGS = ['allowUnverifiedBoot', 'allowUnlocked', 'allowSoftware'] as const;
const FLOORS = ['minOsVersion', 'minOsPatchLevel', 'minAppVersionCode'] as const;
/** Two or more parts of letters, digits and underscores (Android "Configure the app module", application ID). */
const PACKAGE_NAME = /^[A-Za-z]\w*(?:\.[A-Za-z]\w*)+$/;
const NOTHING_REVOKED: AndroidRevocation = { load: () => Promise.resolve(() => false) };
const EXAMPLE = '{ packageName: "com.example.bank", signatureDigests: ["AB:CD:…"] }';

function checkPolicy(policy: unknown, checks: OptionChecks): AndroidKeyPolicy {
  if (!isJsonObject(policy)) return checks.fail('policy must be an object, or be left out');
  FLAGS.forEach((name) => checks.flag(policy[name], `policy.${name}`));
  for (const name of FLOORS) {
    const floor = policy[name];
    if (floor !== undefined && !(Number.isSafeInteger(floor) && (floor as number) > 0))
      checks.fail(`policy.${name} must be a whole number above 0; leave it out for no floor`);
  }
  const { minOsPatchLevel = 202501 } = policy;
  if (!/^\d{4}(?:0[1-9]|1[0-2])$/.test(String(minOsPatchLevel)))
    checks.fail('policy.minOsPatchLevel must be a year and a month, such as 202504');
  return policy;
}

function checkRevocation(revocation: unknown, checks: OptionChecks): AndroidRevocation {
  if (revocation === undefined) return androidRevocation();
  if (revocation === 'unchecked') return NOTHING_REVOKED;
  if (isJsonObject(revocation) && typeof revocation['load'] === 'function')
    return revocation as unknown as AndroidRevocation;
  return checks.fail('revocation must be androidRevocation({ ... }) or "unchecked"; leave it out for Google\'s list');
}

/**
 * Checks the options and fills in the defaults.
 *
 * @throws TabConfigError that says what to write instead
 */
export function resolveSettings(options: AndroidKeyAttestationOptions): AttesterSettings {
  const checks = new OptionChecks('androidKeyAttestation');
  checks.object(options, EXAMPLE);
  const { packageName, signatureDigests, roots, revocation, policy = {}, maxAge } = options;
  if (typeof packageName !== 'string' || !PACKAGE_NAME.test(packageName) || packageName.length > 255)
    checks.fail(`packageName must be the app's package name, as in ${EXAMPLE}`);
  if (signatureDigests === undefined)
    checks.fail(
      `signatureDigests is required, as in ${EXAMPLE}: any app may take any package name on a device of its own`,
    );
  if (roots !== undefined && (!Array.isArray(roots) || roots.length === 0))
    checks.fail("roots must list at least one certificate; leave it out for Google's");
  return {
    packageName,
    digests: readSignatureDigests(signatureDigests, 'androidKeyAttestation: signatureDigests'),
    anchors: anchorsOf(roots),
    policy: checkPolicy(policy, checks),
    revocation: checkRevocation(revocation, checks),
    maxAge: checks.seconds(maxAge, 'maxAge', DEFAULT_MAX_AGE),
  };
}
