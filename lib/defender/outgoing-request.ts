import type { MintRequest } from '../token/mint.js';
import { credentialOf } from '../token/mint.js';
import { DefenderError } from './defender-error.js';
import { abortable } from './waiting.js';

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
 * @param url where it goes: `targetOf(input)`
 * @throws DefenderError `body_used`; TypeError as `fetch` does; what the content's own source throws
 */
export async function materialise(
  input: RequestInfo | URL,
  init: RequestInit = {},
  url: URL = targetOf(input),
): Promise<OutgoingRequest> {
  const signal = signalOf(input, init);
  signal?.throwIfAborted();
  assertUnread(input, init);
  // Mode `no-cors` drops headers without a word, the token included.
  const mode = init.mode === 'no-cors' ? 'cors' : init.mode;
  const extra = { duplex: 'half', signal: null, ...(mode && { mode }) };
  const request = new Request(input, { ...init, ...extra });
  const octets = new Uint8Array(await abortable(stoppable(request, signal).arrayBuffer(), signal));
  return {
    url,
    method: request.method,
    headers: new Headers(request.headers),
    content: octets.length > 0 ? octets : undefined,
    signal,
    init: { ...(input instanceof Request && inherited(input)), ...init },
  };
}

/** The content of `request`, whose source is cancelled when `signal` fires; some platforms do not show it as a stream. */
function stoppable(request: Request, signal: AbortSignal | undefined): Body {
  const stream = signal && request.body;
  return stream ? new Response(stream.pipeThrough(new TransformStream(), { signal })) : request;
}

/** Parameters by which a parser finds its way in the content: `charset`, unless it is the usual one, and `boundary`. */
const MEANINGFUL_PARAMETER = /;[ \t]*(?:boundary=|charset=(?!"?utf-8"?[ \t]*(?:;|$)))/i;

/** The headers to bind: the configured ones, and a Content-Type whose parameters decide what the content says. */
function bindable(headers: Headers, boundHeaders: readonly string[]): readonly string[] {
  const isMeaningful = MEANINGFUL_PARAMETER.test(headers.get('content-type') ?? '');
  return isMeaningful && !boundHeaders.includes('content-type') ? [...boundHeaders, 'content-type'] : boundHeaders;
}

/** What a token for this request is made from. */
export function describe(
  request: OutgoingRequest,
  { boundHeaders, credentialCookie }: { boundHeaders: readonly string[]; credentialCookie?: string },
): MintRequest {
  const { url, method, content, headers } = request;
  const credential = credentialOf(headers.get('authorization') ?? '');
  const bound = bindable(headers, boundHeaders).flatMap((name) => {
    const value = headers.get(name);
    return value === null ? [] : [[name, value] as const];
  });
  return {
    method,
    url,
    content,
    contentType: headers.get('content-type') ?? undefined,
    credential: credential ?? cookieValue(headers.get('cookie'), credentialCookie),
    headers: Object.fromEntries(bound),
  };
}

/** The raw value of a cookie (RFC 6265 section 4.2), as the server reads it. */
function cookieValue(cookies: string | null, name: string | undefined): string | undefined {
  if (cookies === null || name === undefined) return undefined;
  for (const pair of cookies.split(';')) {
    const equals = pair.indexOf('=');
    if (equals !== -1 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim() || undefined;
  }
  return undefined;
}

/** The arguments of one attempt. The platform follows no redirect: the token is for this target alone. */
export function attemptOf(request: OutgoingRequest, token: string, assertion?: string): [string, RequestInit] {
  const headers = new Headers(request.headers);
  headers.set('TAB-Token', token);
  if (assertion !== undefined) headers.set('TAB-Assertion', assertion);
  const init: RequestInit = {
    ...request.init,
    method: request.method,
    headers,
    body: request.content,
    redirect: 'manual',
    signal: request.signal,
    mode: request.init.mode === 'same-origin' ? 'same-origin' : undefined,
  };
  return [request.url.href, init];
}

/** Content can be read once: what somebody else has begun to read would be signed and sent in part. */
function assertUnread(input: RequestInfo | URL, { body }: RequestInit): void {
  const ofRequest = (body === undefined || body === null) && input instanceof Request;
  const isUsed = ofRequest ? input.bodyUsed || input.body?.locked : body instanceof ReadableStream && isDisturbed(body);
  if (isUsed) throw new DefenderError('body_used', 'The content of the request has been read, or is being read');
}

/** Whether a stream is locked, or has been read from; the latter shows only where the platform refuses it. */
function isDisturbed(stream: ReadableStream): boolean {
  try {
    return stream.locked || new Response(stream).bodyUsed;
  } catch {
    return true;
  }
}

function signalOf(input: RequestInfo | URL, init: RequestInit): AbortSignal | undefined {
  if (init.signal !== undefined) return init.signal ?? undefined;
  return input instanceof Request ? input.signal : undefined;
}

function inherited(request: Request): RequestInit {
  const known = Object.fromEntries(PASSED_ON.map((name) => [name, request[name]]));
  return { ...known, redirect: request.redirect, mode: request.mode };
}
