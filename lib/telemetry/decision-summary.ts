import { DECISION_CATEGORIES, type DecisionCategory, type TrustDecision } from '../trust/trust-decision.js';

/** What a summary may be broken down by. */
export const SUMMARY_KEYS = ['code', 'threat', 'version', 'route'] as const;

/**
 * `code`: the error code, or `accepted`. `threat`: every threat that the evidence reported, each counted; decisions without
 * one are in no row. `version`: `appId@appVersion`. `route`: the route pattern. What is not known is `unknown`.
 */
export type SummaryKey = (typeof SUMMARY_KEYS)[number];

/** What became of a request, as a roll-out report sees it: the three are disjoint. */
export type DecisionVerdict = 'accepted' | 'refused' | 'watched';

/** Decisions with one key. */
export interface DecisionSummaryRow {
  readonly key: string;
  readonly total: number;
  /** Passed, with nothing held against it. */
  readonly accepted: number;
  /** Refused. */
  readonly refused: number;
  /** Passed, but only because of monitor mode or because the policy merely watches for what was found. */
  readonly watched: number;
}

/** What a store counts. */
export interface DecisionCounts {
  /** Every decision, by the category that operators see it in. */
  readonly categories: Readonly<Record<DecisionCategory, number>>;
  /** Most frequent first, at most 100, then one row `other` for the rest, where there is any. */
  readonly rows: readonly DecisionSummaryRow[];
}

/** A report on the decisions since a time. */
export interface DecisionSummary extends DecisionCounts {
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly by: SummaryKey;
  readonly total: number;
}

/** Rows of a summary, besides `other`. */
export const MAX_SUMMARY_ROWS = 100;
/** The key of the row for the rest. A client can name a threat so too; it is counted here then. */
const OTHER = 'other';
const UNKNOWN = 'unknown';

/** What became of the request. */
export function verdictOf({ outcome, enforced, watched }: TrustDecision): DecisionVerdict {
  if (outcome === 'refused') return enforced ? 'refused' : 'watched';
  return watched.length > 0 ? 'watched' : 'accepted';
}

/** The rows that a decision is counted in. */
export function summaryKeysOf(decision: Partial<TrustDecision>, by: SummaryKey): readonly string[] {
  switch (by) {
    case 'code':
      return [decision.code ?? 'accepted'];
    case 'threat':
      return [...new Set(decision.threats)];
    case 'version':
      return [decision.appId === undefined ? UNKNOWN : `${decision.appId}@${decision.appVersion ?? UNKNOWN}`];
    case 'route':
      return [decision.route ?? UNKNOWN];
  }
}

/** A row with nothing counted. */
export function emptyRow(key: string): DecisionSummaryRow {
  return { key, total: 0, accepted: 0, refused: 0, watched: 0 };
}

/** The sum of two rows, or with `sign` −1 their difference, never below zero; the key is that of the first. */
export function addRows(a: DecisionSummaryRow, b: DecisionSummaryRow, sign: 1 | -1 = 1): DecisionSummaryRow {
  const sum = (name: 'total' | DecisionVerdict): number => Math.max(0, a[name] + sign * b[name]);
  return {
    key: a.key,
    total: sum('total'),
    accepted: sum('accepted'),
    refused: sum('refused'),
    watched: sum('watched'),
  };
}

/** Adds rows of the same key together. */
export function mergeRows(rows: Iterable<DecisionSummaryRow>): DecisionSummaryRow[] {
  const merged = new Map<string, DecisionSummaryRow>();
  for (const row of rows) {
    const known = merged.get(row.key);
    merged.set(row.key, known ? addRows(known, row) : row);
  }
  return [...merged.values()];
}

/**
 * The rows as a summary shows them.
 *
 * @param rest what was counted, but is in none of the rows
 */
export function topRows(rows: readonly DecisionSummaryRow[], rest = emptyRow(OTHER)): DecisionSummaryRow[] {
  const ranked = rows.filter(({ key }) => key !== OTHER).sort(byTotal);
  const shown = ranked.slice(0, MAX_SUMMARY_ROWS);
  const hidden = [...ranked.slice(MAX_SUMMARY_ROWS), ...rows.filter(({ key }) => key === OTHER)];
  const other = hidden.reduce((sum, row) => addRows(sum, row), { ...rest, key: OTHER });
  return other.total > 0 ? [...shown, other] : shown;
}

function byTotal(a: DecisionSummaryRow, b: DecisionSummaryRow): number {
  return b.total - a.total || (a.key < b.key ? -1 : 1);
}

/** Every category, with nothing counted. */
export function noCategories(): Record<DecisionCategory, number> {
  return Object.fromEntries(DECISION_CATEGORIES.map((category) => [category, 0])) as Record<DecisionCategory, number>;
}

/** Counts decisions that are at hand. */
export function countDecisions(decisions: Iterable<TrustDecision>, by: SummaryKey): DecisionCounts {
  const categories = noCategories();
  const rows = new Map<string, Record<'total' | DecisionVerdict, number> & { key: string }>();
  for (const decision of decisions) {
    categories[decision.category] += 1;
    for (const key of summaryKeysOf(decision, by)) {
      let row = rows.get(key);
      if (row === undefined) rows.set(key, (row = { ...emptyRow(key) }));
      row.total += 1;
      row[verdictOf(decision)] += 1;
    }
  }
  return { categories, rows: topRows([...rows.values()]) };
}
