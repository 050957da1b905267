import { EvidenceMeter } from '../../evidence.js';
import { PROBE_NAME, type Probe, type ProbeReport } from '../../probe.js';

/** What the worker sends to a page that it wants measured, with a port for the answer. */
export interface MeasureMessage {
  readonly type: 'tab-measure';
  /** As `ProbeFacts.serverSkews`. */
  readonly serverSkews: readonly number[];
}

/** What the page answers. */
export interface PageReport {
  readonly found: readonly string[];
  readonly clear: readonly string[];
  /** When the probes ran, in seconds since the epoch. */
  readonly at: number;
}

/** Seconds that a report may be old, or ahead of the worker's clock. */
const MAX_AGE = 5;
const MAX_NAMES = 64;

/** Options of the page's side. */
export interface ReportOptions {
  /** Milliseconds that one probe may take; default 2,000. The worker waits as long as its own `probeTimeout`. */
  readonly probeTimeout?: number;
}

/**
 * On a page: runs `probes` whenever the page's service worker asks, and tells it the result. A worker cannot see the page, so it
 * takes the page's word; a script that is in the page can lie about it, as it could about everything else there.
 * @returns ends it; from then on nothing of this page is checked
 */
export function reportToWorker(probes: readonly Probe[], options: ReportOptions = {}): () => void {
  const container = navigator.serviceWorker;
  const listening = new AbortController();
  let serverSkews: readonly number[] = [];
  const now = () => Math.floor(Date.now() / 1000);
  const facts = () => ({ serverSkews });
  const meter = new EvidenceMeter({ probes, maxAge: 0, timeout: options.probeTimeout ?? 2_000, now, facts });
  const answer = (event: MessageEvent) => {
    const [port] = event.ports;
    // Only the worker that answers for this page's requests; messages of other workers of the origin are not for this.
    if (!port || event.source !== container.controller || !isMeasureMessage(event.data)) return;
    serverSkews = event.data.serverSkews;
    void meter.fresh().then(({ found, clear, at }) => port.postMessage({ found, clear, at } satisfies PageReport));
  };
  container.addEventListener('message', answer, { signal: listening.signal });
  container.startMessages();
  return () => listening.abort();
}

/** In a worker: the answer of a page to one question, on a port that only that page has. */
export function askPage(
  post: (message: MeasureMessage, port: MessagePort) => void,
  serverSkews: readonly number[],
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const { port1, port2 } = new MessageChannel();
  return new Promise<unknown>((resolve) => {
    port1.addEventListener('message', ({ data }) => resolve(data));
    signal?.addEventListener('abort', () => resolve(undefined), { once: true });
    port1.start();
    post({ type: 'tab-measure', serverSkews }, port2);
  }).finally(() => port1.close());
}

/** What may be believed of `value`: nothing, unless it is a report of just now. */
export function readReport(value: unknown, now: number): ProbeReport {
  if (typeof value !== 'object' || value === null) return {};
  const { found, clear, at } = value as Partial<PageReport>;
  const timely = typeof at === 'number' && Math.abs(now - at) <= MAX_AGE;
  return timely && isNames(found) && isNames(clear) ? { found, clear } : {};
}

function isMeasureMessage(value: unknown): value is MeasureMessage {
  if (typeof value !== 'object' || value === null) return false;
  const { type, serverSkews } = value as Partial<MeasureMessage>;
  return type === 'tab-measure' && Array.isArray(serverSkews) && serverSkews.every(Number.isFinite);
}

function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length <= MAX_NAMES && value.every((name) => PROBE_NAME.test(String(name)));
}
