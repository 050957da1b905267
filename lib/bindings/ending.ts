import type { Ending } from './binding.types.js';

/** Longest reason that stores keep, in characters. */
const REASON_MAX = 200;

/** Why and when something ends; `now` in seconds. A longer reason is cut, so that its length never fails a write. */
export function endingOf(reason: string, now: number): Ending {
  return { reason: reason.slice(0, REASON_MAX), at: now };
}
