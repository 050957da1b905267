import { unavailable } from './deadline.js';

/**
 * Bounds how many calls of something are without an answer. A caller that gave up at its deadline leaves the call behind, in
 * the pool or queue of a driver that may have no bound of its own: so a call counts until it is settled, in time or late.
 */
export class OpenCalls {
  readonly #what: string;
  readonly #max: number;
  readonly #onSettled: (outcome: 'ok' | 'error', milliseconds: number) => void;
  #open = 0;

  /**
   * @param what how the log names the calls
   * @param max calls at a time; more are refused at once
   * @param onSettled told of every call, those that are refused included; it does not throw
   */
  constructor(
    what: string,
    max: number,
    onSettled: (outcome: 'ok' | 'error', milliseconds: number) => void = () => undefined,
  ) {
    this.#what = what;
    this.#max = max;
    this.#onSettled = onSettled;
  }

  /** Calls without an answer. */
  get open(): number {
    return this.#open;
  }

  /** Rejects with TabError `store_unavailable` when too many calls are open; then nothing is called. */
  run<T>(call: () => Promise<T>): Promise<T> {
    if (this.#open >= this.#max) {
      this.#onSettled('error', 0);
      return Promise.reject(unavailable(`${this.#what} (${this.#max} calls have no answer)`));
    }
    const began = performance.now();
    const running = started(call);
    const settled = (outcome: 'ok' | 'error'): void => {
      this.#open -= 1;
      this.#onSettled(outcome, performance.now() - began);
    };
    this.#open += 1;
    running.then(
      () => settled('ok'),
      () => settled('error'),
    );
    return running;
  }
}

/** What a store of somebody's own throws, or answers without a promise, is an answer too. */
function started<T>(call: () => Promise<T>): Promise<T> {
  try {
    return Promise.resolve(call());
  } catch (error) {
    return Promise.reject(error);
  }
}
