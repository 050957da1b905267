import { findApi, type Api } from './api.js';
import type { OutgoingRequest } from './outgoing-request.js';

/** Redirects followed for one request; the next one is the answer. */
export const MAX_REDIRECTS = 5;

const REDIRECT_STATUS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Fetch, "request-body-header name", and the length. */
const CONTENT_HEADERS = ['content-encoding', 'content-language', 'content-location', 'content-type', 'content-length'];

/** Whether the server sent the client elsewhere. In browsers such an answer is opaque: it does not say where. */
export function isRedirect(response: Response): boolean {
  return response.type === 'opaqueredirect' || REDIRECT_STATUS.has(response.status);
}

/**
 * The request that follows the redirect in `response` (Fetch, "HTTP-redirect fetch"), or undefined when it is not to be
 * followed: only to the same origin, under the same configured api, and never to the endpoints of TAB itself.
 */
export function followed(
  request: OutgoingRequest,
  response: Response,
  rules: { apis: readonly Api[]; api: Api; prefix: string },
): OutgoingRequest | undefined {
  if ((request.init.redirect ?? 'follow') !== 'follow' || !REDIRECT_STATUS.has(response.status)) return undefined;
  const location = response.headers.get('location') ?? '';
  if (location === '' || !URL.canParse(location, request.url)) return undefined;
  const url = new URL(location, request.url);
  url.hash = '';
  const isBare = url.username === '' && url.password === '';
  if (!isBare || findApi(rules.apis, url) !== rules.api || isEndpoint(url, rules)) return undefined;
  return { ...request, url, ...rewritten(request, response.status) };
}

/** Whether a server might route `url` to an endpoint of TAB; a redirect must not make a client retire its key. */
function isEndpoint(url: URL, { api, prefix }: { api: Api; prefix: string }): boolean {
  const path = plain(url.pathname);
  const endpoints = plain(api.path + prefix);
  return path === null || endpoints === null || path === endpoints || path.startsWith(`${endpoints}/`);
}

/**
 * A path as lenient routers read it: decoded, in lower case, without empty segments. Null when it cannot be decoded, or when
 * what comes out can be decoded or resolved once more, so that nobody knows where it leads.
 */
function plain(path: string): string | null {
  try {
    const decoded = decodeURIComponent(path).toLowerCase();
    return /%(?:2[5ef]|5c)|\\|\/\.{1,2}(?:\/|$)/.test(decoded) ? null : decoded.replaceAll(/\/{2,}/g, '/');
  } catch {
    return null;
  }
}

function rewritten(request: OutgoingRequest, status: number): Partial<OutgoingRequest> {
  const { method } = request;
  const seeOther = status === 303 && method !== 'GET' && method !== 'HEAD';
  if (!seeOther && !((status === 301 || status === 302) && method === 'POST')) return {};
  const headers = new Headers(request.headers);
  for (const name of CONTENT_HEADERS) headers.delete(name);
  return { method: 'GET', headers, content: undefined };
}
