import { findApi, parseApis, type Api } from '../../api.js';
import { createDefender, type Defender } from '../../defender.js';
import type { DefenderOptions } from '../../defender-options.js';
import type { Probe } from '../../probe.js';
import { indexedDbKeyStore, type IndexedDbKeyStoreOptions } from '../indexed-db-key-store.js';
import { askPage, readReport } from './page-report.js';
import type { FetchEventLike, WorkerClients, WorkerScope } from './worker-scope.js';

/** Options of `defenderWorker`: those of a Defender, with IndexedDB for the key, and the pages' own reports for probes. */
export interface DefenderWorkerOptions
  extends Omit<DefenderOptions, 'keyStore' | 'probes' | 'remeasureOn'>, IndexedDbKeyStoreOptions {
  /** Paths whose requests get a token, below each `api`: `/api` stands for itself and all below it. */
  readonly paths: readonly string[];
  /** Milliseconds that a page may take to answer, as other probes; default 3,000. */
  readonly probeTimeout?: number;
  /** Further probes, run in the worker. */
  readonly probes?: readonly Probe[];
  /** Told why a request could not be sent; the page itself sees a network error. */
  readonly onError?: (error: unknown) => void;
}

/** More than a page gives its own probes. */
const PAGE_TIMEOUT = 3_000;

/** Which requests of a page are taken over. */
interface Routes {
  readonly apis: readonly Api[];
  readonly paths: readonly string[];
  readonly prefix: string;
}

/**
 * In a service worker: requests of its pages to `paths` get a token. Navigations, images, scripts, other origins, other
 * paths, and requests that have a token already are left alone.
 *
 * Each page has a Defender of its own here, all with one key, so that a token tells what was measured in the page that asked for
 * it. A page that does not answer (see `reportToWorker`), and a request that is no page's, has nothing checked.
 * @throws TypeError when an option cannot work
 */
export function defenderWorker(options: DefenderWorkerOptions): void {
  const scope = globalThis as unknown as WorkerScope;
  const routes = routesOf(options);
  const defenders = new PageDefenders(options, scope.clients);
  scope.addEventListener('install', (event) => event.waitUntil(scope.skipWaiting()));
  scope.addEventListener('activate', (event) => event.waitUntil(scope.clients.claim()));
  scope.addEventListener('fetch', (event) => {
    if (!isTaken(event.request, routes)) return;
    event.respondWith(answer(event, defenders, options.onError));
  });
}

async function answer(
  { request, clientId }: FetchEventLike,
  defenders: PageDefenders,
  onError: DefenderWorkerOptions['onError'],
): Promise<Response> {
  try {
    return await defenders.of(clientId).fetch(request);
  } catch (error) {
    onError?.(error);
    // Never sent without a token instead: a rejection is a network error for the page.
    throw error;
  }
}

function routesOf({ api, paths, prefix = '/tab' }: DefenderWorkerOptions): Routes {
  const usable = Array.isArray(paths) && paths.length > 0 && paths.every((path) => /^\/[^?#]*$/.test(String(path)));
  if (!usable) throw new TypeError("Defender option paths: write at least one path such as '/api'");
  return { apis: parseApis(api), paths: paths.map((path) => path.replace(/\/+$/, '')), prefix };
}

/** Whether a page's own code fetches from a guarded path. */
export function isTaken(request: Request, { apis, paths, prefix }: Routes): boolean {
  const url = new URL(request.url);
  const api = findApi(apis, url);
  // Navigations, images, frames and scripts cannot be repaired or refused in a way that their page understands.
  if (!api || request.mode === 'navigate' || request.destination !== '' || request.headers.has('tab-token'))
    return false;
  const path = url.pathname.slice(api.path.length);
  const below = (folder: string) => path === folder || path.startsWith(`${folder}/`);
  return paths.some(below) && !below(prefix);
}

/** One Defender for each page. */
class PageDefenders {
  readonly #options: DefenderWorkerOptions;
  readonly #clients: WorkerClients;
  readonly #byClient = new Map<string, Defender>();

  constructor(options: DefenderWorkerOptions, clients: WorkerClients) {
    this.#options = options;
    this.#clients = clients;
    // Wrong options end the registration, not the first request.
    this.#make('');
  }

  of(clientId: string): Defender {
    const present = this.#byClient.get(clientId);
    if (present) return present;
    const made = this.#make(clientId);
    this.#byClient.set(clientId, made);
    void this.#forgetClosed(clientId);
    return made;
  }

  #make(clientId: string): Defender {
    const { name, algorithm, indexedDB, probes = [], paths: _paths, onError: _onError, ...core } = this.#options;
    const keyStore = indexedDbKeyStore({ name, algorithm, indexedDB });
    // Pages are asked when a token needs it, not by a timer, which would not outlive the worker's rest either.
    return createDefender({
      schedule: false,
      probeTimeout: PAGE_TIMEOUT,
      ...core,
      keyStore,
      probes: [pageProbe(clientId, this.#clients), ...probes],
    });
  }

  async #forgetClosed(current: string): Promise<void> {
    const open = await this.#clients.matchAll({ includeUncontrolled: true, type: 'all' });
    const ids = new Set([current, ...open.map(({ id }) => id)]);
    for (const [id, defender] of this.#byClient) {
      if (ids.has(id)) continue;
      this.#byClient.delete(id);
      // What could not be written concerned a page that is gone.
      await defender.close().catch(() => undefined);
    }
  }
}

/** What one page says about itself. */
function pageProbe(clientId: string, clients: WorkerClients): Probe {
  return {
    name: 'x-web-page-report',
    async run(signal, facts) {
      const page = clientId === '' ? undefined : await clients.get(clientId);
      if (page?.type !== 'window') return {};
      const post = (message: unknown, port: MessagePort) => page.postMessage(message, [port]);
      const report = await askPage(post, facts?.serverSkews ?? [], signal);
      return readReport(report, Math.floor(Date.now() / 1000));
    },
  };
}
