// The clock of a run. A faster one makes expiries come sooner, so that a short run sees them too.

/** Seconds that a run may take at most before a fast clock has caught up with the real one. */
const LONGEST_RUN = 4 * 3600;

/** How the clock of a run goes; the same for all of its processes. */
export function clockSettings(speed) {
  const started = Date.now();
  // A fast clock begins in the past and never gets ahead of that of the database, which drops nothing that it takes for live.
  return { speed, started, origin: started - (speed - 1) * LONGEST_RUN * 1000 };
}

/** Milliseconds since the epoch, by the clock of a run. */
export function clockOf({ speed, started, origin }) {
  return () => Math.floor(origin + (Date.now() - started) * speed);
}
