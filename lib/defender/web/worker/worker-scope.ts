/** What is used of a service worker's global scope; TypeScript has its types only beside those of the page, not with them. */
export interface WorkerScope {
  readonly location: { readonly origin: string };
  readonly clients: WorkerClients;
  skipWaiting(): Promise<void>;
  addEventListener(type: 'install' | 'activate', listener: (event: ExtendableEventLike) => void): void;
  addEventListener(type: 'fetch', listener: (event: FetchEventLike) => void): void;
}

export interface WorkerClients {
  claim(): Promise<void>;
  get(id: string): Promise<WorkerClient | undefined>;
  matchAll(options: { includeUncontrolled: boolean; type: 'all' }): Promise<readonly WorkerClient[]>;
}

/** A page, or a worker of one. */
export interface WorkerClient {
  readonly id: string;
  readonly type: string;
  postMessage(message: unknown, transfer: readonly unknown[]): void;
}

export interface ExtendableEventLike {
  waitUntil(work: Promise<unknown>): void;
}

export interface FetchEventLike extends ExtendableEventLike {
  readonly request: Request;
  /** Empty where the request is not a page's or a worker's. */
  readonly clientId: string;
  respondWith(response: Promise<Response>): void;
}
