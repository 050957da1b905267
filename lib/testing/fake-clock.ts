/** A clock that moves only when told to. Pass `clock.now` as the `clock` option of module, stores and Defender. */
export interface FakeClock {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Moves the clock, backwards with a negative number. */
  advance(seconds: number): void;
}

/** @param start milliseconds since the epoch; default 2026-01-01T00:00:00Z */
export function fakeClock(start = Date.UTC(2026, 0, 1)): FakeClock {
  let current = start;
  return {
    now: () => current,
    advance: (seconds) => {
      current += seconds * 1000;
    },
  };
}
