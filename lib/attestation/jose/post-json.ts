import { TabConfigError, TabError } from '../../errors/tab-error.js';
import { parseJsonObject, type JsonObject } from '../../token/json.js';
import { discard, readText, refusal, untilAborted } from './bounded-fetch.js';

/** How a service is called; the global `fetch` has this form. It must honour `redirect: 'manual'` and should honour `signal`. */
export type PostFetch = (
  url: string,
  init: {
    readonly method: 'POST';
    readonly headers: Record<string, string>;
    readonly body: string;
    readonly redirect: 'manual';
    readonly signal: AbortSignal;
  },
) => Promise<Response>;

/** How this server identifies itself to a service of Google. */
export interface GoogleAccess {
  /** A current OAuth access token, of a service account that may call the service. Asked for at every call: cache it there. */
  readonly accessToken: () => Promise<string>;
  /** Calls the service; default the global `fetch`. */
  readonly fetch?: PostFetch;
  /** Seconds that one call may take, with `accessToken` and the content; default 5, at most 30. */
  readonly timeout?: number;
}

/** Posts JSON; undefined when the service says that it cannot make sense of what it was sent (status 400). */
export type PostJson = (url: string, body: JsonObject) => Promise<JsonObject | undefined>;

/** Largest answer read, in octets. */
const MAX_BYTES = 65_536;
/** `Retry-After` of the refusals. */
const RETRY_AFTER = 10;
/** RFC 6750 section 2.1, with room; anything else would be quoted by the error of a header that cannot be sent. */
const BEARER = /^[\w.~+/-]{1,8192}=*$/;

/** A service that cannot be asked: not the client's fault, and never an acceptance. */
export function serviceUnavailable(service: string, cause?: unknown): TabError {
  return new TabError('store_unavailable', `${service} cannot be asked`, { cause, hints: { retryAfter: RETRY_AFTER } });
}

/**
 * Runs a loader that the application gave. Refusals (TabError) pass through; anything else that it throws is ours to bear.
 *
 * @throws TabError `store_unavailable`, or what the loader throws as TabError
 */
export async function callLoader<T>(service: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    throw error instanceof TabError ? error : serviceUnavailable(service, error);
  }
}

async function bearer({ accessToken }: GoogleAccess): Promise<string> {
  const token: unknown = await accessToken();
  if (typeof token !== 'string' || !BEARER.test(token)) throw new Error('accessToken gave no access token');
  return `Bearer ${token}`;
}

async function readAnswer(response: Response): Promise<JsonObject | undefined> {
  const reason = refusal(response);
  if (reason !== undefined) {
    discard(response.body);
    if (response.status === 400 && !response.redirected) return undefined;
    throw new Error(reason);
  }
  const answer = parseJsonObject(Buffer.from(await readText(response, MAX_BYTES)));
  if (answer === undefined) throw new Error('the answer is not a JSON object');
  return answer;
}

function checkAccess(access: GoogleAccess, where: string): number {
  const { accessToken, fetch, timeout = 5 } = access ?? {};
  if (typeof accessToken !== 'function')
    throw new TabConfigError(`${where}.accessToken must be a function that resolves to an OAuth access token`);
  if (fetch !== undefined && typeof fetch !== 'function')
    throw new TabConfigError(`${where}.fetch must be a function; leave it out for the global one`);
  if (typeof timeout !== 'number' || !(timeout >= 0.01 && timeout <= 30))
    throw new TabConfigError(`${where}.timeout must be a number of seconds from 0.01 to 30`);
  return Math.ceil(timeout * 1000);
}

/**
 * An authorised caller of a service of Google: one attempt, no redirects, JSON only, bounded in time and size. It does not
 * rest after a failure as the fetching of keys does: what one client sends must not keep others from being asked about.
 *
 * @param where names the option in error messages
 * @throws TabConfigError when the options cannot work; the function that it returns throws TabError `store_unavailable`
 */
export function googleService(service: string, access: GoogleAccess, where: string): PostJson {
  const timeout = checkAccess(access, where);
  return (url, body) =>
    callLoader(service, () => {
      const signal = AbortSignal.timeout(timeout);
      const work = async () => {
        const headers = { authorization: await bearer(access), 'content-type': 'application/json' };
        const init = { method: 'POST', headers, body: JSON.stringify(body), redirect: 'manual', signal } as const;
        return readAnswer(await (access.fetch ?? globalThis.fetch)(url, init));
      };
      return untilAborted(work(), signal);
    });
}
