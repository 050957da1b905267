import type { Probe, ProbeFacts, ProbeResult } from '../probe.js';
import { processFacts, type ProcessFacts } from './process-facts.js';
import { processStart } from './process-start.js';

/** Options of the time-spoof probe; all in seconds. */
export interface TimeSpoofProbeOptions {
  /** How far the wall clock may go back against the monotonic one; default 2. */
  readonly threshold?: number;
  /** How far a server's clock may be from the local one; default 300. */
  readonly maxSkew?: number;
  /** How long a clock that went back is told; default 3,600. */
  readonly hold?: number;
  /** The process to look at; default this one. */
  readonly facts?: Partial<ProcessFacts>;
}

type Limits = Required<Omit<TimeSpoofProbeOptions, 'facts'>>;

/** Variables of libfaketime, which are of no other use. */
const FAKE_VARIABLE = /^(FAKETIME|DONT_FAKE_MONOTONIC$)/;

/**
 * `time-spoof`: the wall clock has been set. It is compared with the monotonic clock, since the process began, and with the
 * servers' clocks. Going forward alone says nothing: the monotonic clock stands still while the machine sleeps, so that a wake-up
 * looks the same; it counts where a server says that the local clock is ahead by just as much. Where libfaketime cannot be
 * ruled out by the memory map (Linux without `/proc`, macOS), it is never `clear`.
 */
export function timeSpoofProbe(options: TimeSpoofProbeOptions = {}): Probe {
  const facts = processFacts(options.facts);
  const { threshold = 2, maxSkew = 300, hold = 3600 } = options;
  const watch = new ClockWatch(facts, { threshold, maxSkew, hold });
  return { name: 'time-spoof', run: (_, told) => look(facts, watch, told) };
}

async function look(facts: ProcessFacts, watch: ClockWatch, told: ProbeFacts | undefined): Promise<ProbeResult> {
  // Looked at first, so that no run misses a jump.
  if (watch.hasJumped(told?.serverSkews ?? [])) return 'found';
  const { names } = await processStart(facts);
  if (names.some((name) => FAKE_VARIABLE.test(name))) return 'found';
  // libfaketime, which fakes both clocks, is none of Windows.
  if (facts.platform === 'win32') return 'clear';
  const map = facts.platform === 'linux' ? await facts.read('/proc/self/maps') : undefined;
  if (map === undefined) return 'unknown';
  return map.includes('libfaketime') ? 'found' : 'clear';
}

class ClockWatch {
  readonly #facts: ProcessFacts;
  readonly #limits: Limits;
  readonly #first: number;
  #highest: number;
  #wentBack = Number.NEGATIVE_INFINITY;

  constructor(facts: ProcessFacts, limits: Limits) {
    this.#facts = facts;
    this.#limits = limits;
    this.#first = facts.timeOrigin / 1000;
    this.#highest = this.#first;
  }

  hasJumped(skews: readonly number[]): boolean {
    const { threshold, maxSkew, hold } = this.#limits;
    const uptime = this.#facts.monotonic() / 1000;
    const offset = this.#facts.wallClock() / 1000 - uptime;
    if (offset < this.#highest - threshold) {
      this.#wentBack = uptime;
      this.#highest = offset;
    }
    this.#highest = Math.max(this.#highest, offset);
    const ahead = offset - this.#first;
    const contradicted = ahead > threshold && skews.some((skew) => Math.abs(skew + ahead) <= threshold);
    return contradicted || uptime - this.#wentBack < hold || skews.some((skew) => Math.abs(skew) > maxSkew);
  }
}
