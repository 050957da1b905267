import { Logger } from '@nestjs/common';
import { Subject, type Observable } from 'rxjs';
import { callStore } from '../bindings/store-call.js';
import { TabConfigError } from '../errors/tab-error.js';
import type { ProviderLookup } from '../stores/stores.types.js';
import type { TrustDecision } from '../trust/trust-decision.js';
import type { DecisionStore, DecisionStoreFactory, RecentQuery } from './decision-store.js';
import { SUMMARY_KEYS, type DecisionSummary, type SummaryKey } from './decision-summary.js';
import { DecisionWriter } from './decision-writer.js';
import { MemoryDecisionStore } from './memory-decision-store.js';
import { measureDecision } from './metrics.js';
import { nameOf, QuietLog } from './quiet-log.js';
import { redactDecision, type DecisionRedaction } from './redaction.js';

/** Settings of `TabDecisions`. */
export interface TabDecisionsOptions {
  /** Where records are kept. Default `new MemoryDecisionStore()`: the last 10,000 of this process. */
  readonly store?: DecisionStore | DecisionStoreFactory;
  /** Takes out what operators must not see, before a record goes anywhere. Default none. */
  readonly redact?: DecisionRedaction;
  /** Records that wait for the store at most; beyond that the oldest are dropped. Default 10,000. */
  readonly queueSize?: number;
  /** Milliseconds between a decision and its way to the store. Default 100. */
  readonly flushInterval?: number;
  /** Milliseconds after which a store that does not answer has failed. Default 5000. */
  readonly storeTimeout?: number;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: () => number;
  /** Writes warnings, each kind at most once a minute. Default the Nest logger. */
  readonly warn?: (message: string) => void;
}

/** The record of what was decided, for operators: as a stream, by id, as a list, and as a report. */
export class TabDecisions {
  readonly #subject = new Subject<TrustDecision>();
  readonly #made = new Subject<TrustDecision>();
  readonly #redact: DecisionRedaction | undefined;
  readonly #origin: DecisionStore | DecisionStoreFactory;
  readonly #writer: DecisionWriter;
  readonly #log: QuietLog;
  readonly #clock: () => number;
  readonly #storeTimeout: number;
  #store: DecisionStore | undefined;

  /** Every decision as it is made on this node. A subscriber that throws ends the process, as everywhere in RxJS. */
  readonly stream: Observable<TrustDecision> = this.#subject.asObservable();

  /**
   * Every decision before redaction: for what acts on decisions, such as events to other services. Redaction is for what
   * operators see; it must not keep a breach from being acted on.
   */
  readonly made: Observable<TrustDecision> = this.#made.asObservable();

  /** @throws TabConfigError that says what to write instead */
  constructor(options: TabDecisionsOptions = {}) {
    const { store = new MemoryDecisionStore(), redact, queueSize = 10_000, flushInterval = 100 } = options;
    const { storeTimeout = 5000, clock = Date.now, warn = warnWithNest } = options;
    if (redact !== undefined && typeof redact !== 'function')
      throw new TabConfigError('decisions.redact: write a function that takes a decision and returns one');
    if (!Number.isSafeInteger(queueSize) || queueSize < 1)
      throw new TabConfigError('decisions.queueSize: write a positive integer');
    this.#redact = redact;
    this.#origin = store;
    this.#clock = clock;
    this.#storeTimeout = storeTimeout;
    this.#log = new QuietLog(warn, clock);
    this.#writer = new DecisionWriter({ queueSize, flushInterval, storeTimeout, log: this.#log });
    if (!isFactory(store)) this.#use(store);
  }

  /**
   * Takes the store into use, where it needs providers of the application. Called once, when the module initialises.
   *
   * @throws TabConfigError when the store cannot work
   */
  async start(lookup: ProviderLookup): Promise<void> {
    if (isFactory(this.#origin)) this.#use(await this.#origin.create(lookup));
  }

  /** Records that never reached the store: it failed for too long, or too many waited. */
  get dropped(): number {
    return this.#writer.dropped;
  }

  /** Records a decision. Never throws and never waits: no request is kept up or refused for the sake of its record. */
  record(decision: TrustDecision): void {
    this.#made.next(decision);
    const record = redactDecision(decision, this.#redact, (error) =>
      this.#log.warn(
        'redact',
        () => `decisions.redact failed (${nameOf(error)}); records are cut down to their outcome`,
      ),
    );
    try {
      measureDecision(record);
    } catch (error) {
      this.#log.warn('metrics', () => `metrics of a decision failed (${nameOf(error)})`);
    }
    this.#writer.add(record);
    this.#subject.next(record);
  }

  /**
   * The decision with this id, while it is kept.
   *
   * @throws TabError `store_unavailable`
   */
  async find(id: string): Promise<TrustDecision | undefined> {
    return this.#writer.find(id) ?? this.#ask((store) => store.find(id));
  }

  /**
   * The latest decisions, newest first.
   *
   * @param query `limit` is 100 by default and 1000 at most
   * @throws TabError `store_unavailable`
   */
  async recent(query: { readonly since?: Date | number; readonly limit?: number } = {}): Promise<TrustDecision[]> {
    const { since, limit } = query;
    const asked: RecentQuery = {
      ...(since !== undefined && { since: timeOf(since) }),
      ...(limit !== undefined && { limit }),
    };
    await this.#writer.flush();
    return this.#ask((store) => store.recent(asked));
  }

  /**
   * A report on the decisions since a time, for a roll-out: who would be refused, and why?
   *
   * @throws TypeError when the query makes no sense; TabError `store_unavailable`
   */
  async summary(query: { readonly since: Date | number; readonly by: SummaryKey }): Promise<DecisionSummary> {
    const since = timeOf(query.since);
    const { by } = query;
    if (!SUMMARY_KEYS.includes(by)) throw new TypeError(`summary: write by: one of ${SUMMARY_KEYS.join(', ')}`);
    await this.#writer.flush();
    const { categories, rows } = await this.#ask((store) => store.summarize({ since, by }));
    const total = Object.values(categories).reduce((sum, count) => sum + count, 0);
    return { since, by, total, categories, rows };
  }

  /** Brings what waits to the store now. Never rejects: what fails is tried again. */
  flush(): Promise<void> {
    return this.#writer.flush();
  }

  /** Removes up to `limit` records that are older than the store keeps them, and returns how many went. */
  async sweep(limit: number): Promise<number> {
    const keepFor = this.#store?.keepFor;
    if (this.#store === undefined || keepFor === undefined) return 0;
    return this.#store.sweep(this.#clock() - keepFor * 1000, limit);
  }

  /** Brings the last records to the store and ends the stream, at shutdown. */
  async close(): Promise<void> {
    await this.#writer.close();
    this.#made.complete();
    this.#subject.complete();
  }

  #use(store: DecisionStore): void {
    if (typeof store?.record !== 'function' || typeof store.summarize !== 'function')
      throw new TabConfigError(
        'decisions.store: write new MemoryDecisionStore(), typeOrmDecisions(), or a DecisionStore',
      );
    this.#store = store;
    this.#writer.use(store);
  }

  #ask<T>(question: (store: DecisionStore) => Promise<T>): Promise<T> {
    const store = this.#store;
    if (store === undefined) return Promise.reject(new Error('TabModule has not initialised yet'));
    return callStore('decision store', this.#storeTimeout, () => question(store));
  }
}

function warnWithNest(message: string): void {
  new Logger('TabDecisions').warn(message);
}

function isFactory(store: DecisionStore | DecisionStoreFactory): store is DecisionStoreFactory {
  return typeof store === 'object' && store !== null && 'create' in store && typeof store.create === 'function';
}

/** Whole milliseconds, so that every store can compare them. */
function timeOf(since: Date | number): number {
  const time = Math.ceil(Number(since));
  if (!Number.isSafeInteger(time)) throw new TypeError('since: write a Date, or milliseconds since the epoch');
  return time;
}
