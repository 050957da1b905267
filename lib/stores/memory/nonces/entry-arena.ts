import { KEY_WORDS } from './key-words.js';

/** Number of no entry; entries are numbered from 1. */
export const NONE = 0;

/** Words of an entry: the key, its hash, the next entry of its chain, the next of its second. 32 octets. */
const ENTRY_WORDS = KEY_WORDS + 3;
const HASH = KEY_WORDS;
const NEXT_IN_CHAIN = KEY_WORDS + 1;
const NEXT_IN_SECOND = KEY_WORDS + 2;

/** Entries of a block, 128 KB: what a claim may have to allocate, and no more, however many there are. */
const BLOCK_BITS = 12;
const BLOCK_ENTRIES = 2 ** BLOCK_BITS;
const BLOCK_MASK = BLOCK_ENTRIES - 1;

/**
 * Entries of a fixed size in blocks of plain numbers, which the garbage collector never walks. They are named by number and
 * never move; those that were freed are used again before a block is added.
 */
export class EntryArena {
  private readonly blocks: Int32Array[] = [];
  /** The first of the freed entries; each names the next in the place of its chain. */
  private freed = NONE;
  private unused = NONE + 1;

  /** An entry with this key and hash, first of its chain and of its second. */
  allocate(key: Int32Array, hash: number, nextInChain: number, nextInSecond: number): number {
    const entry = this.take();
    const [block, at] = [this.blockOf(entry), offsetOf(entry)];
    for (let word = 0; word < KEY_WORDS; word++) block[at + word] = key[word] as number;
    block[at + HASH] = hash;
    block[at + NEXT_IN_CHAIN] = nextInChain;
    block[at + NEXT_IN_SECOND] = nextInSecond;
    return entry;
  }

  /** The caller has taken it out of its chain and of its second. */
  free(entry: number): void {
    this.setNextInChain(entry, this.freed);
    this.freed = entry;
  }

  /** Whether an entry has this key, all of it. */
  has(entry: number, key: Int32Array, hash: number): boolean {
    const [block, at] = [this.blockOf(entry), offsetOf(entry)];
    if (block[at + HASH] !== hash) return false;
    for (let word = 0; word < KEY_WORDS; word++) if (block[at + word] !== key[word]) return false;
    return true;
  }

  hashOf(entry: number): number {
    return this.blockOf(entry)[offsetOf(entry) + HASH] as number;
  }

  nextInChain(entry: number): number {
    return this.blockOf(entry)[offsetOf(entry) + NEXT_IN_CHAIN] as number;
  }

  setNextInChain(entry: number, next: number): void {
    this.blockOf(entry)[offsetOf(entry) + NEXT_IN_CHAIN] = next;
  }

  nextInSecond(entry: number): number {
    return this.blockOf(entry)[offsetOf(entry) + NEXT_IN_SECOND] as number;
  }

  private take(): number {
    if (this.freed !== NONE) {
      const entry = this.freed;
      this.freed = this.nextInChain(entry);
      return entry;
    }
    const entry = this.unused++;
    if (entry >>> BLOCK_BITS >= this.blocks.length) this.blocks.push(new Int32Array(BLOCK_ENTRIES * ENTRY_WORDS));
    return entry;
  }

  private blockOf(entry: number): Int32Array {
    return this.blocks[entry >>> BLOCK_BITS] as Int32Array;
  }
}

function offsetOf(entry: number): number {
  return (entry & BLOCK_MASK) * ENTRY_WORDS;
}
