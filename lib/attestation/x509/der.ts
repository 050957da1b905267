/** An encoding that is not strict DER, or not the structure that was asked for. Never leaves this folder's callers. */
export class DerError extends Error {
  override readonly name = 'DerError';
}

/** First octets of the universal types that are read here (X.690 section 8). */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  sequence: 0x30,
  set: 0x31,
  utcTime: 0x17,
  generalizedTime: 0x18,
} as const;

const CONTEXT_CONSTRUCTED = 0xa0;
const CLASS_BITS = 0xe0;
const HIGH_TAG = 0x1f;
/** Largest tag number that is read; Android's largest is in the hundreds. */
const TAG_NUMBER_MAX = 0xffff;
/** Octets of a length that are read: content of up to 16 MB. */
const LENGTH_OCTETS_MAX = 3;

/** One element: where it lies, not yet what it means. */
export interface DerValue {
  /** The first octet without its number: class and form; for numbers below 31 the whole first octet. */
  readonly tag: number;
  /** The tag number. */
  readonly number: number;
  readonly content: Uint8Array;
  /** Tag, length and content. */
  readonly encoded: Uint8Array;
}

function fail(reason: string): never {
  throw new DerError(reason);
}

/**
 * Reads DER elements one after the other (X.690 section 10). It goes no deeper than its caller asks, so that nesting costs
 * nothing, and takes definite lengths and tags in their shortest form only, so that a structure has one encoding.
 */
export class DerReader {
  readonly #octets: Uint8Array;
  #offset = 0;

  constructor(octets: Uint8Array) {
    this.#octets = octets;
  }

  /** Whether everything has been read. */
  get done(): boolean {
    return this.#offset === this.#octets.length;
  }

  /** Whether the next element begins with this octet. */
  at(tag: number): boolean {
    return this.#octets[this.#offset] === tag;
  }

  /** Ensures that nothing follows. */
  end(): void {
    if (!this.done) fail('octets follow the last element');
  }

  /** The next element, whatever it is. */
  next(): DerValue {
    const start = this.#offset;
    const first = this.#octet();
    const short = (first & HIGH_TAG) !== HIGH_TAG;
    const number = short ? first & HIGH_TAG : this.#tagNumber();
    const length = this.#length();
    const begin = this.#offset;
    if (length > this.#octets.length - begin) fail('an element is longer than what holds it');
    this.#offset = begin + length;
    return {
      tag: short ? first : first & CLASS_BITS,
      number,
      content: this.#octets.subarray(begin, this.#offset),
      encoded: this.#octets.subarray(start, this.#offset),
    };
  }

  /** The content of the next element, which must begin with this octet. */
  read(tag: number): Uint8Array {
    return this.element(tag).content;
  }

  /** The next element, which must begin with this octet. */
  element(tag: number): DerValue {
    if (!this.at(tag)) fail('an element is not of the expected type');
    return this.next();
  }

  /** A reader of the content of the next element, which must begin with this octet. */
  into(tag: number): DerReader {
    return new DerReader(this.read(tag));
  }

  #octet(): number {
    const octet = this.#octets[this.#offset];
    if (octet === undefined) fail('the encoding is truncated');
    this.#offset += 1;
    return octet;
  }

  /** A number of 31 or above, base 128, without leading zeros. */
  #tagNumber(): number {
    let number = 0;
    for (;;) {
      const octet = this.#octet();
      if (number === 0 && octet === 0x80) fail('a tag number has leading zeros');
      number = number * 128 + (octet & 0x7f);
      if (number > TAG_NUMBER_MAX) fail('a tag number is too large');
      if (octet < 0x80) break;
    }
    return number >= HIGH_TAG ? number : fail('a tag is not in its shortest form');
  }

  #length(): number {
    const first = this.#octet();
    if (first < 0x80) return first;
    const octets = first & 0x7f;
    if (octets === 0) fail('a length is indefinite');
    if (octets > LENGTH_OCTETS_MAX) fail('a length is too large');
    let length = 0;
    for (let read = 0; read < octets; read += 1) length = length * 256 + this.#octet();
    const shortest = octets === 1 ? length >= 0x80 : length >= 256 ** (octets - 1);
    return shortest ? length : fail('a length is not in its shortest form');
  }
}

/** The first octet of a constructed, context-specific element with a number below 31. */
export function contextTag(number: number): number {
  return CONTEXT_CONSTRUCTED | number;
}

/** Whether an element is constructed and context-specific, as EXPLICIT tags are. */
export function isExplicit({ tag }: DerValue): boolean {
  return (tag & CLASS_BITS) === CONTEXT_CONSTRUCTED;
}

/** A reader of octets that hold exactly one SEQUENCE: of its content. */
export function readSequence(octets: Uint8Array): DerReader {
  const outer = new DerReader(octets);
  const inner = outer.into(TAG.sequence);
  outer.end();
  return inner;
}
