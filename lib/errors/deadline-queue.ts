/** A call that has no answer yet. */
export interface Waiting {
  /** When its time is over: milliseconds, by `performance.now()`. */
  readonly due: number;
  readonly expire: () => void;
  before: Waiting | undefined;
  after: Waiting | undefined;
}

/**
 * Calls that may all take the same time, in the order in which that time will be over. They share one timer, which runs while
 * there are any: setting and clearing one for each call costs more than the call itself where a store answers from memory.
 */
export class DeadlineQueue {
  readonly #timeout: number;
  #first: Waiting | undefined;
  #last: Waiting | undefined;
  /** The call that the timer was set for. It may have been answered since; the timer then moves on to the next. */
  #timed: Waiting | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param timeout milliseconds */
  constructor(timeout: number) {
    this.#timeout = timeout;
  }

  /** Calls `expire` once the time is over, unless the call is removed before. */
  add(expire: () => void): Waiting {
    const waiting: Waiting = { due: performance.now() + this.#timeout, expire, before: this.#last, after: undefined };
    if (this.#last === undefined) this.#first = waiting;
    else this.#last.after = waiting;
    this.#last = waiting;
    if (this.#timer === undefined) this.#setTimer(waiting, this.#timeout);
    return waiting;
  }

  /** For a call that was answered. Each is removed once. */
  remove(waiting: Waiting): void {
    const { before, after } = waiting;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    if (this.#first === undefined) this.#clearTimer();
  }

  #setTimer(waiting: Waiting, delay: number): void {
    this.#timed = waiting;
    this.#timer = setTimeout(() => this.#expire(), delay);
  }

  #clearTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = this.#timed = undefined;
  }

  #expire(): void {
    const timed = this.#timed;
    const now = performance.now();
    this.#clearTimer();
    // The timer itself says that the time of its own call is over, whatever another clock reads.
    for (let each = this.#first; each !== undefined && (each === timed || each.due <= now); each = this.#first) {
      this.remove(each);
      each.expire();
    }
    const next = this.#first;
    if (next !== undefined && this.#timer === undefined) this.#setTimer(next, Math.max(1, Math.ceil(next.due - now)));
  }
}
