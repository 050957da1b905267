/** Where a key lives, or who signed what is said about it. */
export type AndroidSecurityLevel = 'software' | 'tee' | 'strongbox';

/** What the boot loader found: signed by the maker, by the user's own key, not at all, or wrongly. */
export type VerifiedBootState = 'VERIFIED' | 'SELF_SIGNED' | 'UNVERIFIED' | 'FAILED';

/** State of the boot, as the secure hardware was told by the boot loader. Keys and hashes are lower-case hex. */
export interface RootOfTrust {
  readonly verifiedBootKey: string;
  readonly deviceLocked: boolean;
  readonly verifiedBootState: VerifiedBootState;
  /** From version 3 on. */
  readonly verifiedBootHash?: string;
}

/** The packages that share the user id which made the key, and the SHA-256 digests of their signing certificates. */
export interface AttestationApplicationId {
  readonly packages: readonly { readonly name: string; readonly version: number }[];
  /** Lower-case hex. */
  readonly signatureDigests: readonly string[];
}

/**
 * What holds of a key (AOSP "Key and ID attestation", AuthorizationList). Numbers as KeyMint's enums have them; times are
 * milliseconds since the epoch; ids are the octets as they are.
 */
export interface AuthorizationList {
  readonly purpose?: readonly number[];
  readonly algorithm?: number;
  readonly keySize?: number;
  readonly blockMode?: readonly number[];
  readonly digest?: readonly number[];
  readonly padding?: readonly number[];
  readonly callerNonce?: true;
  readonly minMacLength?: number;
  readonly ecCurve?: number;
  readonly rsaPublicExponent?: bigint;
  readonly mgfDigest?: readonly number[];
  readonly rollbackResistance?: true;
  readonly earlyBootOnly?: true;
  readonly activeDateTime?: bigint;
  readonly originationExpireDateTime?: bigint;
  readonly usageExpireDateTime?: bigint;
  readonly usageCountLimit?: number;
  readonly userSecureId?: bigint;
  readonly noAuthRequired?: true;
  readonly userAuthType?: number;
  readonly authTimeout?: number;
  readonly allowWhileOnBody?: true;
  readonly trustedUserPresenceRequired?: true;
  readonly trustedConfirmationRequired?: true;
  readonly unlockedDeviceRequired?: true;
  readonly allApplications?: true;
  readonly applicationId?: Uint8Array;
  readonly creationDateTime?: bigint;
  readonly origin?: number;
  readonly rollbackResistant?: true;
  readonly rootOfTrust?: RootOfTrust;
  readonly osVersion?: number;
  readonly osPatchLevel?: number;
  readonly attestationApplicationId?: AttestationApplicationId;
  readonly attestationIdBrand?: Uint8Array;
  readonly attestationIdDevice?: Uint8Array;
  readonly attestationIdProduct?: Uint8Array;
  readonly attestationIdSerial?: Uint8Array;
  readonly attestationIdImei?: Uint8Array;
  readonly attestationIdMeid?: Uint8Array;
  readonly attestationIdManufacturer?: Uint8Array;
  readonly attestationIdModel?: Uint8Array;
  readonly vendorPatchLevel?: number;
  readonly bootPatchLevel?: number;
  readonly deviceUniqueAttestation?: true;
  readonly identityCredentialKey?: true;
  readonly attestationIdSecondImei?: Uint8Array;
  readonly moduleHash?: Uint8Array;
  /** Tags that are not known here, newer ones for instance, by number: their encoded content. */
  readonly unknown: ReadonlyMap<number, Uint8Array>;
}

/** The attestation extension (OID 1.3.6.1.4.1.11129.2.1.17). */
export interface KeyDescription {
  readonly attestationVersion: number;
  readonly attestationSecurityLevel: AndroidSecurityLevel;
  readonly keyMintVersion: number;
  readonly keyMintSecurityLevel: AndroidSecurityLevel;
  readonly attestationChallenge: Uint8Array;
  readonly uniqueId: Uint8Array;
  /** What the Android system vouches for. */
  readonly softwareEnforced: AuthorizationList;
  /** What the secure hardware vouches for. */
  readonly hardwareEnforced: AuthorizationList;
}
