/** `promise`, given up when `signal` fires; the work behind it goes on for its other callers. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise<T>((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

/** Resolves after `ms` milliseconds, or rejects when `signal` fires. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const elapsed = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  return abortable(elapsed, signal).finally(() => clearTimeout(timer));
}

/** Runs `work` under a signal that fires after `ms` milliseconds or with `parent`. */
export async function limited<T>(
  ms: number,
  parent: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const stop = () => controller.abort(parent.reason);
  const timer = setTimeout(() => controller.abort(new Error(`No result within ${ms} ms`)), ms);
  parent.addEventListener('abort', stop, { once: true });
  if (parent.aborted) stop();
  try {
    return await abortable(work(controller.signal), controller.signal);
  } finally {
    clearTimeout(timer);
    parent.removeEventListener('abort', stop);
  }
}

/** Runs something of the application's, such as a listener; its failure, also a later one, is its own. */
export function quietly(work: () => unknown): void {
  (async () => work())().catch(() => undefined);
}
