import { EventSource, type FetchLike } from 'eventsource';
import type { Defender } from './defender.js';
import { DefenderError } from './defender-error.js';

/** Options of `defenderEventSource`. */
export interface DefenderEventSourceOptions {
  /** Headers of each connection, or a function that gives them anew each time: an access token may have been renewed. */
  readonly headers?: HeadersInit | (() => HeadersInit | Promise<HeadersInit>);
  /** As of `EventSource`: send cookies to other origins too; default false. */
  readonly withCredentials?: boolean;
}

/** Errors that another attempt, some seconds later, may not meet. */
const PASSING: ReadonlySet<string> = new Set(['unreachable', 'unexpected_answer', 'enrolment_failed']);

/**
 * An `EventSource` whose every connection, the first and each reconnection, carries a token of its own. `Last-Event-ID` is
 * bound where the Defender's `boundHeaders` name it. A refusal ends it with an `error` event whose `code` is the status, as
 * any answer does that is not an event stream; a network that fails makes it try again.
 *
 * @throws DefenderError `foreign_origin` when `url` is not under a configured api
 */
export function defenderEventSource(
  defender: Pick<Defender, 'covers' | 'fetch'>,
  url: string | URL,
  { headers, withCredentials }: DefenderEventSourceOptions = {},
): EventSource {
  if (!defender.covers(url)) throw new DefenderError('foreign_origin', 'The stream is not at a configured api');
  const fetch: FetchLike = async (target, init) => {
    const all = new Headers(typeof headers === 'function' ? await headers() : headers);
    for (const [name, value] of Object.entries(init.headers)) all.set(name, value);
    return defender.fetch(target, { ...(init as RequestInit), headers: all }).catch(asAnswer);
  };
  return new EventSource(url, { fetch, withCredentials });
}

/** What will not pass by itself is told as a refusing answer, which ends the stream: errors make it try for ever. */
function asAnswer(error: unknown): Response {
  // A request that cannot be made, such as to a URL with userinfo: `defender.fetch` has another error for the network.
  if (error instanceof TypeError) return new Response(null, { status: 403 });
  if (!(error instanceof DefenderError) || PASSING.has(error.code)) throw error;
  const { status = 403 } = error;
  if (status === 429 || status === 503) throw error;
  return new Response(null, { status });
}
