import type { PublicJwk } from '../../token/claims.types.js';
import type { AppleExtensions, AppleValidationCategory } from './extensions.js';

/** `production`: App Store, TestFlight, enterprise; `development`: built with the development entitlement. */
export type AppleEnvironment = 'development' | 'production';

/** A public key on P-256. */
export type AppleAttestedKey = Extract<PublicJwk, { readonly kty: 'EC' }>;

/** What `verifyAppleAttestation` is given. */
export interface AppleAttestationInput {
  /** As `attestKey` returned it, untrusted; at most 64 KiB. */
  readonly attestationObject: Uint8Array;
  /** As `generateKey` returned it: base64 of 32 octets, or these octets. */
  readonly keyId: Uint8Array | string;
  /** The very octets that the app passed to `attestKey`, 32 as a rule; they are not hashed again. */
  readonly clientDataHash: Uint8Array;
  /** `TEAMID.bundle.id`, or several of which one must match. */
  readonly appId: string | readonly string[];
  readonly environment: AppleEnvironment;
  /** Permitted ways of installation; default any, also where the system does not say. */
  readonly validationCategories?: readonly AppleValidationCategory[];
  /** Trust anchors in PEM or DER; default Apple's. */
  readonly roots?: readonly (string | Uint8Array)[];
  /** Default the system clock. */
  readonly now?: Date;
}

/** What an attestation that passed says. */
export interface VerifiedAppleAttestation extends AppleExtensions {
  readonly keyId: string;
  readonly publicKey: AppleAttestedKey;
  /** The one that matched. */
  readonly appId: string;
  readonly environment: AppleEnvironment;
  /** For Apple's fraud assessment; opaque and covered by no check here. */
  readonly receipt?: Uint8Array;
}

/** What `verifyAppleAssertion` is given. */
export interface AppleAssertionInput {
  /** As `generateAssertion` returned it, untrusted; at most 4 KiB. */
  readonly assertion: Uint8Array;
  /** The very octets that the app passed to `generateAssertion`; they are not hashed again. */
  readonly clientDataHash: Uint8Array;
  /** The attested key. */
  readonly publicKey: AppleAttestedKey;
  /** `TEAMID.bundle.id` of the app that attested it. */
  readonly appId: string;
  /** The highest counter seen from this key, 0 before any. */
  readonly previousCounter: number;
  /** Permitted ways of installation; default any, also where the system does not say. */
  readonly validationCategories?: readonly AppleValidationCategory[];
}

/** What an assertion that passed says. */
export interface VerifiedAppleAssertion extends AppleExtensions {
  /** Above `previousCounter`. The caller raises the stored one in one atomic step, or the assertion can be replayed. */
  readonly counter: number;
}

interface AppleAppAttestCommonOptions {
  /** Attestations of the other environment are refused. No default: a development build must never pass as a released one. */
  readonly environment: AppleEnvironment;
  /**
   * Permitted ways of installation, such as `[4]` for the App Store only. Default any. Where it is given, evidence that does
   * not say is refused: that of systems before iOS and macOS 27.
   */
  readonly validationCategories?: readonly AppleValidationCategory[];
  /** Trust anchors in PEM instead of Apple's; for tests. */
  readonly roots?: readonly (string | Uint8Array)[];
  /** Longest time that an attestation or its renewal counts, in seconds; default 2,592,000 (30 days). */
  readonly maxAge?: number;
  /** Whether to keep the receipt, base64, in the instance's claims, for Apple's fraud assessment; default false. */
  readonly receipt?: boolean;
}

/** Options of `appleAppAttest`: one App ID (`TEAMID.bundle.id`), or several where an app and its extensions share an app id. */
export type AppleAppAttestOptions = AppleAppAttestCommonOptions &
  (
    | { readonly appId: string; readonly appIds?: undefined }
    | { readonly appId?: undefined; readonly appIds: readonly string[] }
  );
