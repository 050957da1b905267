import type { RefusalFacts } from './defender-error.js';
import type { StoredSession } from './key-store.js';

/** What the TAB headers of an answer say; anything malformed is left out. */
export interface TabAnswer {
  /** The code of a refusal. */
  readonly error?: string;
  /** The code of what would have been a refusal (monitor mode). */
  readonly monitor?: string;
  readonly nonce?: string;
  /** Server time minus `iat`, seconds. */
  readonly skew?: number;
  /** A session to keep; null ends the one kept. */
  readonly session?: StoredSession | null;
  readonly requirement?: 'attestation' | 'signature';
  /** Seconds: how old what was presented may be at most; evidence, unless `requirement` names something else. */
  readonly maxAge?: number;
}

/** The parameters of the TAB challenge in a `WWW-Authenticate` field that may hold others (RFC 9110 section 11.6.1). */
const TAB_CHALLENGE = /(?:^|,)\s*TAB\s+((?:[a-z_]+=(?:"[^"]*"|[^\s",]+)(?:\s*,\s*)?)+)/i;

/** Reads the TAB headers of `response`. */
export function readAnswer(response: Response): TabAnswer {
  const { headers, ok } = response;
  const code = headers.get('tab-error') ?? undefined;
  const challenge = TAB_CHALLENGE.exec(headers.get('www-authenticate') ?? '')?.[1] ?? '';
  const requirement = /\brequirement="(attestation|signature)"/.exec(challenge)?.[1];
  return {
    error: ok ? undefined : code,
    monitor: headers.get('tab-monitor') ?? undefined,
    nonce: /^[A-Za-z0-9_.-]{22,256}$/.exec(headers.get('tab-nonce') ?? '')?.[0],
    skew: integer(/^-?\d{1,12}$/, headers.get('tab-skew')),
    session: readSession(headers.get('tab-session')),
    requirement: requirement as TabAnswer['requirement'],
    maxAge: integer(/^\d{1,9}$/, /\bmax_age=(\d+)/.exec(challenge)?.[1] ?? null),
  };
}

/** What to tell about a refusing answer. */
export function refusalOf(response: Response): RefusalFacts {
  return {
    status: response.status,
    tabError: response.headers.get('tab-error') ?? undefined,
    retryAfter: integer(/^\d{1,9}$/, response.headers.get('retry-after')),
  };
}

/** Lets the connection go: nobody will read this answer. Not waited for: a copy of it may still be read elsewhere. */
export function discard(response: Response): void {
  // The body may have failed already; the answer is given up either way.
  response.body?.cancel().catch(() => undefined);
}

/** The text of an answer, or undefined when it has more than `max` octets; cut off where `signal` fires. */
export async function readBounded(response: Response, max: number, signal?: AbortSignal): Promise<string | undefined> {
  const reader = response.body?.getReader();
  signal?.addEventListener('abort', () => void reader?.cancel().catch(() => undefined), { once: true });
  const decoder = new TextDecoder();
  let text = '';
  let length = 0;
  for (let part = await reader?.read(); part?.value; part = await reader?.read()) {
    length += part.value.length;
    if (length > max) {
      await reader?.cancel().catch(() => undefined);
      return undefined;
    }
    text += decoder.decode(part.value, { stream: true });
  }
  return text + decoder.decode();
}

function readSession(value: string | null): StoredSession | null | undefined {
  const match = /^([A-Za-z0-9_-]{22,64})?\s*;\s*expires=(\d{1,16})$/.exec(value ?? '');
  if (!match) return undefined;
  const [, id, expires] = match;
  if (Number(expires) === 0) return null;
  return id === undefined ? undefined : { id, expires: Number(expires) };
}

function integer(form: RegExp, value: string | null): number | undefined {
  return value !== null && form.test(value) ? Number(value) : undefined;
}
