import { createRequire } from 'node:module';
import type Database from 'better-sqlite3';

/** The first Node that version 13 of better-sqlite3 is for. */
const NAPI_SINCE = 22;

/**
 * better-sqlite3 as this Node can bear it. Version 12, which TypeORM looks for by itself, aborts the process on Node 24.19 and
 * later when the garbage collector meets a statement; 13 does not run on Node 20. Installed beside each other:
 * `better-sqlite3-napi` is 13.
 */
export function sqliteDriver(): typeof Database {
  const major = Number(process.versions.node.split('.')[0]);
  const name = major >= NAPI_SINCE ? 'better-sqlite3-napi' : 'better-sqlite3';
  return createRequire(import.meta.url)(name) as typeof Database;
}
