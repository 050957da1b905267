import type { MintRequest } from '../token/mint.js';
import { credentialOf } from '../token/mint.js';

/** A request whose content is in memory, so that what is hashed is what is sent, as often as it is sent. */
export interface OutgoingRequest {
  readonly url: URL;
  readonly method: string;
  readonly headers: Headers;
  readonly content?: Uint8Array<ArrayBuffer>;
  readonly signal?: AbortSignal;
  /** The other members of `init`, for the platform's `fetch`. */
  readonly init: RequestInit;
}

const PASSED_ON = ['cache', 'credentials', 'integrity', 'keepalive', 'referrer', 'referrerPolicy'] as const;

/** The URL that a call of `fetch` names, without its fragment. @throws TypeError as `fetch` does */
export function targetOf(input: RequestInfo | URL): URL {
  const url = new URL(new Request(input instanceof Request ? input.url : input).url);
  url.hash = '';
  return url;
}

/**
 * Reads the request that `fetch(input, init)` would send: its content as octets, with the `Content-Type` that the
 * platform gives to a string, form, or blob.
 */
export async function materialise(input: RequestInfo | URL, init: RequestInit = {}): Promise<OutgoingRequest> {
  const signal = signalOf(input, init);
  signal?.throwIfAborted();
  // Mode `no-cors` drops headers without a word, the token included.
  const mode = init.mode === 'no-cors' ? 'cors' : init.mode;
  const extra = { duplex: 'half', signal: null, ...(mode && { mode }) };
  const request = new Request(input, { ...init, ...extra });
  const octets = new Uint8Array(await request.arrayBuffer());
  return {
    url: targetOf(input),
    method: request.method,
    headers: new Headers(request.headers),
    content: octets.length > 0 ? octets : undefined,
    signal,
    init: { ...(input instanceof Request && inherited(input)), ...init },
  };
}

/** Parameters by which a parser finds its way in the content: `charset`, unless it is the usual one, and `boundary`. */
const MEANINGFUL_PARAMETER = /;[ \t]*(?:boundary=|charset=(?!"?utf-8"?[ \t]*(?:;|$)))/i;

/** The headers to bind: the configured ones, and a Content-Type whose parameters decide what the content says. */
function bindable(headers: Headers, boundHeaders: readonly string[]): readonly string[] {
  const isMeaningful = MEANINGFUL_PARAMETER.test(headers.get('content-type') ?? '');
  return isMeaningful && !boundHeaders.includes('content-type') ? [...boundHeaders, 'content-type'] : boundHeaders;
}

/** What a token for this request is made from. */
export function describe(request: OutgoingRequest, boundHeaders: readonly string[]): MintRequest {
  const { url, method, content, headers } = request;
  const bound = bindable(headers, boundHeaders).flatMap((name) => {
    const value = headers.get(name);
    return value === null ? [] : [[name, value] as const];
  });
  return {
    method,
    url,
    content,
    contentType: headers.get('content-type') ?? undefined,
    credential: credentialOf(headers.get('authorization') ?? ''),
    headers: Object.fromEntries(bound),
  };
}

/** The arguments of one attempt. Redirects are never followed: the token is for this target alone. */
export function attemptOf(request: OutgoingRequest, token: string): [string, RequestInit] {
  const headers = new Headers(request.headers);
  headers.set('TAB-Token', token);
  const init: RequestInit = {
    ...request.init,
    method: request.method,
    headers,
    body: request.content,
    redirect: request.init.redirect === 'error' ? 'error' : 'manual',
    signal: request.signal,
    mode: request.init.mode === 'same-origin' ? 'same-origin' : undefined,
  };
  return [request.url.href, init];
}

function signalOf(input: RequestInfo | URL, init: RequestInit): AbortSignal | undefined {
  if (init.signal !== undefined) return init.signal ?? undefined;
  return input instanceof Request ? input.signal : undefined;
}

function inherited(request: Request): RequestInit {
  const known = Object.fromEntries(PASSED_ON.map((name) => [name, request[name]]));
  return { ...known, redirect: request.redirect, mode: request.mode };
}
