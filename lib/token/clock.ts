/** A source of time: milliseconds since the epoch. */
export type Clock = () => number;

/** The protocol's time: whole seconds since the epoch, `floor(ms / 1000)`. */
export function secondsOf(clock: Clock): number {
  return Math.floor(clock() / 1000);
}

/** Seconds by which the clocks of two nodes may differ (PROTOCOL section 6). */
export const NODE_CLOCK_DIFFERENCE = 15;
