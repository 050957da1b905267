import { NONE, type EntryArena } from './entry-arena.js';

/** Heads of a block, 16 KB. */
const BLOCK_BITS = 12;
const BLOCK_HEADS = 2 ** BLOCK_BITS;
const BLOCK_MASK = BLOCK_HEADS - 1;

/** Chains at the start; a power of two. */
const FIRST = 1024;

/**
 * The hash index over the entries, by linear hashing (Litwin, 1980): there is one chain for each entry, and each entry that
 * makes one too few splits one chain in two. So the index grows by one chain at a time. There is never a moment at which
 * everything has to be hashed again, which at millions of entries would hold up the event loop.
 */
export class Chains {
  private readonly heads: Int32Array[] = [new Int32Array(BLOCK_HEADS)];
  /** Chains when this round of splitting began; a power of two. */
  private base = FIRST;
  /** Those before it have been split in this round. */
  private split = 0;

  constructor(private readonly arena: EntryArena) {}

  /** The entry of a key, or `NONE`. */
  find(key: Int32Array, hash: number): number {
    let entry = this.head(this.chainOf(hash));
    while (entry !== NONE && !this.arena.has(entry, key, hash)) entry = this.arena.nextInChain(entry);
    return entry;
  }

  /** What the next entry of this hash comes before. */
  firstOf(hash: number): number {
    return this.head(this.chainOf(hash));
  }

  /**
   * Puts an entry before `firstOf` its hash.
   *
   * @param size entries in all, this one included
   */
  add(entry: number, hash: number, size: number): void {
    this.setHead(this.chainOf(hash), entry);
    if (size > this.base + this.split) this.grow();
  }

  remove(entry: number): void {
    const chain = this.chainOf(this.arena.hashOf(entry));
    const next = this.arena.nextInChain(entry);
    let before = this.head(chain);
    if (before === entry) return this.setHead(chain, next);
    while (this.arena.nextInChain(before) !== entry) before = this.arena.nextInChain(before);
    this.arena.setNextInChain(before, next);
  }

  /** Splits one chain: its entries stay, or go to the one that is new, by the next bit of their hash. */
  private grow(): void {
    const [from, to, bit] = [this.split, this.base + this.split, this.base];
    if (to >>> BLOCK_BITS >= this.heads.length) this.heads.push(new Int32Array(BLOCK_HEADS));
    let entry = this.head(from);
    this.setHead(from, NONE);
    while (entry !== NONE) {
      const next = this.arena.nextInChain(entry);
      const chain = (this.arena.hashOf(entry) & bit) === 0 ? from : to;
      this.arena.setNextInChain(entry, this.head(chain));
      this.setHead(chain, entry);
      entry = next;
    }
    if (++this.split < this.base) return;
    this.base *= 2;
    this.split = 0;
  }

  private chainOf(hash: number): number {
    const chain = hash & (this.base - 1);
    return chain < this.split ? hash & (this.base * 2 - 1) : chain;
  }

  private head(chain: number): number {
    return (this.heads[chain >>> BLOCK_BITS] as Int32Array)[chain & BLOCK_MASK] as number;
  }

  private setHead(chain: number, entry: number): void {
    (this.heads[chain >>> BLOCK_BITS] as Int32Array)[chain & BLOCK_MASK] = entry;
  }
}
