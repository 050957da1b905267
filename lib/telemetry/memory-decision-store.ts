import { TabConfigError } from '../errors/tab-error.js';
import type { TrustDecision } from '../trust/trust-decision.js';
import { DecisionRing } from './decision-ring.js';
import { DecisionStore, listedBy, type RecentQuery, type SummaryQuery } from './decision-store.js';
import { countDecisions, type DecisionCounts } from './decision-summary.js';

/** The last decisions of this process, in memory. Full is not an error: the oldest make room. */
export class MemoryDecisionStore extends DecisionStore {
  readonly #ring: DecisionRing;
  readonly #byId = new Map<string, TrustDecision>();

  /**
   * @param capacity records kept, default 10,000, about 10 MB
   * @throws TabConfigError when it is not a positive integer
   */
  constructor(capacity = 10_000) {
    super();
    if (!Number.isSafeInteger(capacity) || capacity < 1)
      throw new TabConfigError('MemoryDecisionStore: the capacity must be a positive integer');
    this.#ring = new DecisionRing(capacity);
  }

  override async record(decisions: readonly TrustDecision[]): Promise<void> {
    for (const decision of decisions) if (!this.#byId.has(decision.id)) this.#keep(decision);
  }

  #keep(decision: TrustDecision): void {
    const oldest = this.#ring.push(decision);
    if (oldest !== undefined) this.#byId.delete(oldest.id);
    this.#byId.set(decision.id, decision);
  }

  override async find(id: string): Promise<TrustDecision | undefined> {
    return this.#byId.get(id);
  }

  override async recent(query: RecentQuery): Promise<TrustDecision[]> {
    const decisions = [...this.#since(query.since ?? Number.NEGATIVE_INFINITY)];
    return decisions.sort((a, b) => b.at - a.at).slice(0, listedBy(query));
  }

  override async summarize({ since, by }: SummaryQuery): Promise<DecisionCounts> {
    return countDecisions(this.#since(since), by);
  }

  /** Looks at all: a clock may have been set back in between. */
  *#since(time: number): Generator<TrustDecision> {
    for (const decision of this.#ring.newest()) if (decision.at >= time) yield decision;
  }
}
