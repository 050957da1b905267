import type { SqlRow, SqlValue } from '../database/statement.js';

/** How one kind of value is written and read. Both ways throw on what does not fit: nothing is cut off or guessed. */
export interface Codec {
  encode(value: unknown): SqlValue;
  decode(raw: unknown): unknown;
}

/** One column: the property it holds, its name, its codec. */
export interface Column {
  readonly property: string;
  readonly name: string;
  readonly codec: Codec;
}

/** The columns of a table, as one value of type `T`. */
export interface RowShape<T> {
  readonly columns: readonly Column[];
  /** Phantom member: which type the rows have. */
  readonly type?: T;
}

/** Text of at most `length` characters. Longer text is refused here: MySQL may be set to cut it off. */
export function text(length: number): Codec {
  const check = (value: unknown): string => {
    if (typeof value !== 'string') throw new RangeError('a text is missing');
    if (value.length > length) throw new RangeError(`a text is longer than ${length} characters`);
    return value;
  };
  return { encode: check, decode: check };
}

/** One of a fixed set of words. A word that this version does not know is refused, never passed on. */
export function word(words: readonly string[]): Codec {
  const check = (value: unknown): string => {
    if (typeof value !== 'string' || !words.includes(value))
      throw new RangeError(`expected one of ${words.join(', ')}`);
    return value;
  };
  return { encode: check, decode: check };
}

/** A safe integer. The drivers of PostgreSQL and MySQL return 64-bit integers as strings. */
export const integer: Codec = {
  encode: (value) => checkInteger(value),
  decode: (raw) =>
    checkInteger(
      typeof raw === 'string' && /^-?\d+$/.test(raw) ? Number(raw) : typeof raw === 'bigint' ? Number(raw) : raw,
    ),
};

function checkInteger(value: unknown): number {
  if (!Number.isSafeInteger(value)) throw new RangeError('expected a safe integer');
  return value as number;
}

/** Anything that JSON can hold. */
export const json: Codec = {
  encode: (value) => JSON.stringify(value),
  decode: (raw) => JSON.parse(text(Number.MAX_SAFE_INTEGER).decode(raw) as string) as unknown,
};

/** The same, or null. */
export function nullable(codec: Codec): Codec {
  return {
    encode: (value) => (value === null || value === undefined ? null : codec.encode(value)),
    decode: (raw) => (raw === null ? null : codec.decode(raw)),
  };
}

/** The values of the columns, in their order. */
export function encodeRow<T extends object>(shape: RowShape<T>, record: T): SqlValue[] {
  const values = record as Record<string, unknown>;
  return shape.columns.map(({ property, codec }) => guarded(property, () => codec.encode(values[property])));
}

/** Reads a record from columns that were selected under `prefix`. */
export function decodeRow<T extends object>(shape: RowShape<T>, row: SqlRow, prefix: string): T {
  const entries = shape.columns.map(({ property, name, codec }) => [
    property,
    guarded(property, () => codec.decode(row[prefix + name])),
  ]);
  return Object.fromEntries(entries) as T;
}

/** The select list, each column under `prefix`. */
export function selectList(shape: RowShape<object>, table: string, prefix: string): string {
  return shape.columns.map(({ name }) => `${table}.${name} AS ${prefix}${name}`).join(', ');
}

function guarded<T>(property: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new RangeError(`${property}: ${error instanceof Error ? error.message : 'does not fit'}`, { cause: error });
  }
}
