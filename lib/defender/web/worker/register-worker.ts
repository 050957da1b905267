/** Options of the registration, with what is usual for a worker that guards requests. */
export interface RegisterWorkerOptions extends RegistrationOptions {
  /** Milliseconds to wait until the worker has this page; default 10,000. */
  readonly timeout?: number;
}

/**
 * On a page: registers the service worker at `url` and waits until that one, not an older or another one, answers for this page's
 * requests. Call it before the first of them: those sent earlier have no token.
 * @throws Error when the worker does not get the page in time, as after a forced reload, which browsers load without it, or
 *   where another registration has this page
 */
export async function registerDefenderWorker(
  url: string | URL,
  options: RegisterWorkerOptions = {},
): Promise<ServiceWorkerRegistration> {
  const { timeout = 10_000, ...rest } = options;
  const container = navigator.serviceWorker;
  const registration = await container.register(url, { type: 'module', updateViaCache: 'none', ...rest });
  const wanted = withoutFragment(new URL(url, document.baseURI).href);
  await until(() => hasPage(registration, container, wanted), registration, container, timeout);
  return registration;
}

/** Whether the newest worker of the registration is of this script, runs, and has this page. */
function hasPage(
  registration: ServiceWorkerRegistration,
  { controller }: ServiceWorkerContainer,
  wanted: string,
): boolean {
  // One that is being installed or waits is about to take over: until then an older one answers.
  const newest = registration.installing ?? registration.waiting ?? registration.active;
  if (!newest || newest !== controller) return false;
  return newest.state === 'activated' && withoutFragment(newest.scriptURL) === wanted;
}

function until(
  isDone: () => boolean,
  registration: ServiceWorkerRegistration,
  container: ServiceWorkerContainer,
  timeout: number,
): Promise<void> {
  if (isDone()) return Promise.resolve();
  const listening = new AbortController();
  const { signal } = listening;
  return new Promise<void>((resolve, reject) => {
    const late = () => reject(new Error('The service worker does not have this page: reload it'));
    const timer = setTimeout(late, timeout);
    signal.addEventListener('abort', () => clearTimeout(timer));
    const look = () => void (isDone() && resolve());
    const watch = () => {
      for (const worker of [registration.installing, registration.waiting, registration.active])
        worker?.addEventListener('statechange', look, { signal });
      look();
    };
    registration.addEventListener('updatefound', watch, { signal });
    container.addEventListener('controllerchange', watch, { signal });
    watch();
  }).finally(() => listening.abort());
}

function withoutFragment(url: string): string {
  return url.split('#', 1)[0] ?? '';
}
