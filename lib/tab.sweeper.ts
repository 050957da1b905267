import { Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { callStore } from './bindings/store-call.js';
import { secondsOf } from './token/clock.js';
import type { TabDecisions } from './telemetry/tab-decisions.js';
import type { TabRuntime } from './tab-runtime.js';

/** Rows removed by one statement: few, so that no statement holds locks for long. */
const BATCH = 500;
/** Batches in one sweep: a million rows, more than can expire between two sweeps. */
const MAX_BATCHES = 2000;
/** Milliseconds that one batch may take. */
const SWEEP_TIMEOUT = 10_000;
/** Seconds for which ended sessions are kept, for operators. */
const SESSIONS_KEPT = 7 * 24 * 3600;
/** Seconds after which an unattested instance without a session is deleted (PROTOCOL section 5). */
const UNATTESTED_KEPT = 24 * 3600;
/** Seconds for which breaches are kept, for operators. */
const BREACHES_KEPT = 90 * 24 * 3600;

/** Removes in the background what has expired, in small batches; stops at shutdown. */
export class TabSweeper implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #runtime: TabRuntime;
  readonly #decisions: Pick<TabDecisions, 'sweep'>;
  readonly #logger = new Logger('TabSweeper');
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(runtime: TabRuntime, decisions: Pick<TabDecisions, 'sweep'>) {
    this.#runtime = runtime;
    this.#decisions = decisions;
  }

  onApplicationBootstrap(): void {
    if (this.#runtime.sweepInterval === 0) return;
    this.#timer = setInterval(() => void this.sweep(), this.#runtime.sweepInterval);
    this.#timer.unref();
  }

  /** Waits for a sweep under way, so that the stores can be closed after it. */
  async onModuleDestroy(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#running;
  }

  /** Sweeps once; one at a time. A failure is logged and left to the next sweep. */
  sweep(): Promise<void> {
    this.#running ??= this.#sweepAll()
      .catch((error: unknown) =>
        this.#logger.warn(`sweep failed: ${error instanceof Error ? error.name : 'unknown error'}`),
      )
      .finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #sweepAll(): Promise<void> {
    const { nonces, bindings } = this.#runtime;
    const now = secondsOf(this.#runtime.clock);
    const what = {
      sessionsBefore: now - SESSIONS_KEPT,
      unattestedBefore: now - UNATTESTED_KEPT,
      breachesBefore: now - BREACHES_KEPT,
      limit: BATCH,
    };
    // One that fails keeps none of the others from theirs.
    const outcomes = [
      await settled(this.#inBatches(() => nonces.sweep(now, BATCH))),
      await settled(this.#inBatches(() => bindings.sweep(what))),
      await settled(this.#inBatches(() => this.#decisions.sweep(BATCH))),
    ];
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }

  async #inBatches(sweep: () => Promise<number>): Promise<void> {
    for (let batch = 0; batch < MAX_BATCHES && !this.#stopped; batch += 1) {
      // A store that hangs must hold up neither the sweeps after this one nor the shutdown.
      if ((await callStore('sweep', SWEEP_TIMEOUT, sweep)) < BATCH) return;
    }
  }
}

async function settled(work: Promise<void>): Promise<PromiseSettledResult<void>> {
  const [outcome] = await Promise.allSettled([work]);
  return outcome;
}
