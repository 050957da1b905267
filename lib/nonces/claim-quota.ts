import { LRUCache } from 'lru-cache';
import { TabError } from '../errors/tab-error.js';

/** Seconds of one bucket: claims that end in it count until its end, so a little longer than they live. */
const BUCKET = 10;
/** Instances counted at a time. Past that the longest unused is forgotten, which can only be generous. */
const MAX_INSTANCES = 20_000;
/** Seconds: no claim of a request lives longer (a challenge of an hour, kept for a minute more, made by a clock ahead). */
const LONGEST = 4_000;

interface Live {
  total: number;
  /** Claims by the bucket in which they end. */
  readonly byBucket: Map<number, number>;
}

const bucketOf = (expiresAt: number): number => Math.floor(expiresAt / BUCKET);

/**
 * Bounds the live claims of one instance in this process (PROTOCOL section 6), so that a key that was enrolled cannot fill
 * the store of used nonces for everybody. Instances must have proven their key before they are counted.
 */
export class ClaimQuota {
  readonly #limit: number;
  readonly #instances: LRUCache<string, Live>;

  /** @param limit live claims of one instance */
  constructor(limit: number, maxInstances = MAX_INSTANCES) {
    this.#limit = limit;
    this.#instances = new LRUCache({ max: maxInstances });
  }

  /**
   * Counts a claim before it is made.
   *
   * @param expiresAt of the claim; seconds, as `now`
   * @throws TabError `rate_limited`, and counts nothing
   */
  take(instanceId: string, expiresAt: number, now: number): void {
    const live = this.#liveOf(instanceId, now);
    if (live.total >= this.#limit) {
      throw new TabError('rate_limited', 'too many live claims of one instance', {
        hints: { retryAfter: secondsUntilRoom(live, now) },
      });
    }
    const bucket = bucketOf(expiresAt);
    live.byBucket.set(bucket, (live.byBucket.get(bucket) ?? 0) + 1);
    live.total += 1;
  }

  /** Gives back what `take` counted, when the claim certainly added nothing: replays must not use up an instance's share. */
  release(instanceId: string, expiresAt: number): void {
    const live = this.#instances.get(instanceId);
    const bucket = bucketOf(expiresAt);
    const count = live?.byBucket.get(bucket);
    // It may be over, or its instance forgotten, by now.
    if (live === undefined || count === undefined) return;
    if (count === 1) live.byBucket.delete(bucket);
    else live.byBucket.set(bucket, count - 1);
    live.total -= 1;
  }

  /** How many instances are counted at present. */
  get size(): number {
    return this.#instances.size;
  }

  #liveOf(instanceId: string, now: number): Live {
    let live = this.#instances.get(instanceId);
    if (live === undefined) this.#instances.set(instanceId, (live = { total: 0, byBucket: new Map() }));
    for (const [bucket, count] of live.byBucket) {
      // What is over, and, after the clock was set back, what would now count for hours.
      if ((bucket + 1) * BUCKET > now && bucket * BUCKET <= now + LONGEST) continue;
      live.byBucket.delete(bucket);
      live.total -= count;
    }
    return live;
  }
}

function secondsUntilRoom({ byBucket }: Live, now: number): number {
  return Math.max(1, (Math.min(...byBucket.keys()) + 1) * BUCKET - now);
}
