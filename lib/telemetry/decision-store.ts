import type { ProviderLookup } from '../stores/stores.types.js';
import type { TrustDecision } from '../trust/trust-decision.js';
import type { DecisionCounts, SummaryKey } from './decision-summary.js';

/** Which decisions to list. */
export interface RecentQuery {
  /** Milliseconds since the epoch. Default: all that are kept. */
  readonly since?: number;
  /** Default 100, at most 1000. */
  readonly limit?: number;
}

/** Which decisions to count, and how. */
export interface SummaryQuery {
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly by: SummaryKey;
}

/**
 * Port: the records of what was decided. They are for operators: no decision ever depends on them. Methods reject when the
 * store fails; the caller keeps the records and calls again. Times are milliseconds since the epoch.
 */
export abstract class DecisionStore {
  /** Keeps records, all or none where it can. An id that is kept already is passed over, so that a call can be repeated. */
  abstract record(decisions: readonly TrustDecision[]): Promise<void>;

  /** The record of this id, while it is kept. */
  abstract find(id: string): Promise<TrustDecision | undefined>;

  /** The latest records, newest first. */
  abstract recent(query: RecentQuery): Promise<TrustDecision[]>;

  /** Counts records. */
  abstract summarize(query: SummaryQuery): Promise<DecisionCounts>;

  /**
   * Removes up to `limit` records from before a time. Called in the background, in small batches.
   *
   * @returns how many were removed; fewer than `limit` means that nothing is left to do
   */
  sweep(_before: number, _limit: number): Promise<number> {
    return Promise.resolve(0);
  }

  /** Seconds after which a record may be swept; undefined where the store bounds itself. */
  get keepFor(): number | undefined {
    return undefined;
  }
}

/** A decision store that needs something of the application, such as its `DataSource`; resolved once at start-up. */
export interface DecisionStoreFactory {
  create(lookup: ProviderLookup): DecisionStore | Promise<DecisionStore>;
}

const DEFAULT_LISTED = 100;
const MAX_LISTED = 1000;

/** How many records a query lists, for stores. */
export function listedBy({ limit = DEFAULT_LISTED }: RecentQuery): number {
  return Number.isNaN(limit) ? DEFAULT_LISTED : Math.min(Math.max(Math.trunc(limit), 1), MAX_LISTED);
}
