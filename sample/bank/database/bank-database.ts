import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';

/**
 * The way to the bank's tables. TypeORM has one connection to SQLite, shared by everybody: a statement sent while
 * somebody else's transaction is open would become part of that. So there, work is done one after the other; database
 * servers give each its own connection.
 */
@Injectable()
export class BankDatabase {
  readonly #dataSource: DataSource;
  readonly #shared: boolean;
  #last: Promise<unknown> = Promise.resolve();

  constructor(dataSource: DataSource) {
    this.#dataSource = dataSource;
    this.#shared = dataSource.options.type === 'better-sqlite3';
  }

  /** Reads outside of any transaction. */
  read<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.#inTurn(() => work(this.#dataSource.manager));
  }

  /** All of `work`, or none of it when it rejects. Its first statement should be a write: on SQLite that takes the lock. */
  transaction<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.#inTurn(() => this.#dataSource.transaction(work));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (!this.#shared) return work();
    const turn = this.#last.then(work);
    // Whoever comes next waits for the end of this turn, not for its success.
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}
