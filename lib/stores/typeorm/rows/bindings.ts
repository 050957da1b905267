import type { AppInstance, Bindings, BindingQuery, BoundSession } from '../../../bindings/binding.types.js';
import type { SqlRow } from '../database/statement.js';
import { decodeRow, text } from './column.js';
import { INSTANCE, SESSION } from './shapes.js';

const RANGE = text(255);

/** The rows that may be what a query asks for. Sharing them is safe: whatever is read from them is made anew. */
export interface FoundRows {
  /** With the columns of an instance under `i_`, NULL where none was found. */
  readonly instance: SqlRow | undefined;
  /** With those of a session under `s_`, likewise. */
  readonly session: SqlRow | undefined;
  /** With a blocked range each, of this app or another, as `b_app_id` and `b_version_range`. */
  readonly blocks: readonly SqlRow[];
}

/** The rows of a single load: the same instance and session in every row, beside one blocked range each. */
export function foundBySingle(rows: readonly SqlRow[]): FoundRows {
  return { instance: rows[0], session: rows[0], blocks: rows };
}

/** Reads the rows of a single load. */
export function readBindings(rows: readonly SqlRow[], query: BindingQuery): Bindings {
  return readFound(foundBySingle(rows), query);
}

/**
 * Reads what was found for a query. Checks that the octets asked for are the octets found, whatever the collation of a
 * column makes of them.
 */
export function readFound(rows: FoundRows, query: BindingQuery): Bindings {
  const { instanceId, sessionId, credentialHash } = query;
  const instance = isThere(rows.instance, 'i_id') ? decodeRow<AppInstance>(INSTANCE, rows.instance, 'i_') : undefined;
  const session = isThere(rows.session, 's_id') ? decodeRow<BoundSession>(SESSION, rows.session, 's_') : undefined;
  const bindings: { -readonly [K in keyof Bindings]: Bindings[K] } = {};
  if (instance?.id === instanceId) {
    bindings.instance = instance;
    const ranges = rangesOf(rows.blocks, instance.appId);
    if (ranges.length > 0) bindings.blockedVersions = ranges;
  }
  // A session by its id where one is named, else by the credential hash.
  const isAskedFor = sessionId === undefined ? session?.credentialHash === credentialHash : session?.id === sessionId;
  if (session && isAskedFor) bindings.session = session;
  return bindings;
}

function rangesOf(rows: readonly SqlRow[], appId: string): string[] {
  return rows.filter((row) => row['b_app_id'] === appId).map((row) => RANGE.decode(row['b_version_range']) as string);
}

/** Whether a LEFT JOIN found something: else all its columns are NULL. */
function isThere(row: SqlRow | undefined, id: string): row is SqlRow {
  return row?.[id] !== null && row?.[id] !== undefined;
}
