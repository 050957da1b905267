import type { DataSource } from 'typeorm';
import { TabError } from '../../../errors/tab-error.js';

/** What the stores use of a `better-sqlite3` connection. */
export interface SqliteHandle {
  readonly open: boolean;
  readonly inTransaction: boolean;
  /** In memory or temporary: gone when the connection closes. */
  readonly memory: boolean;
  prepare(sql: string): SqliteStatement;
  transaction<T>(action: () => T): { immediate(): T };
}

/** A prepared statement of `better-sqlite3`. */
export interface SqliteStatement {
  /** Whether it returns rows. */
  readonly reader: boolean;
  all(...params: unknown[]): unknown[];
  run(...params: unknown[]): { readonly changes: number };
}

interface Waiting {
  readonly enter: (handle: SqliteHandle) => void;
  readonly refuse: (error: unknown) => void;
  readonly deadline: number;
}

/** How long a call waits for transactions of the application, in milliseconds. */
const PATIENCE = 2_000;
/** How often a waiting call looks at the connection, in milliseconds, besides the end of every TypeORM transaction. */
const POLL = 5;

/**
 * The way to the one connection that TypeORM shares among everybody on SQLite. A statement sent while the application
 * has a transaction open would become part of it, and be undone by its rollback: a used nonce would be unused again.
 * So work enters only between transactions, and is synchronous, so that nobody else's statement enters during it.
 */
export class SqliteGate {
  private readonly waiting: Waiting[] = [];
  private timer: NodeJS.Timeout | undefined;

  private constructor(private readonly dataSource: DataSource) {
    const admit = (): void => this.admit();
    // A busy application leaves no gap that a timer would see; these run right after COMMIT and ROLLBACK.
    dataSource.subscribers.push({ afterTransactionCommit: admit, afterTransactionRollback: admit });
  }

  private static readonly gates = new WeakMap<DataSource, SqliteGate>();

  /** The gate of a data source; there is one, whoever asks. */
  static of(dataSource: DataSource): SqliteGate {
    let gate = SqliteGate.gates.get(dataSource);
    if (!gate) SqliteGate.gates.set(dataSource, (gate = new SqliteGate(dataSource)));
    return gate;
  }

  /** The open connection. Throws when there is none. */
  handle(): SqliteHandle {
    const handle = (this.dataSource.driver as unknown as { databaseConnection?: SqliteHandle }).databaseConnection;
    if (!handle?.open) throw new TabError('store_unavailable', 'the SQLite connection is closed');
    return handle;
  }

  /**
   * Runs `work` between the transactions of others, in the order of the calls.
   *
   * @throws TabError `store_unavailable` when the application kept its transaction open for too long; `work` has not run then
   */
  run<T>(work: (handle: SqliteHandle) => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const enter = (handle: SqliteHandle): void => {
        try {
          resolve(work(handle));
        } catch (error) {
          reject(error);
        }
      };
      this.waiting.push({ enter, refuse: reject, deadline: performance.now() + PATIENCE });
      this.admit();
    });
  }

  /** Lets in whoever waits, as far as the connection is free now. */
  private admit(): void {
    try {
      const handle = this.waiting.length > 0 ? this.handle() : undefined;
      while (handle && this.waiting.length > 0 && !handle.inTransaction) this.waiting.shift()?.enter(handle);
    } catch (error) {
      for (const waiting of this.waiting.splice(0)) waiting.refuse(error);
    }
    this.refuseLate();
    this.schedule();
  }

  private refuseLate(): void {
    const now = performance.now();
    while (this.waiting[0] && this.waiting[0].deadline <= now) {
      this.waiting
        .shift()
        ?.refuse(new TabError('store_unavailable', 'a transaction of the application kept the SQLite connection'));
    }
  }

  private schedule(): void {
    if (this.waiting.length === 0 || this.timer) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.admit();
    }, POLL);
  }
}
