import type { DataSource, QueryRunner } from 'typeorm';
import { withDeadline } from '../../../errors/deadline.js';
import type { Volatility } from '../../../nonces/nonce-store.js';
import { unavailable } from './database-error.js';
import type { Dialect, TabDatabase } from './database.types.js';
import { PreparedStatements } from './prepared-statements.js';
import { driveAsync, WorkConflict, type Statement, type StatementResult, type Work } from './statement.js';

/** How often a transaction that was certainly rolled back is run again. */
const ATTEMPTS = 8;
/** Longest pause before the first new attempt, in milliseconds; it grows with each. */
const PAUSE = 5;
/**
 * Milliseconds after which a statement or transaction without an end is given up and its connection closed. What a network
 * has lost would otherwise hang for a quarter of an hour, and claims behind it.
 */
const PATIENCE = 15_000;

/** PostgreSQL, MySQL and MariaDB: each call takes a connection of its own from the pool of the data source. */
export class ServerDatabase implements TabDatabase {
  private readonly prepared: PreparedStatements | undefined;

  constructor(
    private readonly dataSource: DataSource,
    readonly dialect: Dialect,
    readonly volatility: Volatility | undefined,
    private readonly patience = PATIENCE,
  ) {
    this.prepared = dialect.engine === 'postgres' ? new PreparedStatements() : undefined;
  }

  run(statement: Statement): Promise<StatementResult> {
    return this.attempt(
      () => this.withRunner((runner) => this.execute(runner, statement)),
      (error) => this.dialect.isVictim(error),
    );
  }

  transaction<T>(work: () => Work<T>): Promise<T> {
    return this.attempt(
      () => this.withRunner((runner) => this.once(runner, work)),
      (error) => error instanceof WorkConflict || this.dialect.isVictim(error) || this.dialect.isDuplicate(error),
    );
  }

  /** Runs `action` again while its failure is one after which certainly nothing of it remains. */
  private async attempt<T>(action: () => Promise<T>, isCertain: (error: unknown) => boolean): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await action();
      } catch (error) {
        if (attempt === ATTEMPTS || error instanceof OutcomeUnknown || !isCertain(error)) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, Math.random() * PAUSE * attempt));
    }
  }

  /**
   * Lends a connection of the primary. Never `dataSource.query`: libraries that carry a transaction along with the call
   * (through `AsyncLocalStorage`) redirect that into the transaction of the application, which may be rolled back.
   */
  private async withRunner<T>(action: (runner: QueryRunner) => Promise<T>): Promise<T> {
    const runner = this.dataSource.createQueryRunner('master');
    const connection = await this.connected(runner);
    let isAnswered = false;
    try {
      return await withDeadline('the database', this.patience, () => action(runner).finally(() => (isAnswered = true)));
    } catch (error) {
      // Ensures that the pool has the place back: nobody can tell what comes over this connection, and when.
      if (!isAnswered) void this.dialect.discard(connection);
      throw error;
    } finally {
      await runner.release();
    }
  }

  /**
   * A connection of the pool, waited for as long as the statements before us may take to be given up. One that comes too late
   * goes back unused.
   */
  private async connected(runner: QueryRunner): Promise<unknown> {
    const connecting: Promise<unknown> = runner.connect();
    try {
      return await withDeadline('the database', 2 * this.patience, () => connecting);
    } catch (error) {
      const release = (): Promise<void> => runner.release();
      void connecting.then(release, release).catch(() => undefined);
      throw error;
    }
  }

  private async execute(runner: QueryRunner, statement: Statement): Promise<StatementResult> {
    // Statements without parameters are of many texts, and not all are such that a driver could prepare them.
    const sql = statement.params.length > 0 ? this.dialect.placeholders(statement.sql) : statement.sql;
    if (statement.isPrepared) {
      const done = await this.prepared?.run(await runner.connect(), sql, statement.params);
      if (done) return done;
    }
    const result = await runner.query(sql, [...statement.params], true);
    return { rows: result.records, affected: result.affected ?? 0 };
  }

  /** BEGIN and COMMIT are plain statements here: TypeORM's own would call subscribers, and one that throws leaves the transaction open. */
  private async once<T>(runner: QueryRunner, work: () => Work<T>): Promise<T> {
    let outcome: T;
    try {
      for (const sql of this.dialect.begin) await runner.query(sql);
      outcome = await driveAsync(work(), (statement) => this.execute(runner, statement));
    } catch (error) {
      await this.rollBack(runner);
      throw error;
    }
    await this.commit(runner);
    return outcome;
  }

  private async rollBack(runner: QueryRunner): Promise<void> {
    try {
      await runner.query('ROLLBACK');
    } catch {
      // The error that led here is the one to report; without its connection, the server rolls back by itself.
      await this.dialect.discard(await runner.connect());
    }
  }

  private async commit(runner: QueryRunner): Promise<void> {
    try {
      await runner.query('COMMIT');
    } catch (error) {
      await this.dialect.discard(await runner.connect());
      throw new OutcomeUnknown('it is not known whether the transaction was committed', { cause: unavailable(error) });
    }
  }
}

class OutcomeUnknown extends Error {
  override readonly name = 'OutcomeUnknown';
}
