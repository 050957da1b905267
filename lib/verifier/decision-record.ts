import { randomBytes } from 'node:crypto';
import type { TabError } from '../errors/tab-error.js';
import type { TabRequest } from '../token/request.js';
import type { TrustContext } from '../trust/trust-context.js';
import type { DecisionCategory, TrustDecision } from '../trust/trust-decision.js';
import type { Proven } from './verification.js';

/** A decision id: 128 random bits, 22 characters. */
export function newDecisionId(): string {
  return randomBytes(16).toString('base64url');
}

/** Longest path that a record keeps; longer ones are cut. */
const PATH_MAX = 256;

/** The path of a target, without the query, cut to a length that records can hold. */
export function pathOf(target: string): string {
  const mark = target.indexOf('?');
  return (mark === -1 ? target : target.slice(0, mark)).slice(0, PATH_MAX);
}

const UNKNOWN_ORIGIN: ReadonlySet<string> = new Set(['missing_token', 'unknown_instance']);

/** The category that operators see a decision in. */
function categoryOf(error: TabError | undefined): DecisionCategory {
  if (error === undefined) return 'verified';
  if (error.reason === 'version') return 'outdated-client';
  if (error.reason === 'spent') return 'reused';
  return UNKNOWN_ORIGIN.has(error.code) ? 'unknown-origin' : 'invalid';
}

/** Puts together what is known. Claims are taken only from a token whose signature has verified. */
export function recordDecision(facts: {
  id: string;
  request: TabRequest;
  proven: Proven;
  error: TabError | undefined;
  enforced: boolean;
  route?: string;
  handler?: string;
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
    category: categoryOf(error),
    ...(error && { code: error.code, detail: error.detail }),
    method: request.method,
    path: pathOf(request.target),
    ...(facts.route !== undefined && { route: facts.route }),
    ...(facts.handler !== undefined && { handler: facts.handler }),
    ...(proven.action !== undefined && { action: proven.action }),
    ...(authentic && {
      instanceId: authentic.instanceId,
      appId: authentic.claims.app.id,
      appVersion: authentic.claims.app.ver,
    }),
    ...(proven.sessionId !== undefined && { sessionId: proven.sessionId, subject: proven.subject }),
    threats: authentic?.claims.rt.found ?? [],
    flags: proven.flags ?? [],
    watched: proven.watched ?? [],
    duration: facts.duration,
  };
}

/** The record of a session change that was refused inside a request which itself may have been accepted. */
export function sessionRefusal(error: TabError, trust: TrustContext, at: number): TrustDecision {
  return {
    id: newDecisionId(),
    at,
    outcome: 'refused',
    enforced: true,
    category: categoryOf(error),
    code: error.code,
    detail: `session change in request ${trust.decision}: ${error.detail}`,
    method: '',
    path: '',
    ...(trust.verified && {
      instanceId: trust.instance.id,
      appId: trust.instance.appId,
      appVersion: trust.instance.appVersion,
      ...(trust.session && { sessionId: trust.session.id, subject: trust.session.subject }),
    }),
    threats: [],
    flags: [],
    watched: [],
    duration: 0,
  };
}
