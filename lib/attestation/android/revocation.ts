import { TabConfigError, TabError } from '../../errors/tab-error.js';
import type { FetchLike } from '../jose/bounded-fetch.js';
import { CachedDocument } from '../loaders/cached-document.js';
import { checkDocumentUrl } from '../loaders/document-url.js';
import { readStatusList, type RevokedSerials } from './status-list.js';

/** Google's list of attestation certificates that were withdrawn. */
export const GOOGLE_STATUS_LIST = 'https://android.googleapis.com/attestation/status';

/** Options of `androidRevocation`. */
export interface AndroidRevocationOptions {
  /** Default Google's own list, `https://android.googleapis.com/attestation/status`. `http:` only to a loopback host. */
  readonly url?: string;
  /** Fetches it; default the global `fetch`. */
  readonly fetch?: FetchLike;
  /** Seconds that one call may take, with its content; default 10, at most 30. */
  readonly timeout?: number;
  /**
   * Seconds that a copy may be used while no newer one can be had, or whatever its headers say; default 259,200 (3 days), at
   * most 2,592,000.
   */
  readonly maxAge?: number;
  /**
   * What happens when there is no such copy: `closed` (default): enrolments are refused with `store_unavailable`; `open`: they
   * go through without the check, and every one is told to `onWarning`.
   */
  readonly onUnavailable?: 'closed' | 'open';
  /** Milliseconds since the epoch; default the system clock. */
  readonly clock?: () => number;
  /** Told when the list cannot be fetched; default `process.emitWarning`. Connect it to an alarm. */
  readonly onWarning?: (message: string) => void;
}

/** Where revoked serials come from. */
export interface AndroidRevocation {
  /** The list as it is now. @throws TabError `store_unavailable` when it cannot be had */
  load(): Promise<RevokedSerials>;
}

const SECOND = 1000;
/** Octets; the list had some 60 kB in 2025. */
const MAX_BYTES = 8 * 1024 * 1024;
/** What Google's own `max-age` may be: a minute at least, a day at most; an hour where there is none. */
const FRESHNESS = { min: 60 * SECOND, max: 86_400 * SECOND, or: 3600 * SECOND } as const;
const NAME = 'the Android revocation list';

function fail(message: string): never {
  throw new TabConfigError(`androidRevocation: ${message}`);
}

function milliseconds(value: number, range: { min: number; max: number }, where: string): number {
  if (typeof value === 'number' && value >= range.min && value <= range.max) return Math.ceil(value * SECOND);
  return fail(`${where} must be a number of seconds from ${range.min} to ${range.max}`);
}

function checkFunction(value: unknown, where: string): void {
  if (value !== undefined && typeof value !== 'function') fail(`${where} must be a function, or be left out`);
}

function emitWarning(message: string): void {
  process.emitWarning(message, { type: 'TabWarning', code: 'TAB_ANDROID_REVOCATION' });
}

function documentOf(options: AndroidRevocationOptions, onWarning: (message: string) => void) {
  const { url = GOOGLE_STATUS_LIST, fetch, timeout = 10, maxAge = 259_200, clock = Date.now } = options;
  return new CachedDocument<RevokedSerials>({
    name: NAME,
    url: checkDocumentUrl(url, 'androidRevocation: url', 'https://mirror.example/status').href,
    read: readStatusList,
    fetch,
    maxBytes: MAX_BYTES,
    timeout: milliseconds(timeout, { min: 0.01, max: 30 }, 'timeout'),
    freshness: FRESHNESS,
    maxAge: milliseconds(maxAge, { min: 60, max: 2_592_000 }, 'maxAge'),
    clock,
    onWarning,
  });
}

/**
 * The list of withdrawn attestation certificates, fetched at first use and kept by its HTTP headers. Share one among the
 * attesters of several apps.
 *
 * @throws TabConfigError when an option cannot work
 */
export function androidRevocation(options: AndroidRevocationOptions = {}): AndroidRevocation {
  if (typeof options !== 'object' || options === null) return fail('give an object, or nothing');
  const { onUnavailable = 'closed', onWarning = emitWarning } = options;
  if (onUnavailable !== 'closed' && onUnavailable !== 'open') fail('onUnavailable must be "closed" or "open"');
  checkFunction(options.fetch, 'fetch');
  checkFunction(options.clock, 'clock');
  checkFunction(onWarning, 'onWarning');
  const list = documentOf(options, onWarning);
  return {
    load: async () => {
      try {
        return await list.get();
      } catch (error) {
        if (onUnavailable === 'closed' || !(error instanceof TabError)) throw error;
        onWarning(`${NAME} is unavailable: an enrolment was let through without it`);
        return () => false;
      }
    },
  };
}
