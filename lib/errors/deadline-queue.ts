import { AsyncResource } from 'node:async_hooks';

/** A call that has no answer yet. */
export interface Waiting {
  /** When its time is over: milliseconds, by `performance.now()`. */
  readonly due: number;
  readonly expire: () => void;
  isWaiting: boolean;
  before: Waiting | undefined;
  after: Waiting | undefined;
}

/** A timer that is set for the next call must not keep what belongs to the request of the one before. */
const nobody = new AsyncResource('TabDeadlines');

/**
 * Calls that may all take the same time, in the order in which that time will be over. They share one timer, which runs while
 * there are any: setting and clearing one for each call costs more than the call itself where a store answers from memory.
 */
export class DeadlineQueue {
  readonly #timeout: number;
  #first: Waiting | undefined;
  #last: Waiting | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** The call that the timer was set for, until it is answered; the timer then moves on to the next when it is due. */
  #timed: Waiting | undefined;
  /** When the timer is due. */
  #timerDue = 0;

  /** @param timeout milliseconds */
  constructor(timeout: number) {
    this.#timeout = timeout;
  }

  /** Calls `expire` once the time is over, unless the call is removed before. */
  add(expire: () => void): Waiting {
    const now = performance.now();
    const due = now + this.#timeout;
    const waiting: Waiting = { due, expire, isWaiting: true, before: this.#last, after: undefined };
    if (this.#last === undefined) this.#first = waiting;
    else this.#last.after = waiting;
    this.#last = waiting;
    if (this.#timer === undefined) this.#setTimer(waiting, this.#timeout, now);
    // Nothing is that late but a timer of a clock that has been put away, as tests do, which would never come.
    else if (now - this.#timerDue > this.#timeout && this.#first !== undefined) this.#setTimer(this.#first, 1, now);
    return waiting;
  }

  /** For a call that was answered; again, or when its time is over, this does nothing. */
  remove(waiting: Waiting): void {
    if (!waiting.isWaiting) return;
    waiting.isWaiting = false;
    const { before, after } = waiting;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    // What still refers to a call that is over must not keep all that came after it.
    waiting.before = waiting.after = undefined;
    if (this.#timed === waiting) this.#timed = undefined;
    if (this.#first === undefined) this.#clearTimer();
  }

  #setTimer(waiting: Waiting, delay: number, now: number): void {
    clearTimeout(this.#timer);
    this.#timed = waiting;
    this.#timerDue = now + delay;
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
    if (next === undefined || this.#timer !== undefined) return;
    const delay = Math.max(1, Math.ceil(next.due - now));
    nobody.runInAsyncScope(() => this.#setTimer(next, delay, now));
  }
}
