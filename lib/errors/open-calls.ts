import { unavailable } from './deadline.js';

/**
 * Bounds how many calls of something are without an answer. A caller that gave up at its deadline leaves the call behind, in
 * the pool or queue of a driver that may have no bound of its own: so a call counts until it is settled, in time or late.
 */
export class OpenCalls {
  readonly #what: string;
  readonly #max: number;
  #open = 0;

  /**
   * @param what how the log names the calls
   * @param max calls at a time; more are refused at once
   */
  constructor(what: string, max: number) {
    this.#what = what;
    this.#max = max;
  }

  /** Calls without an answer. */
  get open(): number {
    return this.#open;
  }

  /** Rejects with TabError `store_unavailable` when too many calls are open; then nothing is called. */
  run<T>(call: () => Promise<T>): Promise<T> {
    if (this.#open >= this.#max)
      return Promise.reject(unavailable(`${this.#what} (${this.#max} calls have no answer)`));
    const running = started(call);
    const settled = (): void => void (this.#open -= 1);
    this.#open += 1;
    running.then(settled, settled);
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
