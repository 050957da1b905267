import { driverError, property } from './database-error.js';
import type { Dialect } from './database.types.js';
import { checkMysqlCollations, MYSQL_CHARSET, MYSQL_COLLATION } from './mysql-collation.js';

const identity = (sql: string): string => sql;
const sameTextPlainly = (column: string, value: string) => ({ sql: `${column} = ?`, params: [value] });
const inList = (column: string, values: readonly string[]) => ({
  sql: `${column} IN (${values.map(() => '?').join(', ')})`,
  params: values,
});
const codeOf = (error: unknown): unknown => property(driverError(error), 'code');
const errnoOf = (error: unknown): unknown => property(driverError(error), 'errno');
const callIfPresent = (target: unknown, method: string): unknown => {
  const member = property(target, method);
  return typeof member === 'function' ? member.call(target) : undefined;
};

const numbered = new Map<string, string>();
/** `$1`, `$2`, …; the texts are few and fixed, apart from lists of ids, which are bounded. */
function numberedPlaceholders(sql: string): string {
  let text = numbered.get(sql);
  if (text === undefined) {
    let index = 0;
    text = sql.replaceAll('?', () => `$${++index}`);
    if (numbered.size < 500) numbered.set(sql, text);
  }
  return text;
}

const postgres: Dialect = {
  engine: 'postgres',
  begin: ['START TRANSACTION ISOLATION LEVEL READ COMMITTED'],
  shareLock: ' FOR SHARE',
  updateLock: ' FOR UPDATE',
  sweepLock: ' FOR UPDATE SKIP LOCKED',
  ignoreConflict: ' ON CONFLICT DO NOTHING',
  clock: 'floor(extract(epoch FROM clock_timestamp()))::bigint',
  claimInsert: 'returning',
  textColumn: {},
  placeholders: numberedPlaceholders,
  // ARRAY(…) is evaluated once; IN (… LIMIT …) may be evaluated for every row and then deletes more than its limit.
  deleteSome: (table, key, where, order) =>
    `DELETE FROM ${table} WHERE ${key} = ANY(ARRAY(SELECT ${key} FROM ${table} WHERE ${where} ORDER BY ${order} LIMIT ? FOR UPDATE SKIP LOCKED))`,
  sameText: sameTextPlainly,
  // One parameter, so that one text serves lists of every length.
  oneOf: (column, values) => ({ sql: `${column} = ANY(?::text[])`, params: [values] }),
  isDuplicate: (error) => codeOf(error) === '23505',
  isTooLarge: (error) => codeOf(error) === '22003',
  // Deadlock; serialization; a row on its way into the DEFAULT partition when a bucket for it was made.
  isVictim: (error) => ['40P01', '40001', '23514'].includes(String(codeOf(error))),
  isBusy: (error) => codeOf(error) === '55P03',
  // The pool drops a client that is ending.
  discard: (connection) => void callIfPresent(connection, 'end'),
};

const mysql: Dialect = {
  engine: 'mysql',
  begin: ['SET TRANSACTION ISOLATION LEVEL READ COMMITTED', 'START TRANSACTION'],
  shareLock: ' LOCK IN SHARE MODE',
  updateLock: ' FOR UPDATE',
  sweepLock: ' FOR UPDATE',
  // INSERT IGNORE hides other errors, and the count of ON DUPLICATE KEY depends on flags of the connection.
  ignoreConflict: '',
  clock: 'UNIX_TIMESTAMP()',
  claimInsert: 'all-or-none',
  textColumn: { charset: MYSQL_CHARSET, collation: MYSQL_COLLATION },
  placeholders: identity,
  deleteSome: (table, _key, where, order) => `DELETE FROM ${table} WHERE ${where} ORDER BY ${order} LIMIT ?`,
  // `=` ignores trailing spaces even in a binary collation; the second condition does not.
  sameText: (column, value) => ({
    sql: `${column} = ? AND CAST(CONVERT(${column} USING utf8mb4) AS BINARY) = ?`,
    params: [value, Buffer.from(value, 'utf8')],
  }),
  oneOf: inList,
  isDuplicate: (error) => errnoOf(error) === 1062,
  isTooLarge: (error) => errnoOf(error) === 1690,
  isVictim: (error) => errnoOf(error) === 1213 || errnoOf(error) === 1020,
  isBusy: (error) => errnoOf(error) === 1205,
  discard: (connection) => void callIfPresent(connection, 'destroy'),
  checkSchema: checkMysqlCollations,
};

const sqlite: Dialect = {
  engine: 'sqlite',
  begin: [],
  shareLock: '',
  updateLock: '',
  sweepLock: '',
  ignoreConflict: ' ON CONFLICT DO NOTHING',
  clock: "CAST(strftime('%s', 'now') AS INTEGER)",
  claimInsert: 'one-by-one',
  textColumn: {},
  placeholders: identity,
  deleteSome: (table, _key, where, order) =>
    `DELETE FROM ${table} WHERE rowid IN (SELECT rowid FROM ${table} WHERE ${where} ORDER BY ${order} LIMIT ?)`,
  sameText: sameTextPlainly,
  oneOf: inList,
  isDuplicate: (error) =>
    codeOf(error) === 'SQLITE_CONSTRAINT_UNIQUE' || codeOf(error) === 'SQLITE_CONSTRAINT_PRIMARYKEY',
  isTooLarge: () => false,
  // Its transactions are synchronous and take the write lock first: there is nobody to conflict with.
  isVictim: () => false,
  isBusy: (error) => codeOf(error) === 'SQLITE_BUSY',
  discard: () => undefined,
};

/** The dialect of each TypeORM driver that the stores support. */
export const DIALECTS = { postgres, mysql, mariadb: mysql, 'better-sqlite3': sqlite } as const;

/** A TypeORM driver that the stores support. */
export type SupportedDriver = keyof typeof DIALECTS;

/** Whether the stores support a TypeORM driver. */
export function isSupportedDriver(type: string): type is SupportedDriver {
  return Object.hasOwn(DIALECTS, type);
}
