import { checkValidity, parseChain, rememberIssuers, trustAnchor, verifyChain } from '../x509/index.js';
import type { Certificate, TrustAnchor } from '../x509/index.js';
import { TabConfigError } from '../../errors/tab-error.js';
import { decodeBase64 } from '../x509/base64.js';
import { DerError } from '../x509/der.js';
import { jwkOfSpki } from '../x509/key-jwk.js';
import type { AndroidKeyAttestation, AndroidKeyEvidence, AndroidKeyPolicy } from './android-key.types.js';
import {
  checkApplication,
  checkBoot,
  checkChallenge,
  checkFloors,
  checkLevels,
  checkOrigin,
  enforcedBy,
  reject,
} from './description-checks.js';
import { KEY_DESCRIPTION, parseKeyDescription } from './key-description.js';
import type { AttestationApplicationId, KeyDescription } from './key-description.types.js';
import { provisioningOf, type Provisioning } from './provisioning.js';
import { GOOGLE_HARDWARE_ROOTS } from './roots.js';
import { readSignatureDigests } from './signature-digest.js';

/** A leaf and the certificate that a device signs leaves with, at least: Google's roots sign no leaves. */
const CHAIN = { minLength: 2, maxLength: 10, maxBytes: 4096 } as const;
/** Longest base64 of one certificate. */
const TEXT_MAX = Math.ceil(CHAIN.maxBytes / 3) * 4;

/** The evidence with its settings read, so that an attester reads them once. */
export interface AndroidKeySettings {
  readonly packageName?: string;
  readonly digests?: ReadonlySet<string>;
  readonly anchors: readonly TrustAnchor[];
  readonly policy: AndroidKeyPolicy;
}

/** The keys of these certificates, or Google's, which are read when first asked for. @throws TabConfigError */
export function anchorsOf(roots: readonly (string | Uint8Array)[] | undefined): readonly TrustAnchor[] {
  if (roots !== undefined) return roots.map(readRoot);
  googleAnchors ??= GOOGLE_HARDWARE_ROOTS.map(trustAnchor);
  return googleAnchors;
}

function readRoot(root: string | Uint8Array, index: number): TrustAnchor {
  try {
    return trustAnchor(root);
  } catch (cause) {
    throw new TabConfigError(`roots[${index}] must be a certificate, as PEM text or DER, with an RSA or EC key`, {
      cause,
    });
  }
}

let googleAnchors: readonly TrustAnchor[] | undefined;

/**
 * Verifies an Android key attestation (AOSP "Key and ID attestation"): that a key was generated in a device's secure
 * hardware, by this app, for this challenge, on a system that booted as its maker made it. Calls nobody.
 *
 * Dates: those of the leaf are the device's own and those of a root do not count, as it is trusted by its key. In between,
 * expiry is judged on chains that are remotely provisioned, and not on those of a factory, which no one can renew.
 *
 * @throws AttestationError an `AndroidKeyCheck`; TabConfigError when digests or roots cannot be read
 */
export function verifyAndroidKeyAttestation(evidence: AndroidKeyEvidence): AndroidKeyAttestation {
  const { x5c, challenge, packageName, signatureDigests, roots, revoked, now = new Date(), policy = {} } = evidence;
  const settings: AndroidKeySettings = {
    packageName,
    digests: signatureDigests === undefined ? undefined : readSignatureDigests(signatureDigests, 'signatureDigests'),
    anchors: anchorsOf(roots),
    policy,
  };
  const challenges = challenge instanceof Uint8Array ? [challenge] : challenge;
  const attestation = verifyWith(settings, { x5c, challenges, now });
  checkRevoked(attestation.serials, revoked ?? (() => false));
  return attestation;
}

/** Everything but revocation, which may need a call. */
export function verifyWith(
  settings: AndroidKeySettings,
  evidence: { readonly x5c: AndroidKeyEvidence['x5c']; readonly challenges: readonly Uint8Array[]; readonly now: Date },
): AndroidKeyAttestation {
  const chain = parseChain(readX5c(evidence.x5c), CHAIN);
  const verified = verifyChain(chain, settings.anchors, { checkValidity: false, selfNamedLeaf: true });
  const { path } = verified;
  // Ensures that a device's certificate stands between root and leaf where the root itself was sent.
  if (path.length < CHAIN.minLength) reject('chain-length', 'the leaf is issued by the root itself');
  const provisioning = provisioningOf(path);
  if (provisioning === 'rkp') checkValidity(path.slice(1), evidence.now);
  const description = parseKeyDescription(leafExtension(path));
  checkChallenge(description, evidence.challenges);
  const app = checkDescription(description, settings);
  const attestation = attestationOf(chain, description, app, provisioning);
  rememberIssuers(verified);
  return attestation;
}

/** Ensures that no certificate of the chain was withdrawn. */
export function checkRevoked(serials: readonly string[], revoked: (serialHex: string) => boolean): void {
  if (serials.some((serial) => revoked(serial))) reject('revoked', 'a certificate of the chain is revoked');
}

function readX5c(x5c: AndroidKeyEvidence['x5c']): readonly Uint8Array[] {
  if (!Array.isArray(x5c)) return reject('statement', 'x5c is not a list');
  // Ensures that a long list is refused before any of it is decoded.
  if (x5c.length < CHAIN.minLength || x5c.length > CHAIN.maxLength)
    return reject('chain-length', `the chain does not have ${CHAIN.minLength} to ${CHAIN.maxLength} certificates`);
  return x5c.map((entry: unknown) => {
    if (entry instanceof Uint8Array) return entry;
    if (typeof entry !== 'string') return reject('statement', 'x5c has an entry that is not a string');
    if (entry.length > TEXT_MAX) return reject('certificate-size', 'a certificate is too long');
    return decodeBase64(entry) ?? reject('statement', 'x5c has an entry that is not canonical base64');
  });
}

/** The extension of the leaf, and only of the leaf. */
function leafExtension(path: readonly [Certificate, ...Certificate[]]): Uint8Array {
  const [leaf, ...above] = path;
  // Ensures that no certificate was issued by a key that is itself only attested: such a key is the app's to use.
  if (above.some(({ extensions }) => extensions.has(KEY_DESCRIPTION)))
    reject('attestation-extension', 'a certificate above the leaf has one');
  const extension = leaf.extensions.get(KEY_DESCRIPTION);
  return extension?.value ?? reject('attestation-extension', 'the leaf has none');
}

function checkDescription(description: KeyDescription, settings: AndroidKeySettings): AttestationApplicationId {
  const { packageName, digests, policy } = settings;
  checkLevels(description, policy);
  const enforced = enforcedBy(description);
  checkOrigin(enforced);
  const app = checkApplication(description, packageName, digests);
  checkBoot(enforced, description, policy);
  checkFloors(enforced, app, packageName, policy);
  return app;
}

function attestationOf(
  chain: readonly Certificate[],
  description: KeyDescription,
  { packages, signatureDigests }: AttestationApplicationId,
  provisioning: Provisioning,
): AndroidKeyAttestation {
  const { rootOfTrust, osVersion, osPatchLevel, vendorPatchLevel, bootPatchLevel } = enforcedBy(description);
  return {
    publicKey: leafKey(chain),
    securityLevel: description.keyMintSecurityLevel,
    attestationVersion: description.attestationVersion,
    keyMintVersion: description.keyMintVersion,
    provisioning,
    packages,
    packageNames: packages.map(({ name }) => name),
    signatureDigests,
    rootOfTrust,
    verifiedBootState: rootOfTrust?.verifiedBootState,
    deviceLocked: rootOfTrust?.deviceLocked,
    osVersion,
    osPatchLevel,
    vendorPatchLevel,
    bootPatchLevel,
    serials: chain.map(({ serialHex }) => serialHex),
    description,
  };
}

function leafKey([leaf]: readonly Certificate[]): AndroidKeyAttestation['publicKey'] {
  try {
    return jwkOfSpki(leaf?.spki ?? new Uint8Array());
  } catch (error) {
    if (error instanceof DerError) reject('key', error.message, error);
    throw error;
  }
}
