import type { FetchImplementation } from 'jose';
import { isKeySet, MAX_KEYS } from './jwks-source.js';

/** How keys are fetched; the global `fetch` has this form. It must honour `redirect: 'manual'` and should honour `signal`. */
export type FetchLike = FetchImplementation;

/** `application/json`, `application/jwk-set+json` and the like (RFC 6839 section 3.1). */
const JSON_TYPE = /^application\/(?:[a-z0-9!#$&^_.-]+\+)?json$/;

/** Settles with `work`, or rejects once the signal fires even when `work` never settles. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/** The content of an answer, strict UTF-8 of at most `maxBytes` octets after decompression. */
export async function readText(response: Response, maxBytes: number): Promise<string> {
  const reader = response.body?.getReader();
  if (reader === undefined) throw new Error('the answer has no content');
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    size += next.value.byteLength;
    // Counted after decompression, so that a small answer cannot grow.
    if (size > maxBytes) {
      discard(reader);
      throw new Error(`the answer is longer than ${maxBytes} octets`);
    }
    chunks.push(next.value);
  }
  return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
}

/** Frees the connection of an answer that is refused anyway. */
export function discard(stream: { cancel(): Promise<void> } | null): void {
  stream?.cancel().catch(() => undefined);
}

/** Why an answer is not looked at: a redirect, another status than 200, another media type than JSON. */
export function refusal(response: Response): string | undefined {
  // The answer comes from the configured address, not from where it points today.
  if (response.redirected || (response.status >= 300 && response.status < 400)) return 'the answer is a redirect';
  if (response.status !== 200) return `the answer has status ${response.status}`;
  const [type = ''] = (response.headers.get('content-type') ?? '').split(';');
  // Ensures that an error page or an uploaded file is not taken for the answer.
  return JSON_TYPE.test(type.trim().toLowerCase()) ? undefined : 'the answer is not of a JSON media type';
}

function isKeySetText(text: string): boolean {
  try {
    return isKeySet(JSON.parse(text));
  } catch {
    return false;
  }
}

async function readKeySet(response: Response, maxBytes: number): Promise<string> {
  const reason = refusal(response);
  if (reason !== undefined) {
    discard(response.body);
    throw new Error(reason);
  }
  const text = await readText(response, maxBytes);
  if (!isKeySetText(text)) throw new Error(`the answer is not a JSON key set of at most ${MAX_KEYS} keys`);
  return text;
}

/**
 * A `fetch` for key sets that refuses redirects, other statuses than 200, other media types than JSON, large answers and
 * anything that is not a key set. After a failure it fails at once for a while, so that an issuer that is down costs
 * neither a wait per enrolment nor a flood of calls.
 *
 * @param limits octets of the decoded answer, and milliseconds of rest after a failure
 */
export function boundedFetch(
  fetch: FetchLike | undefined,
  limits: { maxBytes: number; failureRest: number },
): FetchLike {
  let failedAt: number | undefined;
  const resting = () => {
    const elapsed = Date.now() - (failedAt ?? -Infinity);
    return elapsed >= 0 && elapsed < limits.failureRest;
  };
  return async (url, init) => {
    if (resting()) throw new Error('the last attempt failed moments ago');
    try {
      const work = async () => readKeySet(await (fetch ?? globalThis.fetch)(url, init), limits.maxBytes);
      const text = await untilAborted(work(), init.signal);
      failedAt = undefined;
      return new Response(text, { headers: { 'content-type': 'application/json' } });
    } catch (error) {
      failedAt = Date.now();
      throw error;
    }
  };
}
