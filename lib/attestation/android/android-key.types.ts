import type { JsonWebKey } from 'node:crypto';
import type { CertificateCheck, ChainCheck, PublicKeyCheck } from '../x509/index.js';
import type { AndroidSecurityLevel, KeyDescription, RootOfTrust } from './key-description.types.js';
import type { Provisioning } from './provisioning.js';

/**
 * Checks of an Android key attestation, as `AttestationError.check`, in the order in which they are made; those of its
 * certificates, keys and chain come first.
 * - `statement`: not `{ x5c }` of base64 certificates
 * - `attestation-extension`: the leaf has no attestation extension, or a certificate above it has one, which is how an app
 *   passes off a key of its own as the device's
 * - `key-description`: the extension is not strict DER, or not the structure that it must be
 * - `challenge`: made for another challenge
 * - `security-level`: the two levels differ, or software where it is not allowed
 * - `origin`: the hardware does not say that it generated the key
 * - `application`: the app's identity is absent, or another package
 * - `signing-certificate`: the app is signed by somebody else
 * - `root-of-trust`: the hardware does not say how the device booted
 * - `boot-state`: the boot was not verified
 * - `device-locked`: the boot loader is unlocked
 * - `os-version`, `patch-level`, `app-version`: below the configured floor, or absent where there is one
 * - `key-use`: not for signing only
 * - `instance-key`: the attested key is not the instance key
 * - `revoked`: a certificate of the chain is revoked or suspended
 */
export type AndroidKeyCheck =
  | CertificateCheck
  | PublicKeyCheck
  | ChainCheck
  | 'statement'
  | 'attestation-extension'
  | 'key-description'
  | 'challenge'
  | 'security-level'
  | 'origin'
  | 'application'
  | 'signing-certificate'
  | 'root-of-trust'
  | 'boot-state'
  | 'device-locked'
  | 'os-version'
  | 'patch-level'
  | 'app-version'
  | 'key-use'
  | 'instance-key'
  | 'revoked';

/** What is let through that is refused by default, and floors, of which there are none by default. */
export interface AndroidKeyPolicy {
  /** Boots that were not verified by the maker: custom systems (`SELF_SIGNED`, `UNVERIFIED`), never `FAILED`. */
  readonly allowUnverifiedBoot?: boolean;
  /** Devices with an unlocked boot loader. */
  readonly allowUnlocked?: boolean;
  /** Keys in software, as emulators make them. Their chains lead to no root of Google's, so `roots` must name theirs. */
  readonly allowSoftware?: boolean;
  /** Lowest Android version: 130000 is 13.0.0. */
  readonly minOsVersion?: number;
  /** Lowest security patch level of the system: 202504 is April 2025. */
  readonly minOsPatchLevel?: number;
  /** Lowest `versionCode` of the app. */
  readonly minAppVersionCode?: number;
}

/** What `verifyAndroidKeyAttestation` is given. */
export interface AndroidKeyEvidence {
  /** The chain, leaf first: DER, or DER in base64. */
  readonly x5c: readonly (Uint8Array | string)[];
  /** The challenge that the key was generated with; of several, any one. */
  readonly challenge: Uint8Array | readonly Uint8Array[];
  /** Package name of the app; undefined: not judged. */
  readonly packageName?: string;
  /**
   * SHA-256 of the certificates that the app may be signed with: 32 octets, or text in hex (with or without colons) or
   * base64; undefined: not judged.
   */
  readonly signatureDigests?: readonly (Uint8Array | string)[];
  /** Certificates (PEM or DER) whose keys are trusted; default Google's hardware roots. */
  readonly roots?: readonly (string | Uint8Array)[];
  /** Asked for every certificate; the serial is lower-case hex without leading zeros. Default: none is revoked. */
  readonly revoked?: (serialHex: string) => boolean;
  /** Default the system clock. */
  readonly now?: Date;
  readonly policy?: AndroidKeyPolicy;
}

/** What a verified attestation says. Levels of versions and patches are numbers as Android writes them. */
export interface AndroidKeyAttestation {
  /** The attested key: the members of RFC 7638 only. */
  readonly publicKey: JsonWebKey;
  /** Where the key lives, and what wrote the attestation: both levels are the same. */
  readonly securityLevel: AndroidSecurityLevel;
  readonly attestationVersion: number;
  readonly keyMintVersion: number;
  readonly provisioning: Provisioning;
  /** The packages that share the app's user id. Android says so, not the hardware: true as far as the boot was verified. */
  readonly packages: readonly { readonly name: string; readonly version: number }[];
  readonly packageNames: readonly string[];
  /** Lower-case hex. */
  readonly signatureDigests: readonly string[];
  /** Absent only for keys in software. */
  readonly rootOfTrust?: RootOfTrust;
  readonly verifiedBootState?: RootOfTrust['verifiedBootState'];
  readonly deviceLocked?: boolean;
  readonly osVersion?: number;
  readonly osPatchLevel?: number;
  readonly vendorPatchLevel?: number;
  readonly bootPatchLevel?: number;
  /** Serials of the chain as sent, leaf first: lower-case hex without leading zeros. */
  readonly serials: readonly string[];
  /** Everything else. It may hold ids of the device: keep it out of logs. */
  readonly description: KeyDescription;
}
