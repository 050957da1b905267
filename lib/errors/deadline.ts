import { TabError } from './tab-error.js';

/** Seconds that a client is asked to wait after a store failed. */
const RETRY_AFTER = 2;

/** What failed on our side, for the log; the client may try again. */
export function unavailable(what: string, cause?: unknown): TabError {
  return new TabError('store_unavailable', `${what} failed`, { cause, hints: { retryAfter: RETRY_AFTER } });
}

/**
 * Waits for work that others do, for a bounded time. Its own failures pass through as they are.
 *
 * @param what how the log names the work
 * @param timeout milliseconds
 * @param failure turns a failure of the work into what is thrown
 * @throws TabError `store_unavailable` when there is no answer in time
 */
export function withDeadline<T>(
  what: string,
  timeout: number,
  work: () => Promise<T> | T,
  failure: (error: unknown) => unknown = sameFailure,
): Promise<T> {
  // Written without `Promise.race`, `async` and `catch`: this is on the way of every request, twice.
  return new Promise<T>((resolve, reject) => {
    let running: Promise<T> | T;
    try {
      running = work();
    } catch (error) {
      return reject(failure(error));
    }
    if (!isThenable(running)) return resolve(running);
    const timer = setTimeout(() => reject(unavailable(`${what} (no answer within ${timeout} ms)`)), timeout);
    running.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(failure(error));
      },
    );
  });
}

function sameFailure(error: unknown): unknown {
  return error;
}

function isThenable<T>(value: Promise<T> | T): value is Promise<T> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
