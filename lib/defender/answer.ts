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
}

/** Reads the TAB headers of `response`. */
export function readAnswer(response: Response): TabAnswer {
  const { headers, ok } = response;
  const code = headers.get('tab-error') ?? undefined;
  const requirement = /(?:^|[\s,])requirement="(attestation|signature)"/.exec(
    headers.get('www-authenticate') ?? '',
  )?.[1];
  return {
    error: ok ? undefined : code,
    monitor: headers.get('tab-monitor') ?? undefined,
    nonce: /^[A-Za-z0-9_.-]{22,256}$/.exec(headers.get('tab-nonce') ?? '')?.[0],
    skew: integer(/^-?\d{1,12}$/, headers.get('tab-skew')),
    session: readSession(headers.get('tab-session')),
    requirement: requirement as TabAnswer['requirement'],
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

/** Lets the connection go: nobody will read this answer. */
export async function discard(response: Response): Promise<void> {
  // The body may have failed already; the answer is given up either way.
  await response.body?.cancel().catch(() => undefined);
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
