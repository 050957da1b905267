import { TabError } from '../errors/tab-error.js';

/** A request target in origin form (RFC 9112 section 3.2.1), split at the first `?`. */
export interface RequestTarget {
  /** The path octets exactly as sent. */
  readonly path: string;
  /** The octets after the first `?`; empty when there are none. */
  readonly query: string;
}

const ORIGIN_FORM = /^\/[\x21\x22\x24-\x5b\x5d-\x7e]*$/;
const DOT_SEGMENT = /\/(?:\.|%2e){1,2}(?=\/|$)/i;

/**
 * Splits a request target. What routers and proxies read in more than one way is refused: absolute form, `#`, `\`,
 * octets outside 0x21–0x7E, and dot segments, plain or encoded.
 */
export function parseTarget(target: string): RequestTarget {
  if (!ORIGIN_FORM.test(target)) throw new TabError('request_mismatch', 'target is not in a plain origin form');
  const mark = target.indexOf('?');
  const path = mark === -1 ? target : target.slice(0, mark);
  if (DOT_SEGMENT.test(path)) throw new TabError('request_mismatch', 'target has a dot segment');
  return { path, query: mark === -1 ? '' : target.slice(mark + 1) };
}
