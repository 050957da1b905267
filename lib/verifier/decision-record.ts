import { randomFillSync } from 'node:crypto';
import type { TabError } from '../errors/tab-error.js';
import type { TabRequest } from '../token/request.js';
import type { TrustContext } from '../trust/trust-context.js';
import type { DecisionCategory, TrustDecision } from '../trust/trust-decision.js';
import type { Proven } from './verification.js';

const ID_OCTETS = 16;
/** Random octets for the next ids: asking for many at once costs hardly more than asking for those of one. */
const randomness = Buffer.alloc(256 * ID_OCTETS);
let used = randomness.length;

/** A decision id: 128 random bits, 22 characters. It names a record and is no secret. */
export function newDecisionId(): string {
  if (used === randomness.length) {
    randomFillSync(randomness);
    used = 0;
  }
  used += ID_OCTETS;
  return randomness.toString('base64url', used - ID_OCTETS, used);
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

const NONE: readonly string[] = Object.freeze([]);

function someOf(names: readonly string[] | undefined): readonly string[] {
  return names === undefined || names.length === 0 ? NONE : names;
}

/** Puts together what is known. Claims are taken only from a token whose signature has verified. */
export function recordDecision(facts: {
  id: string;
  request: TabRequest;
  proven: Proven;
  error: TabError | undefined;
  enforced: boolean;
  route?: string | undefined;
  handler?: string | undefined;
  at: number;
  duration: number;
}): TrustDecision {
  const { error, proven, request } = facts;
  const record: Writable<TrustDecision> = {
    id: facts.id,
    at: facts.at,
    outcome: error === undefined ? 'accepted' : 'refused',
    enforced: facts.enforced,
    category: categoryOf(error),
    method: request.method,
    path: pathOf(request.target),
    threats: someOf(proven.authentic?.claims.rt.found),
    flags: someOf(proven.flags),
    watched: someOf(proven.watched),
    duration: facts.duration,
  };
  // One assignment each: spreading objects that may be there costs several times as much, on every request.
  if (error !== undefined) {
    record.code = error.code;
    record.detail = error.detail;
  }
  if (facts.route !== undefined) record.route = facts.route;
  if (facts.handler !== undefined) record.handler = facts.handler;
  if (proven.action !== undefined) record.action = proven.action;
  addProven(record, proven);
  return record;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

function addProven(record: Writable<TrustDecision>, { authentic, sessionId, subject }: Proven): void {
  if (authentic !== undefined) {
    record.instanceId = authentic.instanceId;
    record.proof = authentic.proof;
    record.appId = authentic.claims.app.id;
    record.appVersion = authentic.claims.app.ver;
  }
  if (sessionId !== undefined) record.sessionId = sessionId;
  if (sessionId !== undefined && subject !== undefined) record.subject = subject;
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
      proof: trust.proof,
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
