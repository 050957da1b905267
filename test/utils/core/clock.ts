/** The time of the tests, seconds since the epoch. */
export const NOW = 2_160_000_000;

/** A clock that only tests move. */
export class TestClock {
  seconds = NOW;
  /** Milliseconds since the epoch, as the settings want it. */
  readonly read = (): number => this.seconds * 1000 + 999;

  advance(seconds: number): void {
    this.seconds += seconds;
  }
}
