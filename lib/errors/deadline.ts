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
 * @throws TabError `store_unavailable` when there is no answer in time
 */
export async function withDeadline<T>(what: string, timeout: number, work: () => Promise<T> | T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(unavailable(`${what} (no answer within ${timeout} ms)`)), timeout);
  });
  try {
    return await Promise.race([work(), deadline]);
  } finally {
    clearTimeout(timer);
  }
}
