import { createHash } from 'node:crypto';
import { JTI_KEPT } from '../../../token/claim-key.js';
import { RESTART_FENCE } from '../../../token/time-window.js';
import type { Volatility } from '../../../nonces/nonce-store.js';

/** Seconds by which clocks differ at most: those of the nodes (PROTOCOL section 6), and those of Redis from theirs. */
const CLOCK_DIFFERENCE = 15;

/** A life of one bucket, as this process knows it. */
export interface Life {
  /** What Redis keeps of it, octet by octet. */
  readonly record: string;
  readonly id: string;
  readonly owner: string;
  /** From then on, by any of our clocks, this process can rely on it; seconds since the epoch. */
  readonly since: number;
}

/** What `LOOK` said. */
export interface Sighting {
  readonly record: string;
  readonly id: string;
  readonly owner: string;
  readonly since: number;
  readonly now: number;
}

const REPLY = /^(([A-Za-z0-9_-]{22}) ([0-9a-f]{40}|-) (\d{1,15})) (\d{1,15})$/;

/** Reads a reply of `LOOK`; undefined for anything but a life. */
export function readSighting(reply: unknown): Sighting | undefined {
  const [, record, id, owner, since, now] = (typeof reply === 'string' && REPLY.exec(reply)) || [];
  if (record === undefined || id === undefined || owner === undefined) return undefined;
  return { record, id, owner, since: Number(since), now: Number(now) };
}

/** A life that nothing can be claimed in, until another is seen. */
const NONE: Life = { record: '', id: '', owner: '', since: Number.MAX_SAFE_INTEGER };

/** The lives of all buckets. */
export class Lives {
  private readonly ofBucket = new Map<string, Life>();
  private volatility: Volatility | undefined;

  /** @param buckets their names, in the same order on all nodes */
  constructor(readonly buckets: readonly string[]) {}

  get(bucket: string): Life | undefined {
    return this.ofBucket.get(bucket);
  }

  /**
   * Takes note of a life.
   *
   * @param now by the clock of this node, in seconds
   */
  see(bucket: string, { record, id, owner, since, now: serverNow }: Sighting, now: number): void {
    const known = this.ofBucket.get(bucket);
    if (known?.record === record) return;
    // The time by our clocks, should that of Redis be slow; a fast one only makes the start later.
    const start = since + Math.max(now - serverNow, 0);
    // One that takes the place of another counts from now: requests under way were let in while the former was relied on.
    this.put(bucket, { record, id, owner, since: known === undefined ? start : Math.max(start, serverNow, now) });
  }

  /** Relies on nothing in this bucket until a life of it is seen again. */
  lose(bucket: string): void {
    this.put(bucket, NONE);
  }

  /** One epoch and start for all buckets; undefined until each has been seen. */
  summary(): Volatility | undefined {
    if (this.ofBucket.size < this.buckets.length) return undefined;
    this.volatility ??= summarise(this.buckets.map((bucket) => this.ofBucket.get(bucket) ?? NONE));
    return this.volatility;
  }

  private put(bucket: string, life: Life): void {
    this.ofBucket.set(bucket, life);
    this.volatility = undefined;
  }
}

function summarise(lives: readonly Life[]): Volatility {
  const epoch = createHash('sha256')
    .update(lives.map(({ id }) => id).join(' '))
    .digest('base64url');
  return Object.freeze({ epoch, startedAt: Math.max(...lives.map(({ since }) => since)) + CLOCK_DIFFERENCE });
}

/**
 * Whether a claim may be of a token that was spent before the life began, and is forgotten now. `expiresAt` of a `jti` says
 * when its token was made, and no token was accepted before its time, by clocks that differ by 15 s and forgive 15 s.
 */
export function isOlderThan(expiresAt: number, { since }: Life): boolean {
  return expiresAt - JTI_KEPT <= since + CLOCK_DIFFERENCE + RESTART_FENCE;
}

/** Seconds until tokens that are made then can be claimed in a life, 1 to 30. */
export function secondsUntilOpen({ since }: Life, now: number): number {
  return Math.min(Math.max(since + CLOCK_DIFFERENCE + RESTART_FENCE - now + 1, 1), CLOCK_DIFFERENCE + RESTART_FENCE);
}
