import { TabError } from '../errors/tab-error.js';
import type { TabClaims } from './claims.types.js';

/** How long a token is good for. Seconds. */
export interface TimeWindow {
  /** Default 60, at most 120. */
  readonly lifetime: number;
  /** Clock difference that is forgiven; default 5, at most 15. */
  readonly tolerance: number;
}

function stale(claims: TabClaims, now: number, detail: string): TabError {
  return new TabError('stale_token', detail, { hints: { skew: now - claims.iat } });
}

/** Ensures that the token was made just now: `now − lifetime − tolerance ≤ iat ≤ now + tolerance`. */
export function checkIssuedAt(claims: TabClaims, now: number, window: TimeWindow): void {
  if (claims.iat > now + window.tolerance) throw stale(claims, now, 'iat is in the future');
  if (claims.iat < now - window.lifetime - window.tolerance) throw stale(claims, now, 'iat is too old');
}

/** Ensures that an `exp`, which can only shorten the life, has not passed. */
export function checkExpiry(claims: TabClaims, now: number, window: TimeWindow): void {
  if (claims.exp === undefined) return;
  if (claims.exp <= claims.iat) throw stale(claims, now, 'exp is not after iat');
  if (now >= claims.exp + window.tolerance) throw stale(claims, now, 'exp has passed');
}

/**
 * Seconds after its start during which a store that forgets refuses tokens without a challenge: they may have been
 * spent in its former life (PROTOCOL section 6, claims).
 */
export const RESTART_FENCE = 15;

/** Ensures that the token was made after a forgetful store began to remember. */
export function checkRestartFence(claims: TabClaims, now: number, storeStartedAt: number): void {
  if (claims.iat <= storeStartedAt + RESTART_FENCE)
    throw stale(claims, now, 'iat is not after the start of the nonce store');
}
