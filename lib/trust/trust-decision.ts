import type { TabErrorCode } from '../errors/codes.js';
import type { TokenProof } from '../token/proof-key-id.js';
import type { BreachAction } from './requirement.js';

/** How operators sort decisions: who is out there, and what do they send? */
export const DECISION_CATEGORIES = ['verified', 'outdated-client', 'unknown-origin', 'invalid', 'reused'] as const;

/**
 * `verified`: accepted. `outdated-client`: an enrolled app whose version is no longer let in. `unknown-origin`: no token, or
 * no enrolled instance. `reused`: a token or challenge presented before. `invalid`: everything else that was refused.
 */
export type DecisionCategory = (typeof DECISION_CATEGORIES)[number];

/** A record of one verification, for operators. It never holds a token, credential, key or secret. */
export interface TrustDecision {
  /** Random id; the `decision` member of the problem document. */
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly outcome: 'accepted' | 'refused';
  /** False in monitor mode, where a refusal lets the request through. */
  readonly enforced: boolean;
  readonly category: DecisionCategory;
  /** Set on refusals. */
  readonly code?: TabErrorCode;
  /** Log-only reason; set on refusals. */
  readonly detail?: string;
  readonly method: string;
  /** The path of the target; never the query, which may hold personal data. */
  readonly path: string;
  /** The route pattern as the framework names it, such as `/accounts/:id`, where the guard knows it. */
  readonly route?: string;
  /** `Class.method` of the handler, where the guard knows it. */
  readonly handler?: string;
  /** What was proven; a member is set only once the check behind it has passed. */
  readonly instanceId?: string;
  /** Whether the instance key itself signed, or a proof key of the instance was used (`'mac'`). */
  readonly proof?: TokenProof;
  readonly appId?: string;
  readonly appVersion?: string;
  readonly sessionId?: string;
  readonly subject?: string;
  /** Threats that the signed evidence reports. */
  readonly threats: readonly string[];
  /** Threats that the policy let through. */
  readonly flags: readonly string[];
  /** Threats that would have been denied or stepped up, had the policy not only watched for them. */
  readonly watched: readonly string[];
  /** What followed from a breach; set when the runtime broke trust and the policy is enforced. */
  readonly action?: BreachAction;
  /** Milliseconds. */
  readonly duration: number;
}
