import type { DataSource } from 'typeorm';
import type { Volatility } from '../../../nonces/nonce-store.js';
import type { ClaimInsert } from '../nonces/claim.types.js';
import type { SqlValue, Statement, StatementResult, Work } from './statement.js';

/** A condition with its parameters. */
export interface SqlCondition {
  readonly sql: string;
  readonly params: readonly SqlValue[];
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
  /** The statement failed because a unique value is taken, and for no other reason. */
  isDuplicate(error: unknown): boolean;
  /** The engine itself chose this transaction as the victim of a deadlock or conflict: nothing of it remains. */
  isVictim(error: unknown): boolean;
  /** Closes a connection whose transaction could not be ended, so that nobody else inherits it from the pool. */
  discard(connection: unknown): void | Promise<void>;
  /** Checks, at start-up, that the schema compares text octet by octet. */
  checkSchema?(dataSource: DataSource, tables: readonly string[]): Promise<void>;
}

/** A database as the stores use it. Nothing here ever takes part in a transaction of the application. */
export interface TabDatabase {
  readonly dialect: Dialect;
  /** Set when the database forgets on restart. */
  readonly volatility: Volatility | undefined;
  /** Runs one statement in a transaction of its own. Rejects when the outcome is not certain. */
  run(statement: Statement): Promise<StatementResult>;
  /** Runs all steps or none. `work` may be started again after a conflict; rejects when the outcome is not certain. */
  transaction<T>(work: () => Work<T>): Promise<T>;
}
