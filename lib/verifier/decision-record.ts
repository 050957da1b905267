import { randomBytes } from 'node:crypto';
import type { TabError } from '../errors/tab-error.js';
import type { TabRequest } from '../token/request.js';
import type { TrustDecision } from '../trust/trust-decision.js';
import type { Proven } from './verification.js';

/** A decision id: 128 random bits, 22 characters. */
export function newDecisionId(): string {
  return randomBytes(16).toString('base64url');
}

/** Longest path that a record keeps; longer ones are cut. */
const PATH_MAX = 256;

function pathOf(target: string): string {
  const mark = target.indexOf('?');
  return (mark === -1 ? target : target.slice(0, mark)).slice(0, PATH_MAX);
}

/** Puts together what is known. Claims are taken only from a token whose signature has verified. */
export function recordDecision(facts: {
  id: string;
  request: TabRequest;
  proven: Proven;
  error: TabError | undefined;
  enforced: boolean;
  at: number;
  duration: number;
}): TrustDecision {
  const { error, proven, request } = facts;
  const authentic = proven.authentic;
  return {
    id: facts.id,
    at: facts.at,
    outcome: error === undefined ? 'accepted' : 'refused',
    enforced: facts.enforced,
    ...(error && { code: error.code, detail: error.detail }),
    method: request.method,
    path: pathOf(request.target),
    ...(authentic && {
      instanceId: authentic.instanceId,
      appId: authentic.claims.app.id,
      appVersion: authentic.claims.app.ver,
    }),
    ...(proven.sessionId !== undefined && { sessionId: proven.sessionId, subject: proven.subject }),
    threats: authentic?.claims.rt.found ?? [],
    flags: proven.flags ?? [],
    duration: facts.duration,
  };
}
