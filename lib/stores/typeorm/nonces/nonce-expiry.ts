import { TabError } from '../../../errors/tab-error.js';
import type { TabDatabase } from '../database/database.types.js';

/** The table of used nonces, as the data source places it. */
export interface NonceTable {
  /** Its escaped path, for statements. */
  readonly path: string;
  /** Its name alone. */
  readonly name: string;
  /** Escapes the name of another table beside it. */
  beside(name: string): string;
}

/** How an engine gets rid of claims that have expired. */
export interface NonceExpiry {
  /**
   * Reads what the table is.
   *
   * @throws TabConfigError when it is one that may forget claims without a sign
   */
  inspect(): Promise<void>;
  /**
   * Makes buckets ahead and drops those that are over; does nothing where the table has none. Whatever would keep claims
   * waiting is left to the next call.
   *
   * @param now seconds since the epoch
   */
  maintain(now: number): Promise<void>;
  /**
   * Deletes rows that expired before `now` (seconds; on SQLite before the minute that it is in) and are in no bucket.
   *
   * @returns how many, at most `limit`
   */
  deleteExpired(now: number, limit: number): Promise<number>;
}

/** Of a claim that may have been forgotten: whoever presents it is late, or the clock of this node is behind. */
export function claimIsOver(): TabError {
  return new TabError(
    'store_unavailable',
    'a claim is over by the clock of the database: synchronise the clocks of the database and the nodes',
  );
}

/** Milliseconds in which claims that waited for one step of maintenance are answered before the next. */
const PAUSE = 30;

/** Lets claims go first. */
export function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PAUSE));
}

/** Runs steps in order until one finds its lock taken; the rest is left to the next time. */
export async function untilBusy(database: TabDatabase, steps: Iterable<() => Promise<unknown>>): Promise<void> {
  try {
    for (const step of steps) await step();
  } catch (error) {
    if (!database.dialect.isBusy(error)) throw error;
  }
}
