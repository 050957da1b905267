import type { AppInstance, Bindings, BindingQuery, BoundSession } from '../../../bindings/binding.types.js';
import type { SqlRow } from '../database/statement.js';
import { decodeRow, text } from './column.js';
import { INSTANCE, SESSION } from './shapes.js';

const RANGE = text(255);

/**
 * Reads what `load` selected: the same instance and session in every row, beside one blocked range each. Checks that the
 * octets asked for are the octets found, whatever the collation of a column makes of them.
 */
export function readBindings(rows: readonly SqlRow[], query: BindingQuery): Bindings {
  const { instanceId, sessionId, credentialHash } = query;
  const instance = found<AppInstance>(rows[0], 'i_', (row) => decodeRow(INSTANCE, row, 'i_'));
  const session = found<BoundSession>(rows[0], 's_', (row) => decodeRow(SESSION, row, 's_'));
  const isInstance = instance?.id === instanceId;
  const isSession =
    session && (sessionId !== undefined ? session.id === sessionId : session.credentialHash === credentialHash);
  const blockedVersions = isInstance ? rangesOf(rows, instance.appId) : [];
  return {
    ...(isInstance && { instance }),
    ...(isSession && { session }),
    ...(blockedVersions.length > 0 && { blockedVersions }),
  };
}

function rangesOf(rows: readonly SqlRow[], appId: string): string[] {
  return rows.filter((row) => row['b_app_id'] === appId).map((row) => RANGE.decode(row['b_version_range']) as string);
}

/** What a LEFT JOIN found under a prefix, or undefined when all its columns are NULL. */
function found<T>(row: SqlRow | undefined, prefix: string, decode: (row: SqlRow) => T): T | undefined {
  const id = row?.[`${prefix}id`];
  return row === undefined || id === null || id === undefined ? undefined : decode(row);
}
