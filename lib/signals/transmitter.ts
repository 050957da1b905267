import type { JSONWebKeySet } from 'jose';
import type { Observable, Subscription } from 'rxjs';
import { DeliveryQueue, type DeliveryCounts } from './delivery-queue.js';
import { outgoingEvent } from './set-signer.js';
import type { SignalTransmitterOptions } from './signals.types.js';
import { publicJwks, readTransmitterOptions, type TransmitterSettings } from './transmitter-settings.js';
import type { TrustBreak } from './trust-break.js';

/**
 * Tells other services when trust breaks here: CAEP 1.0 events as Security Event Tokens, pushed by RFC 8935. Delivery is
 * tried again after network errors and 5xx, and what waits is kept in memory only: what a receiver must not miss after a
 * crash it has to ask for.
 */
export class SignalTransmitter {
  readonly #settings: TransmitterSettings;
  readonly #queues: readonly DeliveryQueue[];
  readonly #subscriptions: Subscription[] = [];
  #closed: Promise<void> | undefined;

  /**
   * @param warn told about events that were not delivered; never about what is in them
   * @throws TabConfigError when the options cannot work
   */
  constructor(options: SignalTransmitterOptions, warn: (message: string) => void = () => undefined) {
    this.#settings = readTransmitterOptions(options);
    this.#queues = this.#settings.receivers.map((receiver) => new DeliveryQueue(receiver, this.#settings, warn));
  }

  /** The public key set, for receivers that are configured with it. */
  get jwks(): JSONWebKeySet {
    return publicJwks(this.#settings);
  }

  /** What became of the events, by receiver. */
  get counts(): readonly DeliveryCounts[] {
    return this.#queues.map((queue) => queue.counts);
  }

  /** Tells every receiver. Returns at once and never throws. */
  emit(trustBreak: TrustBreak): void {
    this.#settings.receivers.forEach(({ audience }, index) => {
      const event = outgoingEvent(trustBreak, this.#settings.iss, audience, this.#settings.clock());
      this.#queues[index]?.push(event);
    });
  }

  /** Tells every receiver of each break, until `close`; see `trustBreaks`. */
  follow(breaks: Observable<TrustBreak>): void {
    this.#subscriptions.push(breaks.subscribe((trustBreak) => this.emit(trustBreak)));
  }

  /** Stops taking breaks and delivers what waits, for at most `flushTimeout`. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    let cancel = () => {};
    const deadline = new Promise<void>((resolve) => {
      cancel = this.#settings.after(this.#settings.flushTimeout, resolve);
    });
    await Promise.all(this.#queues.map((queue) => queue.close(deadline)));
    cancel();
  }
}
