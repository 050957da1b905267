import { randomBytes } from 'node:crypto';
import { DecisionStore, type RecentQuery, type SummaryQuery } from '../../../lib/telemetry/decision-store.js';
import type { DecisionCounts } from '../../../lib/telemetry/decision-summary.js';
import { MemoryDecisionStore } from '../../../lib/telemetry/memory-decision-store.js';
import { TabDecisions, type TabDecisionsOptions } from '../../../lib/telemetry/tab-decisions.js';
import type { TrustDecision } from '../../../lib/trust/trust-decision.js';
import { aToken, NOW } from '../../utils/core/index.js';

/** The time of the decisions, milliseconds since the epoch. */
export const AT = NOW * 1000;

/** A decision id as the verifier makes it. */
export const aDecisionId = (): string => randomBytes(16).toString('base64url');

/** An accepted request of Alice's. */
export function aDecision(change: Partial<TrustDecision> = {}): TrustDecision {
  return {
    id: aDecisionId(),
    at: AT,
    outcome: 'accepted',
    enforced: true,
    category: 'verified',
    method: 'GET',
    path: '/accounts/7',
    route: '/accounts/:id',
    handler: 'AccountsController.one',
    instanceId: 'i'.repeat(43),
    proof: 'signature',
    appId: 'com.example.app',
    appVersion: '1.4.0',
    sessionId: 's'.repeat(32),
    subject: 'alice',
    threats: [],
    flags: [],
    watched: [],
    duration: 0.25,
    ...change,
  };
}

/** A refused request of somebody unknown. */
export function aRefusal(change: Partial<TrustDecision> = {}): TrustDecision {
  return {
    id: aDecisionId(),
    at: AT,
    outcome: 'refused',
    enforced: true,
    category: 'unknown-origin',
    code: 'missing_token',
    detail: 'no TAB-Token header',
    method: 'GET',
    path: '/accounts',
    threats: [],
    flags: [],
    watched: [],
    duration: 0.125,
    ...change,
  };
}

/** A decision with this token in everything that may hold a text. */
export function aDecisionFullOf(token: string): TrustDecision {
  return aRefusal({
    detail: `bad ${token}.`,
    method: token,
    path: `/reset/${token}/x`,
    route: token,
    handler: token,
    appId: token,
    appVersion: token,
    subject: token,
    threats: [token],
    flags: [token],
    watched: [token],
  });
}

/** Tokens, and what is left of them when a path is cut off. */
export function someTokens(): string[] {
  const token = aToken();
  return [token, `${token}.${token}`, token.slice(0, 200), token.slice(0, token.lastIndexOf('.') + 1), `${token}...`];
}

/** A store that fails, hangs or answers as the test says, over a memory store. */
export class TestStore extends DecisionStore {
  readonly memory = new MemoryDecisionStore();
  readonly batches: (readonly TrustDecision[])[] = [];
  behaviour: 'works' | 'fails' | 'hangs' | 'throws' = 'works';
  readonly swept: [before: number, limit: number][] = [];
  private readonly hanging: (() => void)[] = [];

  override async record(decisions: readonly TrustDecision[]): Promise<void> {
    await this.behave();
    this.batches.push(decisions);
    await this.memory.record(decisions);
  }

  override find(id: string): Promise<TrustDecision | undefined> {
    if (this.behaviour === 'throws') throw new Error('thrown at once');
    return this.memory.find(id);
  }

  override recent(query: RecentQuery): Promise<TrustDecision[]> {
    return this.memory.recent(query);
  }

  override summarize(query: SummaryQuery): Promise<DecisionCounts> {
    return this.memory.summarize(query);
  }

  override async sweep(before: number, limit: number): Promise<number> {
    this.swept.push([before, limit]);
    return 3;
  }

  override get keepFor(): number {
    return 60;
  }

  /** Lets the calls go on that hang. */
  release(): void {
    this.behaviour = 'works';
    for (const go of this.hanging.splice(0)) go();
  }

  private async behave(): Promise<void> {
    if (this.behaviour === 'fails') throw new Error('password=hunter2 refused');
    if (this.behaviour === 'hangs') await new Promise<void>((resolve) => this.hanging.push(resolve));
  }
}

/** A `TabDecisions` whose clock stands still, with what it warned of and what it streamed. */
export function someDecisions(options: TabDecisionsOptions = {}) {
  const clock = { now: AT };
  const warnings: string[] = [];
  const streamed: TrustDecision[] = [];
  const decisions = new TabDecisions({
    clock: () => clock.now,
    warn: (message) => void warnings.push(message),
    ...options,
  });
  decisions.stream.subscribe((decision) => streamed.push(decision));
  return { decisions, clock, warnings, streamed };
}
