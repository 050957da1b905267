// The clock of a run. A faster one makes expiries come sooner, so that a short run sees them too.

/** How the clock of a run goes; the same for all of its processes, and for its database. */
export function clockSettings(speed) {
  return { speed, started: Date.now() };
}

/** Milliseconds since the epoch, by the clock of a run. */
export function clockOf({ speed, started }) {
  return () => Math.floor(started + (Date.now() - started) * speed);
}
