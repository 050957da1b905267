import type { Probe, ProbeFacts, ProbeResult } from '../probe.js';
import { cleanRealm } from './clean-realm.js';

/** Options of the time-spoof probe. */
export interface TimeSpoofProbeOptions {
  /** Seconds that a server's clock may differ; default 300. */
  readonly maxSkew?: number;
  /** What is looked at; default the page's own clocks. Milliseconds. */
  readonly clocks?: Partial<Clocks>;
}

/** The clocks of a page. */
export interface Clocks {
  /** `Date.now()` and `Date`, as the page's scripts get them. */
  readonly page: () => number;
  /** Those of a realm that no script has changed; undefined where there is none. */
  readonly clean: () => number | undefined;
  /** A clock that only goes on. */
  readonly steady: () => number;
}

/** Between two readings, one after the other. */
const PATCHED_MS = 1000;
/** Smaller steps back are corrections by the network's time. */
const BACK_MS = 2000;

const CLOCKS: Clocks = {
  page: () => worse(Date.now(), new Date().getTime()),
  clean: () => cleanRealm()?.Date.now(),
  steady: () => performance.now(),
};

/**
 * `time-spoof`: the page's `Date` is not the browser's; the clock went back by more than two seconds since the last look; or
 * a server's clock differs by more than `maxSkew`. A clock that jumps ahead is not counted: after sleep it does so rightly.
 * It does not see a clock that was wrong before and that no server has told about.
 */
export function timeSpoofProbe(options: TimeSpoofProbeOptions = {}): Probe {
  const { maxSkew = 300 } = options;
  const clocks: Clocks = { ...CLOCKS, ...options.clocks };
  let last: number | undefined;
  return {
    name: 'time-spoof',
    run(_signal, facts) {
      const page = clocks.page();
      const lead = page - clocks.steady();
      const back = last !== undefined && lead - last < -BACK_MS;
      last = lead;
      return back ? 'found' : compare(page, clocks.clean(), maxSkew, facts);
    },
  };
}

function compare(page: number, clean: number | undefined, maxSkew: number, facts: ProbeFacts | undefined): ProbeResult {
  if (clean !== undefined && !(Math.abs(page - clean) <= PATCHED_MS)) return 'found';
  if ((facts?.serverSkews ?? []).some((skew) => Math.abs(skew) > maxSkew)) return 'found';
  return clean === undefined ? 'unknown' : 'clear';
}

/** Of two readings of one clock, none if they disagree. */
function worse(one: number, other: number): number {
  return Math.abs(one - other) <= PATCHED_MS ? one : Number.NaN;
}
