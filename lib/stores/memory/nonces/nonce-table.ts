import { Chains } from './chains.js';
import { EntryArena, NONE } from './entry-arena.js';
import { ExpiryOrder } from './expiry-order.js';
import { KEY_WORDS, writeKey } from './key-words.js';
import type { HashKey } from './keyed-hash.js';

/** Entries at most, whatever the settings say: entries are numbered in 31 bits. 32 GB. */
export const MOST_NONCES = 2 ** 30;

/**
 * Keys with the second at which each is over: a set that is exact, about 40 octets a key, and has no slow step. Memory that
 * was needed once is kept for what comes.
 */
export class NonceTable {
  private readonly arena = new EntryArena();
  private readonly chains = new Chains(this.arena);
  private readonly order = new ExpiryOrder();
  private readonly key = new Int32Array(KEY_WORDS);
  private count = 0;
  private removedUntil = -1;

  /** @param max entries at most, 1 to `MOST_NONCES` */
  constructor(
    private readonly max: number,
    private readonly hash: HashKey,
  ) {}

  get size(): number {
    return this.count;
  }

  /** Adds a key that is over at `second`: `known` when it is there already, under whatever second; `full` when nothing fits. */
  add(key: string, second: number): 'added' | 'known' | 'full' {
    writeKey(key, this.key);
    const hash = this.hash(this.key);
    if (this.chains.find(this.key, hash) !== NONE) return 'known';
    if (this.count >= this.max) return 'full';
    const entry = this.arena.allocate(this.key, hash, this.chains.firstOf(hash), this.order.firstOf(second));
    this.order.setFirst(second, entry);
    this.chains.add(entry, hash, ++this.count);
    return 'added';
  }

  /** The latest second of which a key was removed, -1 before any was: of this second and earlier ones, not all is known any more. */
  get forgottenUntil(): number {
    return this.removedUntil;
  }

  /** Removes up to `limit` keys that were over before `time`, the earliest first; returns how many. */
  removeBefore(time: number, limit: number): number {
    let removed = 0;
    for (; removed < limit; removed++) {
      const second = this.order.earliest();
      if (second === undefined || second >= time) break;
      this.remove(this.order.firstOf(second), second);
    }
    return removed;
  }

  private remove(entry: number, second: number): void {
    this.order.setFirst(second, this.arena.nextInSecond(entry));
    this.chains.remove(entry);
    this.arena.free(entry);
    this.count--;
    this.removedUntil = Math.max(this.removedUntil, second);
  }
}
