import { LRUCache } from 'lru-cache';
import type { TokenHeader } from '../token/header.js';
import type { ParsedToken } from './steps.types.js';

/** Characters of a header that is kept: what a client needs, under a proof key too. Members that nobody reads make it longer. */
const LONGEST = 256;

/**
 * Headers that were read before, by their text: all tokens of an instance have the same one. Only those of tokens that were
 * found authentic are kept, so that a flood of others cannot displace them.
 */
export class KnownHeaders {
  readonly #headers: LRUCache<string, TokenHeader>;

  /** @param size headers kept */
  constructor(size: number) {
    this.#headers = new LRUCache({ max: size });
  }

  /** What the text was read as. */
  get(text: string): TokenHeader | undefined {
    return this.#headers.get(text);
  }

  /** Keeps the header of an authentic token. */
  keep({ header, newHeader }: ParsedToken): void {
    if (newHeader === undefined || newHeader.length > LONGEST) return;
    // A copy: a part of the token would keep all of it in memory.
    this.#headers.set(Buffer.from(newHeader, 'latin1').toString('latin1'), header);
  }
}
