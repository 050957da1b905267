/** How one kind of value is written as a text and read. Both ways throw on what does not fit: nothing is cut off or guessed. */
export interface Codec<T> {
  encode(value: T): string;
  decode(text: string): T;
}

const INTEGER = /^(?:0|-?[1-9]\d{0,15})$/;

/** A safe integer. */
export const integer: Codec<number> = {
  encode: (value) => String(safe(value)),
  decode: (text) => {
    if (!INTEGER.test(text)) throw new RangeError('not an integer');
    return safe(Number(text));
  },
};

function safe(value: number): number {
  if (!Number.isSafeInteger(value)) throw new RangeError('not a safe integer');
  return value;
}

/** Printable ASCII without spaces, 1 to `length` characters: ids, hashes and names, which may end up in an index. */
export function name(length: number): Codec<string> {
  const check = (value: string): string => {
    if (typeof value !== 'string' || !/^[!-~]+$/.test(value) || value.length > length)
      throw new RangeError(`expected 1 to ${length} printable characters without spaces`);
    return value;
  };
  return { encode: check, decode: check };
}

/** One of a fixed set of words. A word that this version does not know is refused, never passed on. */
export function word<T extends string>(words: readonly T[]): Codec<T> {
  const check = (value: string): T => {
    const found = words.find((one) => one === value);
    if (found === undefined) throw new RangeError(`expected one of ${words.join(', ')}`);
    return found;
  };
  return { encode: check, decode: check };
}

/** Text of at most `length` characters, as JSON: one line, whatever is in it. */
export function text(length: number): Codec<string> {
  const check = (value: unknown): string => {
    if (typeof value !== 'string' || value.length > length)
      throw new RangeError(`expected a text of at most ${length} characters`);
    return value;
  };
  return { encode: (value) => JSON.stringify(check(value)), decode: (line) => check(JSON.parse(line)) };
}

/** An object, as JSON. */
export function record<T extends object>(): Codec<T> {
  const check = (value: unknown): T => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new RangeError('expected an object');
    return value as T;
  };
  return { encode: (value) => JSON.stringify(check(value)), decode: (line) => check(JSON.parse(line)) };
}

/** Names in one line, with a space between them. */
export function names(length: number): Codec<readonly string[]> {
  const one = name(length);
  return {
    encode: (value) => value.map((each) => one.encode(each)).join(' '),
    decode: (line) => (line === '' ? [] : line.split(' ').map((each) => one.decode(each))),
  };
}

/** The same, or null, which is an empty line. */
export function nullable<T>(codec: Codec<T>): Codec<T | null> {
  return {
    encode: (value) => (value === null ? '' : codec.encode(value)),
    decode: (line) => (line === '' ? null : codec.decode(line)),
  };
}

/**
 * A time as a text of 17 digits whose order is that of the numbers.
 *
 * @throws RangeError when it is not a safe integer
 */
export function sortable(time: number): string {
  return (BigInt(safe(time)) + 2n ** 53n).toString().padStart(17, '0');
}
