import type { Attester } from '../attestation/attester.js';
import type { BindingStore } from '../bindings/binding-store.js';
import type { ClaimQuota } from '../nonces/claim-quota.js';
import type { NonceStore } from '../nonces/nonce-store.js';
import type { Challenges } from '../token/challenge.js';
import type { TabAlgorithm } from '../token/claims.types.js';
import type { Origins } from '../token/origins.js';
import type { ProofKeys } from '../token/proof-key.js';
import type { SignatureVerifier } from '../token/signature.js';
import type { TimeWindow } from '../token/time-window.js';

/** An app that may enrol: one app id is one app on one platform. */
export interface RegisteredApp {
  readonly id: string;
  readonly platform: string;
  readonly minVersion: string | null;
  /** Probes that every build of the app has. */
  readonly probes: readonly string[];
  /** Threats that suspend the instance which reports them. */
  readonly suspendOn: readonly string[];
  readonly attesters: ReadonlyMap<string, Attester>;
  readonly allowUnattested: boolean;
  /** Whether a known key may attest anew with less assurance than before. */
  readonly allowDowngrade: boolean;
  /** Cap on the life of an attestation, seconds. */
  readonly attestationMaxAge: number;
}

/** What verifying a credential says about it. */
export interface CredentialFacts {
  /** The user that the credential was issued to. */
  readonly subject?: string;
  /** `cnf.jkt` of the credential (RFC 9449 section 6): the thumbprint of the key that it is bound to. */
  readonly jkt?: string;
}

/**
 * Verifies the credential of a request: signature, expiry, audience, whatever makes it good. Returns what it proves, or
 * undefined when it is not good. A throw refuses as well; throw `TabError('store_unavailable', …)` when you cannot tell.
 */
export type CredentialVerifier = (
  credential: string,
) => CredentialFacts | undefined | Promise<CredentialFacts | undefined>;

/** Where the credential is and what verifies it. */
export interface CredentialSettings {
  /** Name of the cookie that holds it, where it is not in `Authorization`. */
  readonly cookie?: string;
  /** Without it, sessions must name credential hashes. */
  readonly verify?: CredentialVerifier;
}

/** Everything that the verifier needs, resolved and checked. */
export interface VerifierSettings {
  readonly origins: Origins;
  readonly apps: ReadonlyMap<string, RegisteredApp>;
  readonly algorithms: ReadonlySet<TabAlgorithm>;
  readonly window: TimeWindow;
  readonly challenges: Challenges;
  readonly signatures: SignatureVerifier;
  /** Undefined: tokens are taken under instance keys only. */
  readonly proofKeys?: ProofKeys;
  readonly credential: CredentialSettings;
  readonly nonces: NonceStore;
  /** Bounds the live claims of one instance; without it they are not. */
  readonly quota?: ClaimQuota;
  readonly bindings: BindingStore;
  /** Milliseconds after which a store that has not answered counts as unavailable. */
  readonly storeTimeout: number;
  /** Instance keys kept imported. */
  readonly keyCacheSize: number;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}
