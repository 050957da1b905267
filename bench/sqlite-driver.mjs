import { createRequire } from 'node:module';

/** better-sqlite3 as this Node can bear it, see `sample/bank/database/sqlite-driver.ts`. */
export const sqliteDriver = createRequire(import.meta.url)(
  Number(process.versions.node.split('.')[0]) >= 22 ? 'better-sqlite3-napi' : 'better-sqlite3',
);
