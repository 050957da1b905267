import type { Dialect } from '../database/database.types.js';
import type { SqlValue } from '../database/statement.js';
import { selectList } from '../rows/column.js';
import { BLOCK, BREACH, INSTANCE, SESSION } from '../rows/shapes.js';

/** The escaped names of the tables. */
export interface BindingTables {
  readonly instances: string;
  readonly sessions: string;
  readonly breaches: string;
  readonly blocks: string;
}

const names = (shape: { columns: readonly { name: string }[] }): string[] => shape.columns.map(({ name }) => name);
const marks = (count: number): string => Array.from({ length: count }, () => '?').join(', ');
/** Columns that an enrolment may replace: all but the id, which finds the row. */
export const REPLACED_INSTANCE_COLUMNS = INSTANCE.columns.slice(1);

/** The fixed statements of the binding store, with `?` for each parameter. */
export function bindingSql(dialect: Dialect, { instances, sessions, breaches, blocks }: BindingTables) {
  const one = `SELECT ${selectList(INSTANCE, 'i', 'i_')}, b.app_id AS b_app_id, b.version_range AS b_version_range`;
  const both = `${one}, ${selectList(SESSION, 's', 's_')}`;
  // A row always comes back, with what was found beside each other: instance and session are looked up independently.
  // It comes once for each block of the app, at most 64: the engines agree on no way to put a list into a column.
  const load = `FROM (SELECT 1 AS one) o LEFT JOIN ${instances} i ON i.id = ? LEFT JOIN ${blocks} b ON b.app_id = i.app_id`;
  const selectInstance = `SELECT ${selectList(INSTANCE, 'i', 'i_')} FROM ${instances} i`;
  const selectSession = `SELECT ${selectList(SESSION, 's', 's_')} FROM ${sessions} s`;
  const instanceColumns = names(INSTANCE);
  const sessionColumns = names(SESSION);
  return {
    selectInstance,
    selectSession,
    loadInstance: `${one} ${load}`,
    loadBySession: `${both} ${load} LEFT JOIN ${sessions} s ON s.id = ?`,
    loadByCredential: `${both} ${load} LEFT JOIN ${sessions} s ON s.credential_hash = ?`,

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

    insertBreach: `INSERT INTO ${breaches} (${names(BREACH).join(', ')}) VALUES (${marks(BREACH.columns.length)})${dialect.ignoreConflict}`,
    selectBreach: `SELECT ${selectList(BREACH, 'x', 'x_')} FROM ${breaches} x`,

    lockBlocks: `SELECT b.slot AS b_slot FROM ${blocks} b WHERE b.app_id = ? ORDER BY b.slot${dialect.updateLock}`,
    slotsOfApp: `SELECT b.slot AS b_slot, b.version_range AS b_version_range FROM ${blocks} b WHERE b.app_id = ?`,
    insertBlock: `INSERT INTO ${blocks} (${names(BLOCK).join(', ')}, slot) VALUES (${marks(BLOCK.columns.length + 1)})`,
    renewBlock: `UPDATE ${blocks} SET reason = ?, blocked_at = ? WHERE app_id = ? AND version_range = ?`,
    deleteBlock: `DELETE FROM ${blocks} WHERE app_id = ? AND version_range = ?`,
    selectBlock: `SELECT ${selectList(BLOCK, 'b', 'b_')} FROM ${blocks} b`,

    deleteBreaches: dialect.deleteSome(breaches, 'id', 'breached_at < ?', 'breached_at'),
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

/** The WHERE of those conditions that have a value, all of which must hold; empty when none has. */
export function conjunction(conditions: readonly (readonly [sql: string, value: SqlValue | undefined])[]) {
  const used = conditions.filter((condition): condition is [string, SqlValue] => condition[1] !== undefined);
  return {
    where: used.length > 0 ? ` WHERE ${used.map(([sql]) => sql).join(' AND ')}` : '',
    params: used.map(([, value]) => value),
  };
}
