import type { Probe, ProbeResult } from '../probe.js';

/** Options of the debugger probe. */
export interface DebuggerProbeOptions {
  /**
   * Makes the worker that is stopped; default one from a `blob:` URL, for which a Content-Security-Policy needs
   * `worker-src blob:`. Its script is `DEBUGGER_WORKER`.
   */
  readonly createWorker?: () => Worker;
}

/** The worker's whole script. As text, since minifiers drop the statement that it is about. */
export const DEBUGGER_WORKER = 'onmessage=()=>{postMessage("before");debugger;postMessage("after")}';

/** How long a worker that is not stopped may take from one line to the next: turns of a timer, so that sleep does not count. */
const TURNS = 10;
const TURN_MS = 100;
/** Workers that may fail one after the other; where a policy forbids them, each attempt is reported. */
const MAX_FAILURES = 3;

/**
 * `debugger`: developer tools are open on this page. A worker, not the page, comes to a `debugger` statement; with the tools
 * open it stops there. Where no worker can be made it is `unknown`; after three failures in a row no further one is tried. It does not see tools that have breakpoints switched off,
 * that skip this script, or that are opened later; nor a debugger of the browser itself.
 */
export function debuggerProbe(options: DebuggerProbeOptions = {}): Probe {
  const { createWorker = blobWorker } = options;
  let worker: Worker | undefined;
  let failures = 0;
  return {
    name: 'debugger',
    async run(signal) {
      if (failures >= MAX_FAILURES) return 'unknown';
      // Counted until there is an answer, so that a worker that cannot even be made counts too.
      failures += 1;
      // Kept between runs: an answer then takes less than a millisecond.
      worker ??= createWorker();
      const result = await ask(worker, signal);
      if (result !== 'clear') {
        worker.terminate();
        worker = undefined;
      }
      // A run that was cut short says nothing of the worker.
      if (signal?.aborted === true) failures -= 1;
      else if (result !== 'unknown') failures = 0;
      return result;
    },
  };
}

function blobWorker(): Worker {
  const url = URL.createObjectURL(new Blob([DEBUGGER_WORKER], { type: 'text/javascript' }));
  try {
    return new Worker(url);
  } finally {
    // The worker has its URL resolved already.
    URL.revokeObjectURL(url);
  }
}

function ask(worker: Worker, signal: AbortSignal | undefined): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const listening = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const end = (result: ProbeResult) => {
      clearTimeout(timer);
      listening.abort();
      resolve(result);
    };
    const wait = (turns: number) => {
      timer = setTimeout(() => (turns === 0 ? end('found') : wait(turns - 1)), TURN_MS);
    };
    const on = { signal: listening.signal };
    worker.addEventListener('message', ({ data }) => (data === 'after' ? end('clear') : wait(TURNS)), on);
    worker.addEventListener('error', () => end('unknown'), on);
    signal?.addEventListener('abort', () => end('unknown'), on);
    worker.postMessage('go', []);
  });
}
