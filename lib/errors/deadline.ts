import { DeadlineQueue } from './deadline-queue.js';
import { TabError } from './tab-error.js';
import { isThenable } from './thenable.js';

/** Seconds that a client is asked to wait after a store failed. */
const RETRY_AFTER = 2;

/** What failed on our side, for the log; the client may try again. */
export function unavailable(what: string, cause?: unknown): TabError {
  return new TabError('store_unavailable', `${what} failed`, { cause, hints: { retryAfter: RETRY_AFTER } });
}

/** A queue for each time. Few: times come from settings. */
const queues = new Map<number, DeadlineQueue>();

function queueOf(timeout: number): DeadlineQueue {
  let queue = queues.get(timeout);
  if (queue === undefined) queues.set(timeout, (queue = new DeadlineQueue(timeout)));
  return queue;
}

/**
 * Waits for work that others do, for a bounded time. Its own failures pass through as they are.
 *
 * @param what how the log names the work
 * @param timeout milliseconds; one of few
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
    const queue = queueOf(timeout);
    const waiting = queue.add(() => reject(unavailable(`${what} (no answer within ${timeout} ms)`)));
    // What is a promise stays itself; what only has a `then` may throw there.
    Promise.resolve(running).then(
      (value) => {
        queue.remove(waiting);
        resolve(value);
      },
      (error: unknown) => {
        queue.remove(waiting);
        reject(failure(error));
      },
    );
  });
}

function sameFailure(error: unknown): unknown {
  return error;
}
