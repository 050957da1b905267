import { push, type PushOutcome } from './push.js';
import { signEvent, type OutgoingEvent } from './set-signer.js';
import type { TransmitterSettings } from './transmitter-settings.js';

/** What became of the events for one receiver. */
export interface DeliveryCounts {
  /** Host of the receiver. */
  readonly host: string;
  /** Waiting, the one under way included. */
  readonly queued: number;
  readonly delivered: number;
  /** Refused by the receiver, or not delivered in any attempt. */
  readonly failed: number;
  /** Given up because the queue was full or the process ended. */
  readonly dropped: number;
}

/** Events for one receiver, delivered one after the other in their order. Bounded: a receiver that is down costs no more memory than that. */
export class DeliveryQueue {
  readonly #receiver: TransmitterSettings['receivers'][number];
  readonly #settings: TransmitterSettings;
  readonly #warn: (message: string) => void;
  readonly #waiting: OutgoingEvent[] = [];
  readonly #abort = new AbortController();
  #running: Promise<void> | undefined;
  #wake: () => void = () => undefined;
  #closing = false;
  #underWay: 0 | 1 = 0;
  #counts = { delivered: 0, failed: 0, dropped: 0 };
  /** Whether the queue has been full since it was last empty, so that a flood is told once. */
  #toldFull = false;

  constructor(
    receiver: TransmitterSettings['receivers'][number],
    settings: TransmitterSettings,
    warn: (message: string) => void,
  ) {
    this.#receiver = receiver;
    this.#settings = settings;
    this.#warn = warn;
  }

  get counts(): DeliveryCounts {
    return { host: this.#receiver.host, queued: this.#waiting.length + this.#underWay, ...this.#counts };
  }

  /** Takes an event; never waits, never throws. */
  push(event: OutgoingEvent): void {
    if (this.#closing) return this.#drop(1);
    this.#waiting.push(event);
    if (this.#waiting.length > this.#settings.queueLimit) this.#dropOldest();
    this.#running ??= this.#run();
  }

  /** Delivers what waits, each in one more attempt, and gives the rest up when the deadline has passed. */
  async close(deadline: Promise<void>): Promise<void> {
    this.#closing = true;
    this.#wake();
    await Promise.race([this.#running, deadline]);
    this.#abort.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    // Begins after the caller has gone on: delivering is no part of any request.
    await Promise.resolve();
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if (this.#abort.signal.aborted) {
        this.#drop(1 + this.#waiting.splice(0).length);
        break;
      }
      this.#underWay = 1;
      await this.#deliver(next);
      this.#underWay = 0;
    }
    this.#toldFull = false;
    this.#running = undefined;
  }

  async #deliver(event: OutgoingEvent): Promise<void> {
    let jwt: string;
    try {
      jwt = await signEvent(event, this.#settings);
    } catch (error) {
      return this.#fail(event, `not signed: ${error instanceof Error ? error.name : 'unknown error'}`);
    }
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await push(jwt, this.#receiver, this.#settings, this.#abort.signal);
      if (outcome.kind === 'delivered') {
        this.#counts.delivered += 1;
        return;
      }
      if (outcome.kind === 'refused') return this.#fail(event, outcome.detail);
      if (this.#closing || attempt >= this.#settings.attempts)
        return this.#fail(event, `${outcome.detail}, attempt ${attempt}`);
      await this.#pause(this.#delayOf(attempt, outcome));
    }
  }

  /** Doubled each time, within the limit, less up to half of it at random; longer where the receiver asks for it. */
  #delayOf(attempt: number, outcome: Extract<PushOutcome, { kind: 'unreached' }>): number {
    const { baseDelay, maxDelay, random } = this.#settings;
    const delay = Math.min(maxDelay, baseDelay * 2 ** (attempt - 1)) * (1 - random() / 2);
    return Math.round(Math.min(maxDelay, Math.max(delay, outcome.retryAfter ?? 0)));
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#settings.after(milliseconds, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }

  #dropOldest(): void {
    this.#waiting.shift();
    this.#counts.dropped += 1;
    if (this.#toldFull) return;
    this.#toldFull = true;
    this.#warn(`signals for ${this.#receiver.host} are dropped: ${this.#settings.queueLimit} wait already`);
  }

  #drop(count: number): void {
    this.#counts.dropped += count;
    this.#warn(`signals for ${this.#receiver.host} dropped, as the process is ending: ${count}`);
  }

  #fail({ claims }: OutgoingEvent, detail: string): void {
    this.#counts.failed += 1;
    this.#warn(`signal ${claims.jti} for ${this.#receiver.host} not delivered: ${detail}`);
  }
}
