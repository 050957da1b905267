/** Options of the registration, with what is usual for a worker that guards requests. */
export interface RegisterWorkerOptions extends RegistrationOptions {
  /** Milliseconds to wait until the worker has this page; default 10,000. */
  readonly timeout?: number;
}

/**
 * On a page: registers the service worker at `url` and waits until it answers for this page's requests. Call it before the first
 * of them: those sent earlier have no token.
 * @throws Error when the worker does not get the page in time, as after a forced reload, which browsers load without it
 */
export async function registerDefenderWorker(
  url: string | URL,
  options: RegisterWorkerOptions = {},
): Promise<ServiceWorkerRegistration> {
  const { timeout = 10_000, ...rest } = options;
  const container = navigator.serviceWorker;
  const registration = await container.register(url, { type: 'module', updateViaCache: 'none', ...rest });
  if (!container.controller) await controlled(container, timeout);
  return registration;
}

function controlled(container: ServiceWorkerContainer, timeout: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error('The service worker does not have this page: reload it'));
    const timer = setTimeout(late, timeout);
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    container.addEventListener('controllerchange', done, { once: true });
  });
}
