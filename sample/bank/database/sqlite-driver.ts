import { createRequire } from 'node:module';
import type Database from 'better-sqlite3';

/** The first Node that version 13 of better-sqlite3 is for. */
const NAPI_SINCE = 22;

/**
 * The better-sqlite3 that this Node can bear. Version 12, which TypeORM looks for by itself, aborts the process on Node 24.19
 * and later when the garbage collector meets a statement; 13 does not run on Node 20. Installed beside each other:
 * `better-sqlite3-napi` is 13.
 */
export const SQLITE_PACKAGE =
  Number(process.versions.node.split('.')[0]) >= NAPI_SINCE ? 'better-sqlite3-napi' : 'better-sqlite3';

/** What TypeORM takes for `driver`. */
export function sqliteDriver(): typeof Database {
  return createRequire(import.meta.url)(SQLITE_PACKAGE) as typeof Database;
}
