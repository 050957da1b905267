import { DefenderError } from './defender-error.js';
import type { AssertionMaker } from './defender-options.js';
import type { OutgoingRequest } from './outgoing-request.js';
import { abortable } from './waiting.js';

/** What the platform says of this token, where the app asks it to. @throws DefenderError `attester_failed` */
export async function assertionFor(
  maker: AssertionMaker | undefined,
  { method, url, signal }: OutgoingRequest,
  token: string,
): Promise<string | undefined> {
  if (!maker) return undefined;
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(token)));
  const making = (async () => {
    const value = await maker(hash, { method, url: new URL(url) });
    if (value !== undefined && !/^[\x21-\x7e]+$/.test(value)) throw new TypeError('The assertion is no header value');
    return value;
  })();
  return abortable(making, signal).catch((cause: unknown) => {
    if (signal?.aborted) throw cause;
    throw new DefenderError('attester_failed', 'The assertion could not be made', { cause });
  });
}
