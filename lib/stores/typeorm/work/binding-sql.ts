import type { Dialect } from '../database/database.types.js';
import { selectList } from '../rows/column.js';
import { INSTANCE, SESSION } from '../rows/shapes.js';

/** The escaped names of the tables. */
export interface BindingTables {
  readonly instances: string;
  readonly sessions: string;
}

const names = (shape: { columns: readonly { name: string }[] }): string[] => shape.columns.map(({ name }) => name);
const marks = (count: number): string => Array.from({ length: count }, () => '?').join(', ');
/** Columns that an enrolment may replace: all but the id, which finds the row. */
export const REPLACED_INSTANCE_COLUMNS = INSTANCE.columns.slice(1);

/** The fixed statements of the binding store, with `?` for each parameter. */
export function bindingSql(dialect: Dialect, { instances, sessions }: BindingTables) {
  const both = `${selectList(INSTANCE, 'i', 'i_')}, ${selectList(SESSION, 's', 's_')}`;
  // One row always comes back, with what was found beside each other: instance and session are looked up independently.
  const load = `FROM (SELECT 1 AS one) o LEFT JOIN ${instances} i ON i.id = ?`;
  const selectInstance = `SELECT ${selectList(INSTANCE, 'i', 'i_')} FROM ${instances} i`;
  const selectSession = `SELECT ${selectList(SESSION, 's', 's_')} FROM ${sessions} s`;
  const instanceColumns = names(INSTANCE);
  const sessionColumns = names(SESSION);
  return {
    selectInstance,
    selectSession,
    loadInstance: `SELECT ${selectList(INSTANCE, 'i', 'i_')} ${load}`,
    loadBySession: `SELECT ${both} ${load} LEFT JOIN ${sessions} s ON s.id = ?`,
    loadByCredential: `SELECT ${both} ${load} LEFT JOIN ${sessions} s ON s.credential_hash = ?`,

    insertInstance: `INSERT INTO ${instances} (${instanceColumns.join(', ')}) VALUES (${marks(instanceColumns.length)})${dialect.ignoreConflict}`,
    replaceInstance:
      `UPDATE ${instances} SET ${REPLACED_INSTANCE_COLUMNS.map(({ name }) => `${name} = ?`).join(', ')} ` +
      `WHERE id = ? AND revision = ? AND status <> 'revoked'`,
    shareInstance: `${selectInstance} WHERE i.id = ?${dialect.shareLock}`,
    lockInstance: `${selectInstance} WHERE i.id = ?${dialect.updateLock}`,
    changeStatus: `UPDATE ${instances} SET status = ?, status_reason = ?, status_at = ?, suspended_by = ?, revision = revision + 1 WHERE id = ?`,

    // No lock clause beyond updateLock: the unique index and the second look of the work decide races.
    lockSession: `${selectSession} WHERE s.id = ?${dialect.updateLock}`,
    lockByCredential: `${selectSession} WHERE s.credential_hash = ?${dialect.updateLock}`,
    lockByPrevious: `${selectSession} WHERE s.previous_credential_hash = ?${dialect.updateLock}`,
    insertSession: `INSERT INTO ${sessions} (${sessionColumns.join(', ')}) VALUES (${marks(sessionColumns.length)})`,
    refreshSession: `UPDATE ${sessions} SET credential_hash = ?, previous_credential_hash = ?, previous_valid_until = ? WHERE id = ?`,
    endSession: `UPDATE ${sessions} SET ended_at = ?, end_reason = ? WHERE id = ? AND ended_at IS NULL`,
    endSessionsOfInstance: `UPDATE ${sessions} SET ended_at = ?, end_reason = ? WHERE instance_id = ? AND ended_at IS NULL`,
    endSessionsWhere: (condition: string) =>
      `UPDATE ${sessions} SET ended_at = ?, end_reason = ? WHERE ${condition} AND ended_at IS NULL`,

    deleteExpiredSessions: dialect.deleteSome(sessions, 'id', 'expires_at < ?', 'expires_at'),
    deleteEndedSessions: dialect.deleteSome(sessions, 'id', 'ended_at < ?', 'ended_at'),
    lockUnattested:
      `SELECT i.id AS i_id FROM ${instances} i WHERE i.format = 'none' AND i.status = 'active' AND i.created_at < ? ` +
      `AND NOT EXISTS (SELECT 1 FROM ${sessions} s WHERE s.instance_id = i.id) ORDER BY i.created_at LIMIT ?${dialect.sweepLock}`,
    deleteWithoutSessions: (count: number) =>
      `DELETE FROM ${instances} WHERE id IN (${marks(count)}) ` +
      `AND NOT EXISTS (SELECT 1 FROM ${sessions} s WHERE s.instance_id = ${instances}.id)`,
  };
}

/** The statements that `bindingSql` makes. */
export type BindingSql = ReturnType<typeof bindingSql>;
