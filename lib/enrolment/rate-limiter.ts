import { isIPv6 } from 'node:net';
import { LRUCache } from 'lru-cache';
import { TabError } from '../errors/tab-error.js';

const WINDOW = 60;
/** Addresses kept at a time. Past that the longest unused is forgotten, which can only be generous. */
const MAX_ADDRESSES = 100_000;

interface Window {
  readonly startedAt: number;
  count: number;
}

/** Counts calls per network address in windows of a minute, on this node. */
export class RateLimiter {
  readonly #limit: number;
  readonly #windows = new LRUCache<string, Window>({ max: MAX_ADDRESSES });

  /** @param limit calls a minute for one address */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Counts a call.
   *
   * @param now seconds since the epoch
   * @throws TabError `rate_limited`
   */
  check(address: string, now: number): void {
    const key = networkOf(address);
    let window = this.#windows.get(key);
    if (window === undefined || now >= window.startedAt + WINDOW || now < window.startedAt) {
      window = { startedAt: now, count: 0 };
      this.#windows.set(key, window);
    }
    window.count += 1;
    if (window.count > this.#limit) {
      throw new TabError('rate_limited', 'too many calls from one address', {
        hints: { retryAfter: window.startedAt + WINDOW - now },
      });
    }
  }
}

/** One subscriber holds a whole IPv6 /64, so that is what is counted; IPv4 addresses are counted one by one. */
function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [head, tail] = (address.split('%', 1)[0] as string).toLowerCase().split('::') as [string, string?];
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  const groups = [...left, ...Array<string>(zeros).fill('0'), ...right];
  return groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':');
}
