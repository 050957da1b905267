import type { Volatility } from '../../../nonces/nonce-store.js';
import type { Dialect, TabDatabase } from './database.types.js';
import type { SqliteGate, SqliteHandle, SqliteStatement } from './sqlite-gate.js';
import { driveSync, type SqlRow, type Statement, type StatementResult, type Work } from './statement.js';

/** Most statements kept prepared for one connection; there are about twenty fixed ones, and one per bucket of used nonces. */
const MAX_PREPARED = 100;

/** SQLite through `better-sqlite3`: synchronous, on the shared connection, between the transactions of the application. */
export class SqliteDatabase implements TabDatabase {
  private readonly prepared = new WeakMap<SqliteHandle, Map<string, SqliteStatement>>();

  constructor(
    private readonly gate: SqliteGate,
    readonly dialect: Dialect,
    private readonly volatilityOf: (handle: SqliteHandle) => Volatility | undefined,
  ) {}

  get volatility(): Volatility | undefined {
    return this.volatilityOf(this.gate.handle());
  }

  connection(): object {
    return this.gate.handle();
  }

  run(statement: Statement): Promise<StatementResult> {
    return this.gate.run((handle) => this.execute(handle, statement));
  }

  /** IMMEDIATE takes the write lock before anything is read, so what was read holds until the commit, for other processes too. */
  transaction<T>(work: () => Work<T>): Promise<T> {
    return this.gate.run((handle) =>
      handle.transaction(() => driveSync(work(), (statement) => this.execute(handle, statement))).immediate(),
    );
  }

  private execute(handle: SqliteHandle, { sql, params }: Statement): StatementResult {
    const statement = this.prepare(handle, sql);
    if (statement.reader) return { rows: statement.all(...params) as SqlRow[], affected: 0 };
    return { rows: [], affected: statement.run(...params).changes };
  }

  private prepare(handle: SqliteHandle, sql: string): SqliteStatement {
    let statements = this.prepared.get(handle);
    if (!statements) this.prepared.set(handle, (statements = new Map()));
    let statement = statements.get(sql);
    if (!statement) {
      statement = handle.prepare(sql);
      const [oldest] = statements.keys();
      // The fixed ones that go with it are prepared anew at their next use.
      if (statements.size >= MAX_PREPARED && oldest !== undefined) statements.delete(oldest);
      statements.set(sql, statement);
    }
    return statement;
  }
}
