import { isJsonObject } from '../../token/json.js';
import type { AttestationInput, AttestationResult, Attester, FinishAttestation } from '../attester.js';
import { jwkThumbprint } from '../jose/jwk.js';
import type { AndroidKeyAttestation, AndroidKeyEvidence } from './android-key.types.js';
import { checkKeyUse, enforcedBy, reject } from './description-checks.js';
import { resolveSettings, type AndroidKeyAttestationOptions, type AttesterSettings } from './settings.js';
import { checkRevoked, verifyWith } from './verify-android-key.js';

const FORMAT = 'android-key';
const NO_BOOT_KEY = /^0*$/;

/**
 * Accepts Android key attestations: the instance key was generated in the device's secure hardware by this app, over an
 * enrolment challenge of ours. The assurance is the level of that hardware.
 *
 * `examine` throws AttestationError with an `AndroidKeyCheck`. What it returns judges revocation, and throws that too, or
 * TabError `store_unavailable` when the list cannot be had.
 *
 * @throws TabConfigError when the options cannot work
 */
export function androidKeyAttestation(options: AndroidKeyAttestationOptions): Attester {
  const settings = resolveSettings(options);
  return { format: FORMAT, reach: 'strongbox', examine: (input) => examine(settings, input) };
}

function examine(settings: AttesterSettings, input: AttestationInput): FinishAttestation {
  const attestation = verifyWith(settings, {
    x5c: x5cOf(input.statement),
    // A key is generated together with its attestation, so that a device cannot put the thumbprint of a new key into the
    // challenge. The leaf names the key by itself, so nothing is lost without; a key that was known first may have it.
    challenges: [input.binding, input.keylessBinding],
    now: new Date(input.now * 1000),
  });
  checkKeyUse(enforcedBy(attestation.description));
  checkInstanceKey(attestation, input.thumbprint);
  return async () => {
    checkRevoked(attestation.serials, await settings.revocation.load());
    return resultOf(attestation, settings, input);
  };
}

function x5cOf(statement: unknown): AndroidKeyEvidence['x5c'] {
  if (!isJsonObject(statement) || !Object.hasOwn(statement, 'x5c'))
    return reject('statement', 'not an object with x5c');
  const { x5c } = statement;
  // JSON holds no octets: what is not text is not from the wire.
  if (!Array.isArray(x5c) || !x5c.every((entry) => typeof entry === 'string'))
    return reject('statement', 'x5c is not a list of strings');
  return x5c;
}

/** Ensures that the key which signs is the one that was attested. */
function checkInstanceKey({ publicKey }: AndroidKeyAttestation, thumbprint: string): void {
  if (jwkThumbprint({ ...publicKey }) !== thumbprint) reject('instance-key', 'the leaf holds another key');
}

/** Emulators have no boot to verify: their keys are in software, under a boot key that is absent or zero. */
function isEmulator({ securityLevel, rootOfTrust }: AndroidKeyAttestation): boolean {
  return securityLevel === 'software' && NO_BOOT_KEY.test(rootOfTrust?.verifiedBootKey ?? '');
}

function resultOf(
  attestation: AndroidKeyAttestation,
  { packageName, maxAge }: AttesterSettings,
  { app, now }: AttestationInput,
): AttestationResult {
  return {
    format: FORMAT,
    assurance: attestation.securityLevel,
    keyBound: true,
    app: { id: app.id },
    claims: claimsOf(attestation, packageName),
    expiresAt: now + maxAge,
  };
}

/** What is kept: how the device stands, nothing that tells which it is but the serials, by which it may be revoked later. */
function claimsOf(attestation: AndroidKeyAttestation, packageName: string): AttestationResult['claims'] {
  const { packages, rootOfTrust, serials } = attestation;
  const claims = {
    securityLevel: attestation.securityLevel,
    attestationVersion: attestation.attestationVersion,
    keyMintVersion: attestation.keyMintVersion,
    provisioning: attestation.provisioning,
    verifiedBootState: attestation.verifiedBootState,
    deviceLocked: attestation.deviceLocked,
    verifiedBootKey: rootOfTrust?.verifiedBootKey,
    osVersion: attestation.osVersion,
    osPatchLevel: attestation.osPatchLevel,
    vendorPatchLevel: attestation.vendorPatchLevel,
    bootPatchLevel: attestation.bootPatchLevel,
    emulator: isEmulator(attestation),
    packageName,
    appVersionCode: packages.find(({ name }) => name === packageName)?.version,
    serials,
  };
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined));
}
