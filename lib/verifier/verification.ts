import type { Bindings } from '../bindings/binding.types.js';
import type { TabError } from '../errors/tab-error.js';
import type { VerifiedContext } from '../trust/trust-context.js';
import type { TrustDecision } from '../trust/trust-decision.js';
import type { BreachAction, TrustRequirement } from '../trust/requirement.js';
import type { CredentialFacts } from './settings.js';
import type { AuthenticToken, ParsedToken } from './steps.types.js';

interface VerificationBase {
  readonly decision: TrustDecision;
  /** A challenge for the client to use next (`TAB-Nonce`), where PROTOCOL section 4 gives one. */
  readonly nextChallenge: string | undefined;
}

/** A request that has proven everything its requirement asks for. */
export interface AcceptedVerification extends VerificationBase {
  readonly accepted: true;
  readonly context: VerifiedContext;
  /** Whether a server challenge was checked. */
  readonly challenged: boolean;
  readonly credentialHash: string | undefined;
}

/** A request that has not. */
export interface RefusedVerification extends VerificationBase {
  readonly accepted: false;
  readonly error: TabError;
}

/** What the verifier says about a request and a requirement. */
export type Verification = AcceptedVerification | RefusedVerification;

/** What the caller of the verifier knows about the request besides itself. */
export interface VerifyOptions {
  /** The route pattern, for the record. */
  readonly route?: string;
  /** `Class.method` of the handler, for the record. */
  readonly handler?: string;
  /** True skips step 5: for a client that gives its key up, whatever its runtime looks like. */
  readonly unappraised?: boolean;
}

/** A requirement, and what came of it. */
export interface JudgedRequirement {
  readonly requirement: TrustRequirement;
  readonly verification: Promise<Verification>;
}

/** A key that was claimed for a request, and whether it was the first to do so. */
export interface MadeClaim {
  readonly key: string;
  readonly won: Promise<boolean>;
}

/** What is done once for a request, however many guards look at it. */
export interface VerificationRun {
  /** Seconds since the epoch, the same for all guards of the request. */
  readonly now: number;
  parsed?: ParsedToken;
  authentic?: AuthenticToken | Promise<AuthenticToken>;
  bindings?: Promise<Bindings>;
  facts?: Promise<CredentialFacts | undefined>;
  assertion?: Promise<void>;
  /** What has been claimed: one key for most requests, two where challenges are for single use. */
  claims?: MadeClaim[];
  /** The first requirement, which most requests have no other beside, and what came of it. */
  first?: JudgedRequirement;
  others?: Map<TrustRequirement, Promise<Verification>>;
}

/** What has been proven so far; it goes into the decision record even when a later step refuses. */
export interface Proven {
  authentic?: AuthenticToken;
  challengePastHalfLife?: boolean;
  sessionId?: string;
  subject?: string;
  flags?: readonly string[];
  watched?: readonly string[];
  action?: BreachAction;
}
