import type { AppInstance, BindingSweep, Ending } from '../../../bindings/binding.types.js';
import type { SqlValue, Statement, Work } from '../database/statement.js';
import { decodeRow, json } from '../rows/column.js';
import { clipReason, INSTANCE } from '../rows/shapes.js';
import type { BindingSql } from './binding-sql.js';

/** Ids in one DELETE: well below the parameter limits of all engines. */
const CHUNK = 500;

const statement = (sql: string, ...params: SqlValue[]): Statement => ({ sql, params });

function* lockInstance(sql: BindingSql, id: string): Work<AppInstance | undefined> {
  const { rows } = yield statement(sql.lockInstance, id);
  const instance = rows[0] && decodeRow(INSTANCE, rows[0], 'i_');
  return instance?.id === id ? instance : undefined;
}

function changeStatus(
  sql: BindingSql,
  instance: AppInstance,
  change: Pick<AppInstance, 'status' | 'statusReason' | 'statusAt' | 'suspendedBy'>,
) {
  return statement(
    sql.changeStatus,
    change.status,
    change.statusReason,
    change.statusAt,
    json.encode(change.suspendedBy),
    instance.id,
  );
}

/** The steps of `BindingStore.suspend`. */
export function* suspendWork(sql: BindingSql, id: string, ending: Ending, threats: readonly string[]): Work<boolean> {
  const instance = yield* lockInstance(sql, id);
  if (!instance || instance.status === 'revoked') return false;
  const suspendedBy = [...new Set([...(instance.status === 'suspended' ? instance.suspendedBy : []), ...threats])];
  // A later suspension renews the earlier one: evidence and challenges from before it must not end it.
  const renews = instance.status === 'active' || ending.at > instance.statusAt;
  if (!renews && suspendedBy.length === instance.suspendedBy.length) return true;
  yield changeStatus(sql, instance, {
    status: 'suspended',
    statusReason: renews ? clipReason(ending.reason) : instance.statusReason,
    statusAt: renews ? ending.at : instance.statusAt,
    suspendedBy,
  });
  return true;
}

/** The steps of `BindingStore.revoke`. */
export function* revokeWork(sql: BindingSql, id: string, ending: Ending): Work<boolean> {
  const instance = yield* lockInstance(sql, id);
  if (!instance || instance.status === 'revoked') return false;
  const reason = clipReason(ending.reason);
  yield changeStatus(sql, instance, {
    status: 'revoked',
    statusReason: reason,
    statusAt: ending.at,
    suspendedBy: instance.suspendedBy,
  });
  yield statement(sql.endSessionsOfInstance, ending.at, reason, id);
  return true;
}

/** The part of `BindingStore.sweep` that deletes instances; the sessions are deleted by single statements. */
export function* sweepInstancesWork(sql: BindingSql, { unattestedBefore, limit }: BindingSweep): Work<number> {
  const { rows } = yield statement(sql.lockUnattested, unattestedBefore, limit);
  const ids = rows.map((row) => String(row['i_id']));
  let deleted = 0;
  for (let start = 0; start < ids.length; start += CHUNK) {
    const chunk = ids.slice(start, start + CHUNK);
    // Looks for sessions again, now that the locks keep new ones out.
    const { affected } = yield statement(sql.deleteWithoutSessions(chunk.length), ...chunk);
    deleted += affected;
  }
  return deleted;
}
