import type { Defender } from './defender.js';
import { DefenderError } from './defender-error.js';

/** What is used of an axios request configuration. */
export interface AxiosConfigLike {
  adapter?: unknown;
  env?: object;
  data?: unknown;
  fetchOptions?: object;
  headers?: { setContentType(value: string, rewrite: boolean): unknown };
}

/** What is used of an axios instance, 1.12 or newer. */
export interface AxiosLike {
  /** Axios itself has it, instances do not. */
  readonly VERSION?: string;
  getUri(config: object): string;
  readonly interceptors: {
    readonly request: {
      use(onFulfilled: <Config extends AxiosConfigLike>(config: Config) => Config): number;
      eject(id: number): void;
    };
  };
}

/** Options of `attachDefender`. */
export interface AttachOptions {
  /**
   * True (default): requests to elsewhere are made by axios's own adapter, without a token. False: they fail with
   * `foreign_origin`, for an instance that is meant for the configured apis alone.
   */
  readonly onlyApis?: boolean;
}

/**
 * Sends the requests of an axios instance to configured apis through `defender.fetch`: by axios's fetch adapter, which hands
 * over the content as axios has serialised it, so that what is signed is what is sent. An adapter that the request or the
 * instance names is passed over for them, and so is what only the adapter of Node knows (agents, `proxy`, `socketPath`,
 * `beforeRedirect`). `maxRedirects: 0` follows no redirect; any other number is as with `defender.fetch`.
 *
 * Where a request goes is decided by this interceptor, and axios runs the last one added first: attach before adding those
 * that change the URL. A request changed afterwards fails: with `foreign_origin`, or at the server for want of a token.
 *
 * An axios older than 1.12 knows no `fetch` but the global one: there these requests fail, before anything is sent.
 *
 * A `DefenderError` comes out as an `AxiosError` with its `code`, and itself as `cause`; `unreachable` as `ERR_NETWORK`.
 *
 * @returns a function that takes the interceptor away again
 * @throws TypeError when `axios` says that it is older than 1.12
 */
export function attachDefender(
  axios: AxiosLike,
  defender: Pick<Defender, 'covers' | 'fetch'>,
  { onlyApis = true }: AttachOptions = {},
): () => void {
  const [, major = 0, minor = 0] = /^(\d+)\.(\d+)\./.exec(axios.VERSION ?? '1.12.0') ?? [];
  if (Number(major) < 1 || (Number(major) === 1 && Number(minor) < 12))
    throw new TypeError('attachDefender: use axios 1.12 or newer');
  // One function for all requests: axios keeps an adapter for each that it sees.
  const fetch = networkErrorsOf(defender);
  const id = axios.interceptors.request.use((config) => {
    if (onlyApis && !defender.covers(axios.getUri(config))) return config;
    const { Response, FormData } = globalThis;
    // Takes axios's default for content without a type away; the platform then names the boundary that it makes.
    if (config.data instanceof FormData) config.headers?.setContentType('multipart/form-data', false);
    const env = { ...config.env, Request: UnlockedRequest, Response, FormData, fetch };
    return { ...config, adapter: 'fetch', env, fetchOptions: { ...config.fetchOptions, ...LOCK } };
  });
  return () => axios.interceptors.request.eject(id);
}

/**
 * Makes the platform's `Request` and `fetch` throw (Fetch, "window"), so that an adapter which takes them instead of those
 * in `env` sends nothing: a request that is to have a token never goes without.
 */
const LOCK = { window: 'nestjs-tab' };

function unlocked<Init extends object>(init: Init | undefined): Init | undefined {
  return init && { ...init, window: undefined };
}

/** The platform's `Request`, for requests that go to `defender.fetch`. */
class UnlockedRequest extends Request {
  constructor(input: RequestInfo | URL, init?: RequestInit) {
    super(input, unlocked(init));
  }
}

/** `defender.fetch`, with the platform's own error for a network that failed: axios knows that one. */
function networkErrorsOf(defender: Pick<Defender, 'fetch'>): typeof globalThis.fetch {
  return (input, init) =>
    defender.fetch(input, unlocked(init)).catch((error: unknown) => {
      const isNetwork = error instanceof DefenderError && error.code === 'unreachable';
      throw isNetwork ? new TypeError('fetch failed', { cause: error }) : error;
    });
}
