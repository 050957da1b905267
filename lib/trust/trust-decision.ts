import type { TabErrorCode } from '../errors/codes.js';

/** A record of one verification, for operators. It never holds a token, credential, key or secret. */
export interface TrustDecision {
  /** Random id; the `decision` member of the problem document. */
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly outcome: 'accepted' | 'refused';
  /** False in monitor mode, where a refusal lets the request through. */
  readonly enforced: boolean;
  /** Set on refusals. */
  readonly code?: TabErrorCode;
  /** Log-only reason; set on refusals. */
  readonly detail?: string;
  readonly method: string;
  /** The path of the target; never the query, which may hold personal data. */
  readonly path: string;
  /** What was proven; a member is set only once the check behind it has passed. */
  readonly instanceId?: string;
  readonly appId?: string;
  readonly appVersion?: string;
  readonly sessionId?: string;
  readonly subject?: string;
  /** Threats that the signed evidence reports. */
  readonly threats: readonly string[];
  /** Threats that the policy let through. */
  readonly flags: readonly string[];
  /** Milliseconds. */
  readonly duration: number;
}
