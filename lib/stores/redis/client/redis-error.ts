import { TabError } from '../../../errors/tab-error.js';

/** Seconds that a client is asked to wait after Redis failed. */
const RETRY_AFTER = 2;

/** A failure that is explained to the operator; the client may try again after `retryAfter` seconds. */
export function redisFailed(detail: string, cause?: unknown, retryAfter = RETRY_AFTER): TabError {
  return new TabError('store_unavailable', detail, { cause, hints: { retryAfter } });
}

/**
 * What a store rejects with when Redis or the way to it failed. The client's own error stays behind: ioredis puts the
 * command with its keys and values into it, and others may.
 */
export function unavailable(error: unknown): Error {
  if (error instanceof TabError || error instanceof RangeError) return error;
  const reason = reasonOf(error);
  return redisFailed(`Redis failed with ${reason}`, new Error(reason));
}

/** The code of an error reply (`READONLY`, `LOADING`, …) or of the system (`ECONNREFUSED`), else the name of the error. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'an unknown error';
  const code = /^[A-Z][A-Z0-9_]{1,31}(?= |$)/.exec(error.message)?.[0] ?? (error as { code?: unknown }).code;
  return typeof code === 'string' && /^[A-Z0-9_]{1,40}$/.test(code) ? code : error.name;
}
