import type { Attester } from './attestation/attester.js';
import type { EnrolmentLimits } from './enrolment/enrolment.service.js';
import type { TabSignalsOptions } from './signals/signals.types.js';
import type { TabStores, TabStoresFactory } from './stores/stores.types.js';
import type { TabDecisionsOptions } from './telemetry/tab-decisions.js';
import type { TabAlgorithm } from './token/claims.types.js';
import type { SignatureMode } from './token/signature.js';
import type { TrustRequirementOptions } from './trust/requirement.js';
import type { ThreatName } from './trust/threats.js';
import type { CredentialSettings, CredentialVerifier } from './verifier/settings.js';

/** An app whose instances may enrol. One app id is one app on one platform. */
export interface TabAppOptions {
  /** 1–128 of `A–Z a–z 0–9 . _ : -`, such as `com.example.bank`. */
  readonly id: string;
  /** What the app runs on, as the client says it: `android`, `ios`, `web`, `node`, … (`[a-z0-9-]`). */
  readonly platform: string;
  /** Lowest version that is let in (SemVer 2.0.0). Default: any. */
  readonly minVersion?: string;
  /** Probes that every build has; policies require them all unless they say otherwise. Default none. */
  readonly probes?: readonly ThreatName[];
  /** Threats that suspend the instance which reports them. Default none. */
  readonly suspendOn?: readonly ThreatName[];
  /** Attestation formats that the app may enrol with. Default none. */
  readonly attestation?: readonly Attester[];
  /** Whether instances may enrol without attestation (format `none`, assurance `none`). Default false. */
  readonly allowUnattested?: boolean;
  /** Seconds after which an attestation no longer counts. Default 30 days. */
  readonly attestationMaxAge?: number;
  /** Whether a known key may attest anew with less assurance than before. Default false; a suspension is never ended so. */
  readonly allowDowngrade?: boolean;
}

/** Where the module's own endpoints are. */
export interface TabEndpointOptions {
  /** Path prefix. Default `/tab`. */
  readonly prefix?: string;
  /** Put on the endpoints' controllers, such as the mark by which your own global guards know public routes. Default none. */
  readonly decorators?: readonly ClassDecorator[];
}

/** Bounds on what callers may ask for, on one node. */
export interface TabLimits extends EnrolmentLimits {
  /**
   * Live claims of one instance in the nonce store, 1 to 1,000,000; above, requests are `rate_limited`. Default false: no
   * bound, since a busy service may be one instance. 3,000, about 12 requests a second, suits apps on people's phones.
   */
  readonly liveClaims: number | false;
}

/** The health check of the stores. */
export interface TabHealthOptions {
  /** Milliseconds after which a store that has not answered is down. Default 2000. */
  readonly timeout?: number;
}

/** Proof keys: short-lived MAC keys for instances, so that not every request needs a signature (PROTOCOL section 10). */
export interface TabProofKeyOptions {
  /** Seconds that a key is good for. Default 300, 30 to 885. */
  readonly lifetime?: number;
  /** Requests for keys a minute from one network address, on one node. Default 600. */
  readonly requestsPerMinute?: number;
}

/** Options of `TabModule.forRoot`. */
export interface TabOptions {
  /** Origins that clients address: `https://host[:port][/prefix]`, the prefix being one that a gateway strips. http only for loopback. */
  readonly origins: string | readonly string[];
  /** The apps that may enrol; at least one. */
  readonly apps: readonly TabAppOptions[];
  /** Verifies the credential of a request. Without it, sessions must name the hashes of their credentials. */
  readonly credential?: CredentialVerifier | CredentialSettings;
  /** Where nonces and bindings are kept. Default `memoryStores()`, which production refuses unless it is named. */
  readonly stores?: TabStores | TabStoresFactory;
  /** Secrets of at least 32 octets that all nodes share; the first makes challenges, all verify. `'random'`, the default, is for one process; production refuses it unless it is named. */
  readonly secrets?: 'random' | readonly (string | Uint8Array)[];
  /** The requirement of every route, where a class or method does not say otherwise. */
  readonly policy?: TrustRequirementOptions;
  /** Named requirements, for `@RequireTrust('name')`. */
  readonly policies?: Readonly<Record<string, TrustRequirementOptions>>;
  /** `'monitor'` lets through what would be refused, with `TAB-Monitor`, and records it. Default `'enforce'`. */
  readonly mode?: 'enforce' | 'monitor';
  /** Whether refusals carry the log-only detail; for development. Default false. */
  readonly exposeDetail?: boolean;
  /** Where decision records are kept (default: the last 10,000 in memory), and what is taken out of them first. */
  readonly decisions?: Pick<TabDecisionsOptions, 'store' | 'redact' | 'queueSize'>;
  /** Continuous trust by standard events: takes and sends Shared Signals (CAEP 1.0). Default neither. */
  readonly signals?: TabSignalsOptions;
  /** Accepted signature algorithms; ES256 is always among them. Default ES256 only. */
  readonly algorithms?: readonly TabAlgorithm[];
  /** Where signatures are verified. Default `'auto'`: on the main thread when idle, on the thread pool under load. */
  readonly signature?: SignatureMode;
  /**
   * Whether instances may trade a signature for a short-lived proof key; policies with `proof: 'signature'` take none. The keys are
   * derived from `secrets`. Default false.
   */
  readonly proofKeys?: boolean | TabProofKeyOptions;
  /** Seconds: `lifetime` of a token, default 60, at most 120; `tolerance` of clocks, default 5, at most 15. */
  readonly token?: { readonly lifetime?: number; readonly tolerance?: number };
  /** Seconds that a challenge is good for. Default 300, 30 to 3600. */
  readonly challengeLifetime?: number;
  /** Limits on callers. Default 60 enrolments and four times as many challenges a minute and address; no bound on live claims of one instance. */
  readonly limits?: Partial<TabLimits>;
  /** The health check of the stores, see `TabHealth`. */
  readonly health?: TabHealthOptions;
  /** Milliseconds after which a store that does not answer counts as unavailable. Default 5000. */
  readonly storeTimeout?: number;
  /** Instance keys kept imported, each from its second use on; 3 to 5 kB each, and room for them, some 100 octets, from the start. Default 10,000. */
  readonly keyCacheSize?: number;
  /** Milliseconds between sweeps of expired rows, 0 for none. Default 30,000. */
  readonly sweepInterval?: number;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: () => number;
}

/** Implemented by classes for `forRootAsync({ useClass | useExisting })`. */
export interface TabOptionsFactory {
  createTabOptions(): TabOptions | Promise<TabOptions>;
}
