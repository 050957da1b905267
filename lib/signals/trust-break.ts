import { filter, map, type Observable } from 'rxjs';
import type { TrustDecision } from '../trust/trust-decision.js';

/** Trust that broke, and what was done about it. */
export interface TrustBreak {
  readonly instanceId: string;
  readonly sessionId?: string;
  readonly subject?: string;
  readonly action: 'suspend' | 'revoke-session' | 'revoke-instance';
  /** The threats that broke it. */
  readonly threats: readonly string[];
  /** Milliseconds since the epoch. */
  readonly at: number;
}

function isBreak(decision: TrustDecision): boolean {
  const { action, instanceId, sessionId } = decision;
  // A refusal alone changed nothing that others should know of.
  if (action === undefined || action === 'reject' || instanceId === undefined) return false;
  return action !== 'revoke-session' || sessionId !== undefined;
}

/** The decisions that ended or suspended something, for `SignalTransmitter.follow`. */
export function trustBreaks(stream: Observable<TrustDecision>): Observable<TrustBreak> {
  return stream.pipe(
    filter(isBreak),
    map(({ instanceId, sessionId, subject, action, threats, at }) => ({
      instanceId: instanceId as string,
      ...(sessionId !== undefined && { sessionId }),
      ...(subject !== undefined && { subject }),
      action: action as TrustBreak['action'],
      threats,
      at,
    })),
  );
}
