import type { DataSource } from 'typeorm';
import type { Volatility } from '../../../nonces/nonce-store.js';
import type { ClaimInsert } from '../nonces/claim.types.js';
import type { SqlValue, Statement, StatementResult, Work } from './statement.js';

/** A condition with its parameters. */
export interface SqlCondition {
  readonly sql: string;
  readonly params: readonly SqlValue[];
}

/** A condition that may have a list in one parameter. */
export interface SqlListCondition {
  readonly sql: string;
  readonly params: Statement['params'];
}

/** Everything in which the engines differ, as data. */
export interface Dialect {
  /** The statements that open a READ COMMITTED transaction: every statement in it sees what others committed before it. */
  readonly begin: readonly string[];
  /** Ends a SELECT whose rows nobody may change, but others may lock likewise, until the transaction ends. */
  readonly shareLock: string;
  /** Ends a SELECT whose rows nobody else may lock or change until the transaction ends. */
  readonly updateLock: string;
  /** Like `updateLock`, for sweeping: rows that somebody holds may be passed over. */
  readonly sweepLock: string;
  /** Ends an INSERT that does nothing when the key is there; empty where only an error says so exactly. */
  readonly ignoreConflict: string;
  /** Which of the engines it is, for what they do in ways of their own. */
  readonly engine: 'postgres' | 'mysql' | 'sqlite';
  /** The clock of the engine, whole seconds since the epoch, as it is when the expression is evaluated. */
  readonly clock: string;
  /** How a batch of claims is inserted so that the new rows among them are known exactly. */
  readonly claimInsert: ClaimInsert;
  /** Character set and collation of text columns, so that text is compared octet by octet. */
  readonly textColumn: { readonly charset?: string; readonly collation?: string };
  /** Replaces each `?` by the placeholder of the driver. */
  placeholders(sql: string): string;
  /** A DELETE of at most as many rows as its last parameter says. */
  deleteSome(table: string, key: string, where: string, order: string): string;
  /** Compares free text octet by octet, trailing spaces included, and uses the index of the column. */
  sameText(column: string, value: string): SqlCondition;
  /** A text column is one of the values, of which there is at least one; by the index of the column. */
  oneOf(column: string, values: readonly string[]): SqlListCondition;
  /** The statement failed because a unique value is taken, and for no other reason. */
  isDuplicate(error: unknown): boolean;
  /** A number in the statement was larger than the engine can hold. */
  isTooLarge(error: unknown): boolean;
  /**
   * The engine itself undid this transaction for the sake of another one, in a deadlock, a conflict or a change of the
   * partitions: nothing of it remains, and the same may go well the next time.
   */
  isVictim(error: unknown): boolean;
  /** A lock was not to be had in the time that was given for it: nothing was done. */
  isBusy(error: unknown): boolean;
  /** Closes a connection whose transaction could not be ended, so that nobody else inherits it from the pool. */
  discard(connection: unknown): void | Promise<void>;
  /** Checks, at start-up, that the schema compares text octet by octet; in the properties that are ours alone when it is given. */
  checkSchema?(
    dataSource: DataSource,
    tables: readonly string[],
    isOurs?: (property: string) => boolean,
  ): Promise<void>;
}

/** A database as the stores use it. Nothing here ever takes part in a transaction of the application. */
export interface TabDatabase {
  readonly dialect: Dialect;
  /** Set when the database forgets on restart. */
  readonly volatility: Volatility | undefined;
  /** The connection that everything goes through, where there is one: what was read over it may not hold for another. */
  connection?(): object;
  /** Runs one statement in a transaction of its own. Rejects when the outcome is not certain. */
  run(statement: Statement): Promise<StatementResult>;
  /** Runs all steps or none. `work` may be started again after a conflict; rejects when the outcome is not certain. */
  transaction<T>(work: () => Work<T>): Promise<T>;
}
