import type { TrustDecision } from 'nestjs-tab';

/** What the feed tells of a decision. It is open to everybody, so nothing in it says who asked, or why exactly not. */
export interface FeedEntry {
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** Method and route, such as `POST /transfers`. */
  readonly route: string;
  readonly outcome: 'accepted' | 'refused';
  /** Set on refusals. */
  readonly code?: string;
  /** Threats that the signed evidence reports. */
  readonly threats: readonly string[];
  readonly durationMs: number;
}

/** Paths of TAB itself, which have no route of the bank. */
const TAB_PATHS: ReadonlySet<string> = new Set(['/tab/challenge', '/tab/instances', '/tab/instances/self']);

/** A decision as the feed tells it: each member is named, so that a new one in the record stays out of the feed. */
export function feedEntryOf(decision: TrustDecision): FeedEntry {
  const { id, at, outcome, code, threats, duration } = decision;
  return {
    id,
    time: at,
    route: routeOf(decision),
    outcome,
    ...(code !== undefined && { code }),
    threats,
    durationMs: Math.round(duration * 100) / 100,
  };
}

/** The pattern, never the path: that is whatever somebody has sent. */
function routeOf({ method, route, path }: TrustDecision): string {
  const known = route ?? (TAB_PATHS.has(path) ? path : undefined);
  return known === undefined ? 'another route' : `${method} ${known}`;
}
