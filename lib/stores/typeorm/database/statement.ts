/** What a statement may carry as a parameter. */
export type SqlValue = string | number | Buffer | null;

/** A list in one parameter; PostgreSQL only. */
export type SqlList = readonly string[] | readonly number[];

/** A row as the driver gives it: column alias to raw value. */
export type SqlRow = Readonly<Record<string, unknown>>;

/** One SQL statement with `?` for each parameter; the dialect turns that into what the driver wants. */
export interface Statement {
  readonly sql: string;
  readonly params: readonly (SqlValue | SqlList)[];
  /** One of the few fixed texts that are sent all the time, outside of transactions: the server may keep it prepared. */
  readonly isPrepared?: boolean;
}

/** Rows of a SELECT, or how many rows a write touched. */
export interface StatementResult {
  readonly rows: readonly SqlRow[];
  readonly affected: number;
}

/**
 * The steps of one transaction: yields statements, receives their results, returns the outcome. Written as a generator
 * because the same steps run asynchronously on a server and must run synchronously on SQLite's one shared connection,
 * where an `await` in the middle would let somebody else's statements into our transaction.
 */
export type Work<T> = Generator<Statement, T, StatementResult>;

/** Thrown inside `Work`: the transaction met a concurrent one; roll it back and run it again from the start. */
export class WorkConflict extends Error {
  override readonly name = 'WorkConflict';
}

/** Runs `work` with a driver that answers later. */
export async function driveAsync<T>(
  work: Work<T>,
  execute: (statement: Statement) => Promise<StatementResult>,
): Promise<T> {
  let step = work.next();
  while (!step.done) step = work.next(await execute(step.value));
  return step.value;
}

/** Runs `work` with a driver that answers at once. */
export function driveSync<T>(work: Work<T>, execute: (statement: Statement) => StatementResult): T {
  let step = work.next();
  while (!step.done) step = work.next(execute(step.value));
  return step.value;
}
