/** A configured server: the only places where tokens go. */
export interface Api {
  /** Origin and path prefix, without a trailing slash; the name of the server in the state. */
  readonly base: string;
  /** Scheme and authority. */
  readonly origin: string;
  /** Path prefix that a gateway strips, '' or '/…'. */
  readonly path: string;
}

/** The configured servers. @throws TypeError that says what to write instead */
export function parseApis(input: string | URL | readonly (string | URL)[]): readonly Api[] {
  const list: readonly unknown[] = Array.isArray(input) ? input : [input];
  // Of none, the empty one: that is refused.
  const apis = (list.length > 0 ? list : ['']).map((entry) => parseApi(String(entry)));
  return apis.filter((api, index) => apis.findIndex((other) => other.base === api.base) === index);
}

/** The configured server that `url` belongs to, the most specific one, or undefined. */
export function findApi(apis: readonly Api[], url: URL): Api | undefined {
  const matches = apis.filter(
    (api) => api.origin === url.origin && (url.pathname === api.path || url.pathname.startsWith(`${api.path}/`)),
  );
  return matches.reduce<Api | undefined>(
    (best, api) => (best && best.path.length > api.path.length ? best : api),
    undefined,
  );
}

/** Whether the host can only be this machine. */
export function isLoopback(url: URL): boolean {
  const host = url.hostname;
  return host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** Whether what the server says about time can be believed: nobody on the way could have written it. */
export function isTrustedTransport(api: Api): boolean {
  const url = new URL(api.origin);
  return url.protocol === 'https:' || isLoopback(url);
}

function parseApi(entry: string): Api {
  const url = URL.canParse(entry) ? new URL(entry) : undefined;
  const web = url?.protocol === 'https:' || url?.protocol === 'http:';
  const bare = url?.search === '' && url.hash === '' && url.username === '' && url.password === '';
  if (!url || !web || !bare) {
    throw new TypeError('Defender option api: write https://host[:port][/prefix]');
  }
  const path = url.pathname.replace(/\/+$/, '');
  return { base: url.origin + path, origin: url.origin, path };
}
