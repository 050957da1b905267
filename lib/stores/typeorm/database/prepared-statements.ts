import { createHash } from 'node:crypto';
import { driverError, property } from './database-error.js';
import type { SqlRow, Statement, StatementResult } from './statement.js';

/** What is used of a client of `pg`. */
interface PostgresClient {
  query(query: {
    name: string;
    text: string;
    values: unknown[];
  }): Promise<{ readonly rows: readonly SqlRow[]; readonly rowCount: number | null }>;
}

/**
 * The server does not have the statement that this client prepared, or has it already, or has changed the tables since.
 * All three are found before anything is done.
 */
const NOT_PREPARED = new Set<unknown>(['26000', '42P05', '0A000']);

/**
 * Statements of fixed text, which PostgreSQL parses and plans once for each connection: that is most of the work of a short
 * statement. TypeORM cannot name a statement, so they go to its connection directly, past its log and its subscribers.
 *
 * A pooler between here and the server may give every transaction another server connection, and not carry prepared
 * statements along (PgBouncer before 1.21). Where one is found to be missing, nothing is prepared any more.
 */
export class PreparedStatements {
  private readonly names = new Map<string, string>();
  private work = true;

  /**
   * Runs a statement, in no transaction but its own.
   *
   * @param text with the placeholders of the driver
   * @returns undefined when it was not run: it has to go the plain way
   */
  async run(connection: unknown, text: string, params: Statement['params']): Promise<StatementResult | undefined> {
    if (!this.work) return undefined;
    try {
      const query = { name: this.nameOf(text), text, values: [...params] };
      const { rows, rowCount } = await (connection as PostgresClient).query(query);
      return { rows, affected: rowCount ?? 0 };
    } catch (error) {
      if (!NOT_PREPARED.has(property(driverError(error), 'code'))) throw error;
      this.work = false;
      return undefined;
    }
  }

  /** Of the text, so that whoever has prepared a statement under the name has prepared this one. */
  private nameOf(text: string): string {
    let name = this.names.get(text);
    if (name === undefined) {
      name = `tab_${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
      this.names.set(text, name);
    }
    return name;
  }
}
