import { SET_MEDIA_TYPE } from './receiver.js';
import type { SignalReceiverAddress } from './signals.types.js';
import type { TransmitterSettings } from './transmitter-settings.js';

/** How one attempt ended. `detail` is for the log. */
export type PushOutcome =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'refused'; readonly detail: string }
  | { readonly kind: 'unreached'; readonly detail: string; readonly retryAfter?: number };

/** Octets read of an answer, for its error code. */
const ANSWER_MAX = 4096;
const ERROR_CODE = /^[a-z_]{1,64}$/;

async function readSome(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  if (reader === undefined) return '';
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    chunks.push(next.value);
    size += next.value.byteLength;
    if (size > ANSWER_MAX) {
      reader.cancel().catch(() => undefined);
      return '';
    }
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The code of an error answer (RFC 8935 section 2.3), if it has the form of one: what a receiver writes is not copied into the log. */
async function errorCodeOf(response: Response): Promise<string> {
  try {
    const { err } = JSON.parse(await readSome(response)) as { err?: unknown };
    return typeof err === 'string' && ERROR_CODE.test(err) ? ` ${err}` : '';
  } catch {
    return '';
  }
}

function retryAfterOf(response: Response): number | undefined {
  const value = response.headers.get('retry-after') ?? '';
  return /^\d{1,6}$/.test(value) ? Number(value) * 1000 : undefined;
}

/** Only what may pass by itself is tried again (RFC 8935 section 2): 5xx, and the 4xx that ask for it. */
async function outcomeOf(response: Response): Promise<PushOutcome> {
  const { status } = response;
  if (status >= 200 && status < 300) {
    response.body?.cancel().catch(() => undefined);
    return { kind: 'delivered' };
  }
  if (status >= 500 || status === 408 || status === 429) {
    response.body?.cancel().catch(() => undefined);
    return { kind: 'unreached', detail: `status ${status}`, retryAfter: retryAfterOf(response) };
  }
  // A redirect is not followed: it could lead the token and the authorization anywhere.
  return { kind: 'refused', detail: `status ${status}${await errorCodeOf(response)}` };
}

/** Rejects once the signal fires, even when `work` never settles. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
    work.then(resolve, reject);
  });
}

/**
 * One attempt to push a token (RFC 8935 section 2.1). Never rejects.
 *
 * @param signal ends it early
 */
export async function push(
  jwt: string,
  { url, authorization }: SignalReceiverAddress,
  settings: TransmitterSettings,
  signal: AbortSignal,
): Promise<PushOutcome> {
  if (signal.aborted) return { kind: 'unreached', detail: 'given up' };
  const attempt = new AbortController();
  const abort = () => attempt.abort();
  signal.addEventListener('abort', abort, { once: true });
  const cancel = settings.after(settings.timeout, abort);
  try {
    const work = async () =>
      outcomeOf(await (settings.fetch ?? globalThis.fetch)(url, initOf(jwt, authorization, attempt)));
    return await untilAborted(work(), attempt.signal);
  } catch (error) {
    // The text of an error may quote what was sent.
    return { kind: 'unreached', detail: attempt.signal.aborted ? 'no answer in time' : errorNameOf(error) };
  } finally {
    cancel();
    signal.removeEventListener('abort', abort);
  }
}

function initOf(jwt: string, authorization: string | undefined, { signal }: AbortController): RequestInit {
  const headers = {
    'Content-Type': SET_MEDIA_TYPE,
    Accept: 'application/json',
    ...(authorization !== undefined && { Authorization: authorization }),
  };
  return { method: 'POST', headers, body: jwt, redirect: 'manual', signal };
}

function errorNameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown error';
}
