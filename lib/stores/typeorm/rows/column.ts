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
  decode: (raw) => {
    if (typeof raw === 'string' && WHOLE.test(raw)) return checkInteger(Number(raw));
    return checkInteger(typeof raw === 'bigint' ? Number(raw) : raw);
  },
};

const WHOLE = /^-?\d+$/;

function checkInteger(value: unknown): number {
  if (!Number.isSafeInteger(value)) throw new RangeError('expected a safe integer');
  return value as number;
}

const anyText = text(Number.MAX_SAFE_INTEGER);

/** Anything that JSON can hold. */
export const json: Codec = {
  encode: (value) => JSON.stringify(value),
  decode: (raw) => JSON.parse(anyText.decode(raw) as string) as unknown,
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

/** The names under which the columns of a shape are selected, by prefix. Putting them together for every row takes longest. */
const aliases = new WeakMap<RowShape<object>, Map<string, readonly string[]>>();

function aliasesOf(shape: RowShape<object>, prefix: string): readonly string[] {
  let byPrefix = aliases.get(shape);
  if (!byPrefix) aliases.set(shape, (byPrefix = new Map()));
  let names = byPrefix.get(prefix);
  if (!names) byPrefix.set(prefix, (names = shape.columns.map(({ name }) => prefix + name)));
  return names;
}

/** Reads a record from columns that were selected under `prefix`. */
export function decodeRow<T extends object>(shape: RowShape<T>, row: SqlRow, prefix: string): T {
  const names = aliasesOf(shape, prefix);
  const record: Record<string, unknown> = {};
  let index = 0;
  // Without a closure for each column: every load reads close to thirty of them.
  for (const { property, codec } of shape.columns) {
    try {
      record[property] = codec.decode(row[names[index++] as string]);
    } catch (error) {
      throw misfit(property, error);
    }
  }
  return record as T;
}

/** The select list, each column under `prefix`. */
export function selectList(shape: RowShape<object>, table: string, prefix: string): string {
  return shape.columns.map(({ name }) => `${table}.${name} AS ${prefix}${name}`).join(', ');
}

function guarded<T>(property: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw misfit(property, error);
  }
}

function misfit(property: string, error: unknown): RangeError {
  return new RangeError(`${property}: ${error instanceof Error ? error.message : 'does not fit'}`, { cause: error });
}
