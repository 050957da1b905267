import type { EvidenceMeter } from './evidence.js';
import { quietly } from './waiting.js';

/** Timers of the platform, or a test's own. */
export interface DefenderTimers {
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

/** Registers `trigger` for events after which the runtime should be looked at again. @returns a function that ends it */
export type RemeasureOn = (trigger: () => void) => () => void;

/** What the schedule needs. */
export interface ScheduleOptions {
  readonly meter: EvidenceMeter;
  readonly timers: DefenderTimers;
  /** False: neither time nor events make it measure. */
  readonly enabled: boolean;
  readonly remeasureOn?: RemeasureOn;
}

/** Half ages without a request after which the schedule rests: five times the greatest age. */
const IDLE_TURNS = 10;
/** Milliseconds between two runs at least, however young the evidence must be. */
const MIN_INTERVAL = 1_000;

/**
 * Measures ahead of need: at half the age that evidence may reach, so that requests find it young enough and do not wait,
 * and on events. Rests when nothing is sent; the next request wakes it. Without it, or while it rests, evidence is
 * measured when a token needs it.
 */
export class EvidenceSchedule {
  readonly #options: ScheduleOptions;
  readonly #unsubscribe?: () => void;
  #timer?: unknown;
  #isAwake = false;
  #isStopped = false;
  #turns = 0;

  constructor(options: ScheduleOptions) {
    this.#options = options;
    if (options.enabled) this.#unsubscribe = options.remeasureOn?.(() => this.#trigger());
  }

  /** The Defender is in use. */
  touch(): void {
    this.#turns = 0;
    if (this.#isAwake || this.#isStopped || !this.#options.enabled) return;
    this.#isAwake = true;
    this.#arm();
  }

  /** Measures no more. */
  stop(): void {
    this.#isStopped = true;
    this.#rest();
    const { timers } = this.#options;
    if (this.#timer !== undefined) timers.clearTimeout(this.#timer);
    quietly(() => this.#unsubscribe?.());
  }

  #arm(): void {
    const { meter, timers } = this.#options;
    // Evidence measured for each token cannot be measured ahead.
    if (meter.maxAge === 0) return;
    this.#timer = timers.setTimeout(() => this.#turn(), Math.max(MIN_INTERVAL, meter.maxAge * 500));
    // A process must be able to end: Node's timers say how, those of browsers need not.
    (this.#timer as { unref?: () => void } | undefined)?.unref?.();
  }

  #turn(): void {
    this.#turns += 1;
    if (this.#isStopped || this.#turns > IDLE_TURNS) return this.#rest();
    quietly(async () => {
      await this.#options.meter.fresh().catch(() => undefined);
      if (!this.#isStopped) this.#arm();
    });
  }

  #rest(): void {
    this.#isAwake = false;
  }

  #trigger(): void {
    const { meter } = this.#options;
    // Also while it rests: the next request must not use what was measured before the event.
    meter.invalidate();
    if (this.#isAwake && !this.#isStopped && meter.maxAge > 0) quietly(() => meter.fresh());
  }
}
