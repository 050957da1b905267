import { randomBytes } from 'node:crypto';
import { TabError } from '../../errors/tab-error.js';
import { assertClaimArguments } from '../../nonces/claim-arguments.js';
import { NonceStore, type Volatility } from '../../nonces/nonce-store.js';
import { ExpiryBuckets } from './expiry-buckets.js';

/** Expired entries that one claim clears away: more than it adds, so that clearing keeps up with any load. */
const CLEARED_PER_CLAIM = 16;

/** Used nonces in the memory of one process: right for one node, and forgotten when it ends. */
export class MemoryNonceStore extends NonceStore {
  private readonly keys = new Set<string>();
  private readonly expiry: ExpiryBuckets;
  private readonly life: Volatility;

  /**
   * @param maxNonces live entries at most; a claim beyond that rejects
   * @param clock milliseconds since the epoch
   */
  constructor(
    private readonly maxNonces: number,
    private readonly clock: () => number,
  ) {
    super();
    const startedAt = this.now();
    this.expiry = new ExpiryBuckets(startedAt);
    this.life = Object.freeze({ epoch: randomBytes(16).toString('base64url'), startedAt });
  }

  /** One synchronous step: nothing else runs between the look and the write. */
  override async claim(key: string, expiresAt: number): Promise<boolean> {
    assertClaimArguments(key, expiresAt);
    const now = this.now();
    // An entry that is over already would be cleared away by the next claim, which could then win with the same key.
    if (expiresAt < now) {
      throw new TabError('store_unavailable', 'the claim is over by the clock of the store: give both the same clock');
    }
    this.clear(now, CLEARED_PER_CLAIM);
    if (this.keys.has(key)) return false;
    if (this.keys.size >= this.maxNonces) {
      throw new TabError(
        'store_unavailable',
        `all ${this.maxNonces} nonces are live: raise maxNonces or use a shared store`,
      );
    }
    this.keys.add(key);
    this.expiry.add(key, expiresAt);
    return true;
  }

  override async sweep(now: number, limit: number): Promise<number> {
    return this.clear(now, limit);
  }

  override get volatility(): Volatility {
    return this.life;
  }

  private clear(now: number, limit: number): number {
    const expired = this.expiry.take(now, limit);
    for (const key of expired) this.keys.delete(key);
    return expired.length;
  }

  private now(): number {
    return Math.floor(this.clock() / 1000);
  }
}
