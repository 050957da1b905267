import type { TrustDecision } from '../trust/trust-decision.js';

/** Decisions in the order they came, at most `capacity`. Adding costs the same however many there are. */
export class DecisionRing {
  readonly #slots: (TrustDecision | undefined)[] = [];
  #first = 0;
  #size = 0;

  constructor(readonly capacity: number) {}

  get size(): number {
    return this.#size;
  }

  /** Looks at all of them: for people who ask now and then, not for requests. */
  find(id: string): TrustDecision | undefined {
    for (const decision of this.newest()) if (decision.id === id) return decision;
    return undefined;
  }

  /** Adds a decision and returns the oldest one if that had to make room. */
  push(decision: TrustDecision): TrustDecision | undefined {
    const evicted = this.#size === this.capacity ? this.#shift() : undefined;
    this.#slots[(this.#first + this.#size) % this.capacity] = decision;
    this.#size += 1;
    return evicted;
  }

  /** Removes and returns the oldest ones, up to `count`. */
  take(count: number): TrustDecision[] {
    return Array.from({ length: Math.min(count, this.#size) }, () => this.#shift() as TrustDecision);
  }

  /** Newest first. */
  *newest(): Generator<TrustDecision> {
    for (let offset = this.#size - 1; offset >= 0; offset -= 1) {
      yield this.#slots[(this.#first + offset) % this.capacity] as TrustDecision;
    }
  }

  #shift(): TrustDecision | undefined {
    const oldest = this.#slots[this.#first];
    this.#slots[this.#first] = undefined;
    this.#first = (this.#first + 1) % this.capacity;
    this.#size -= 1;
    return oldest;
  }
}
