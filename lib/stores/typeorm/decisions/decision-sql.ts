import type { SummaryKey } from '../../../telemetry/decision-summary.js';
import type { Dialect } from '../database/database.types.js';
import { selectList } from '../rows/column.js';
import { DECISION } from './decision-shape.js';

/** The columns that make the key of a summary row. */
const KEY_COLUMNS: Readonly<Record<SummaryKey, readonly string[]>> = {
  code: ['code'],
  threat: ['threats'],
  version: ['app_id', 'app_version'],
  route: ['route'],
};

const countIf = (condition: string, name: string): string => `SUM(CASE WHEN ${condition} THEN 1 ELSE 0 END) AS ${name}`;

/** The verdicts of `verdictOf`, in SQL. Lists are JSON text, so an empty one is `[]`. */
const COUNTS = [
  'COUNT(*) AS n_total',
  countIf(`outcome <> 'refused' AND watched = '[]'`, 'n_accepted'),
  countIf(`outcome = 'refused' AND enforced = 1`, 'n_refused'),
  countIf(`outcome = 'refused' AND enforced = 0 OR outcome <> 'refused' AND watched <> '[]'`, 'n_watched'),
].join(', ');

/** The statements of the decision store. */
export function decisionSql(dialect: Dialect, table: string) {
  const names = DECISION.columns.map(({ name }) => name);
  const row = `(${names.map(() => '?').join(', ')})`;
  const select = `SELECT ${selectList(DECISION, 'd', 'd_')} FROM ${table} d`;
  // Where the dialect knows of no other way, a row that is there is "updated" to what it is.
  const ignoreConflict = dialect.ignoreConflict || ' ON DUPLICATE KEY UPDATE id = id';
  return {
    /** For a few fixed numbers of rows, since statements are kept prepared. */
    insert: (rows: number) =>
      `INSERT INTO ${table} (${names.join(', ')}) VALUES ${Array.from({ length: rows }, () => row).join(', ')}${ignoreConflict}`,
    find: `${select} WHERE d.id = ?`,
    recent: `${select} WHERE d.decided_at >= ? ORDER BY d.decided_at DESC, d.id DESC LIMIT ?`,
    categories: `SELECT category, ${COUNTS} FROM ${table} WHERE decided_at >= ? GROUP BY category`,
    rows: (by: SummaryKey) => {
      const keys = KEY_COLUMNS[by].join(', ');
      const some = by === 'threat' ? ` AND threats <> '[]'` : '';
      return (
        `SELECT ${keys}, ${COUNTS} FROM ${table} WHERE decided_at >= ?${some} ` +
        `GROUP BY ${keys} ORDER BY n_total DESC, ${keys} LIMIT ?`
      );
    },
    deleteBefore: dialect.deleteSome(table, 'id', 'decided_at < ?', 'decided_at'),
  };
}

/** The statements that `decisionSql` makes. */
export type DecisionSql = ReturnType<typeof decisionSql>;
