import { callStore } from '../bindings/store-call.js';
import type { TrustDecision } from '../trust/trust-decision.js';
import { DecisionRing } from './decision-ring.js';
import type { DecisionStore } from './decision-store.js';
import { nameOf, type QuietLog } from './quiet-log.js';

/** Records given to the store at once. */
const BATCH = 200;
/** How often a batch is tried before it is given up: about three minutes, with the pauses below. */
const ATTEMPTS = 10;
/** Pause after the first failure, in milliseconds; it doubles up to the longest. */
const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 30_000;

/** Settings of a `DecisionWriter`. */
export interface DecisionWriterSettings {
  /** Records that wait at most; beyond that the oldest are dropped. */
  readonly queueSize: number;
  /** Milliseconds between a record and its way to the store. */
  readonly flushInterval: number;
  /** Milliseconds after which a store that does not answer has failed. */
  readonly storeTimeout: number;
  readonly log: QuietLog;
}

/** Brings records to a store in the background, in batches. Adding one never waits for anything, and never fails. */
export class DecisionWriter {
  readonly #settings: DecisionWriterSettings;
  readonly #queue: DecisionRing;
  #store: DecisionStore | undefined;
  /** On its way to the store, until that has it. */
  #batch: readonly TrustDecision[] = [];
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #closed = false;
  /** When to stop at shutdown, by `performance.now()`. */
  #deadline = Number.POSITIVE_INFINITY;
  #dropped = 0;
  #unreported = 0;

  constructor(settings: DecisionWriterSettings) {
    this.#settings = settings;
    this.#queue = new DecisionRing(settings.queueSize);
  }

  /** Records that never reached the store. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Takes the store into use; until then records wait. */
  use(store: DecisionStore): void {
    this.#store = store;
    if (this.#queue.size > 0) this.#schedule(this.#settings.flushInterval);
  }

  /** Adds a record. */
  add(decision: TrustDecision): void {
    if (this.#closed) return this.#drop(1);
    if (this.#queue.push(decision) !== undefined) this.#drop(1);
    this.#schedule(this.#settings.flushInterval);
  }

  /** A record that waits. */
  find(id: string): TrustDecision | undefined {
    return this.#queue.find(id) ?? this.#batch.find((decision) => decision.id === id);
  }

  /** Tries now to bring everything to the store. Never rejects: what fails stays and is tried again. */
  flush(): Promise<void> {
    return this.#running ?? (this.#closed ? Promise.resolve() : this.#run());
  }

  /** Brings what waits to the store, tries nothing twice, and drops what is left. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#deadline = performance.now() + this.#settings.storeTimeout;
    await this.#running;
    await this.#run();
    this.#drop(this.#batch.length + this.#queue.size);
    this.#batch = [];
    this.#queue.take(this.#queue.size);
  }

  /** One at a time. */
  #run(): Promise<void> {
    this.#running = this.#drain().finally(() => {
      this.#running = undefined;
      this.#scheduleRest();
    });
    return this.#running;
  }

  async #drain(): Promise<void> {
    // What comes in meanwhile is for the next time, so that whoever waits does not wait for ever under a flood.
    let batches = Math.ceil(this.#queue.size / BATCH) + 1;
    while (this.#store !== undefined && performance.now() < this.#deadline && batches > 0 && this.#nextBatch()) {
      batches -= 1;
      if (!(await this.#write(this.#store))) return;
      // Lets requests in between two batches: a store may be synchronous behind its promise.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #nextBatch(): boolean {
    if (this.#batch.length === 0) this.#batch = this.#queue.take(BATCH);
    return this.#batch.length > 0;
  }

  async #write(store: DecisionStore): Promise<boolean> {
    try {
      await callStore('decision store', this.#settings.storeTimeout, () => store.record(this.#batch));
    } catch (error) {
      this.#fail(error);
      return false;
    }
    this.#batch = [];
    this.#failures = 0;
    return true;
  }

  /** A batch that fails for ever must not keep all later ones from the store. */
  #fail(error: unknown): void {
    this.#failures += 1;
    const waiting = this.#batch.length + this.#queue.size;
    this.#settings.log.warn('store', () => `the decision store failed (${nameOf(error)}); ${waiting} records wait`);
    if (this.#failures < ATTEMPTS) return;
    this.#failures = 0;
    this.#drop(this.#batch.length);
    this.#batch = [];
  }

  #drop(count: number): void {
    if (count === 0) return;
    this.#dropped += count;
    this.#unreported += count;
    const report = (): string => `${this.#unreported} decision records never reached the store`;
    if (this.#settings.log.warn('dropped', report)) this.#unreported = 0;
  }

  #scheduleRest(): void {
    if (this.#batch.length + this.#queue.size === 0) return;
    const pause = Math.min(FIRST_PAUSE * 2 ** (this.#failures - 1), LONGEST_PAUSE);
    this.#schedule(this.#failures === 0 ? this.#settings.flushInterval : pause);
  }

  #schedule(delay: number): void {
    if (this.#closed || this.#store === undefined || this.#timer !== undefined || this.#running !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.flush();
    }, delay);
    this.#timer.unref();
  }
}
