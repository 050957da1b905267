import { DecisionStore, listedBy, type RecentQuery, type SummaryQuery } from '../../../telemetry/decision-store.js';
import {
  addRows,
  emptyRow,
  MAX_SUMMARY_ROWS,
  mergeRows,
  noCategories,
  summaryKeysOf,
  topRows,
  type DecisionCounts,
  type DecisionSummaryRow,
  type SummaryKey,
} from '../../../telemetry/decision-summary.js';
import type { TrustDecision } from '../../../trust/trust-decision.js';
import { unavailable } from '../database/database-error.js';
import type { TabDatabase } from '../database/database.types.js';
import type { SqlRow, SqlValue, Work } from '../database/statement.js';
import { integer } from '../rows/column.js';
import { decodeDecision, encodeDecision } from './decision-shape.js';
import { decisionSql, type DecisionSql } from './decision-sql.js';

/** Rows of one INSERT, largest first. */
const INSERT_SIZES = [50, 10, 1] as const;
/** Sets of threats that one report looks at, most frequent first; rarer ones are not counted. */
const MAX_THREAT_SETS = 10_000;

/**
 * Decision records in a table, shared by all nodes. Nothing takes part in a transaction of the application. The numbers of
 * a report are exact as of now; those by threat leave out rare combinations where there are more than 10,000.
 */
export class TypeOrmDecisionStore extends DecisionStore {
  private readonly sql: DecisionSql;

  /**
   * @param table the escaped name of the table
   * @param kept seconds after which a record may be swept
   */
  constructor(
    private readonly database: TabDatabase,
    table: string,
    private readonly kept: number,
  ) {
    super();
    this.sql = decisionSql(database.dialect, table);
  }

  override get keepFor(): number {
    return this.kept;
  }

  override async record(decisions: readonly TrustDecision[]): Promise<void> {
    if (decisions.length === 0) return;
    const rows = decisions.map(encodeDecision);
    try {
      await this.database.transaction(() => insertWork(this.sql, rows));
    } catch (error) {
      throw unavailable(error);
    }
  }

  override async find(id: string): Promise<TrustDecision | undefined> {
    const [row] = await this.run(this.sql.find, id.replaceAll('\0', '\uFFFD'));
    const decision = row && decodeDecision(row);
    // Ensures that the octets asked for are the octets found, whatever the collation makes of them.
    return decision?.id === id ? decision : undefined;
  }

  override async recent(query: RecentQuery): Promise<TrustDecision[]> {
    const rows = await this.run(this.sql.recent, query.since ?? Number.MIN_SAFE_INTEGER, listedBy(query));
    return rows.map(decodeDecision);
  }

  override async summarize({ since, by }: SummaryQuery): Promise<DecisionCounts> {
    const limit = by === 'threat' ? MAX_THREAT_SETS : MAX_SUMMARY_ROWS;
    const found = await this.run(this.sql.rows(by), since, limit);
    const inCategories = await this.run(this.sql.categories, since);
    const rows = mergeRows(found.flatMap((row) => keysOf(row, by).map((key) => countsOf(row, key))));
    const sums = inCategories.map((row) => countsOf(row, String(row['category'])));
    const known = noCategories();
    const categories = Object.fromEntries(sums.filter(({ key }) => key in known).map(({ key, total }) => [key, total]));
    return {
      categories: { ...known, ...categories },
      rows: topRows(rows, by === 'threat' ? undefined : rest(sums, rows)),
    };
  }

  override async sweep(before: number, limit: number): Promise<number> {
    try {
      const statement = { sql: this.sql.deleteBefore, params: [Math.floor(before), limit] };
      return (await this.database.run(statement)).affected;
    } catch (error) {
      throw unavailable(error);
    }
  }

  private async run(sql: string, ...params: SqlValue[]): Promise<readonly SqlRow[]> {
    try {
      return (await this.database.run({ sql, params })).rows;
    } catch (error) {
      throw unavailable(error);
    }
  }
}

function* insertWork(sql: DecisionSql, rows: readonly SqlValue[][]): Work<void> {
  let done = 0;
  while (done < rows.length) {
    const size = INSERT_SIZES.find((each) => each <= rows.length - done) ?? 1;
    yield { sql: sql.insert(size), params: rows.slice(done, done + size).flat() };
    done += size;
  }
}

/** What was counted, but is in none of the rows. */
function rest(sums: readonly DecisionSummaryRow[], rows: readonly DecisionSummaryRow[]): DecisionSummaryRow {
  const all = sums.reduce((sum, row) => addRows(sum, row), emptyRow(''));
  return rows.reduce((left, row) => addRows(left, row, -1), all);
}

function keysOf(row: SqlRow, by: SummaryKey): readonly string[] {
  const textIn = (name: string): string | undefined => (typeof row[name] === 'string' ? row[name] : undefined);
  if (by === 'threat') return summaryKeysOf({ threats: JSON.parse(textIn('threats') ?? '[]') as string[] }, by);
  const [code, appId, appVersion, route] = ['code', 'app_id', 'app_version', 'route'].map(textIn);
  return summaryKeysOf({ code: code as TrustDecision['code'], appId, appVersion, route }, by);
}

function countsOf(row: SqlRow, key: string): DecisionSummaryRow {
  const count = (name: string): number => integer.decode(row[name]) as number;
  return {
    key,
    total: count('n_total'),
    accepted: count('n_accepted'),
    refused: count('n_refused'),
    watched: count('n_watched'),
  };
}
