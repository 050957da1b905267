import { randomBytes } from 'node:crypto';
import { TabError } from '../../errors/tab-error.js';
import { assertClaimArguments } from '../../nonces/claim-arguments.js';
import { NonceStore, type Volatility } from '../../nonces/nonce-store.js';
import { keyedHash } from './nonces/keyed-hash.js';
import { NonceTable } from './nonces/nonce-table.js';

/** Expired entries that one claim clears away: more than it adds, so that clearing keeps up with any load. */
const CLEARED_PER_CLAIM = 16;

/** Used nonces in the memory of one process: right for one node, and forgotten when it ends. */
export class MemoryNonceStore extends NonceStore {
  private readonly table: NonceTable;
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
    this.table = new NonceTable(maxNonces, keyedHash(randomBytes(8)));
    this.life = Object.freeze({ epoch: randomBytes(16).toString('base64url'), startedAt: this.now() });
  }

  /** One synchronous step: nothing else runs between the look and the write. */
  override async claim(key: string, expiresAt: number): Promise<boolean> {
    assertClaimArguments(key, expiresAt);
    const now = this.now();
    // An entry that is over already would be cleared away by the next claim, which could then win with the same key. What was
    // over once stays over when the clock steps back: keys of that second have been forgotten.
    if (expiresAt < now || expiresAt <= this.table.forgottenUntil) {
      throw new TabError('store_unavailable', 'the claim is over by the clock of the store: give both the same clock');
    }
    this.table.removeBefore(now, CLEARED_PER_CLAIM);
    const outcome = this.table.add(key, expiresAt);
    if (outcome !== 'full') return outcome === 'added';
    throw new TabError(
      'store_unavailable',
      `all ${this.maxNonces} nonces are live: raise maxNonces or use a shared store`,
    );
  }

  /** The clock of the store alone decides what is over: a caller whose clock is ahead removes nothing that is live here. */
  override async sweep(now: number, limit: number): Promise<number> {
    return this.table.removeBefore(Math.min(now, this.now()), limit);
  }

  override get volatility(): Volatility {
    return this.life;
  }

  private now(): number {
    return Math.floor(this.clock() / 1000);
  }
}
