import type { DataSourceOptions } from 'typeorm';
import { TAB_DECISION_ENTITIES, TAB_DECISION_MIGRATIONS, TAB_ENTITIES, TAB_MIGRATIONS } from 'nestjs-tab/typeorm';
import { BANK_ENTITIES } from './entities.js';
import { BANK_MIGRATIONS } from './migrations.js';
import { sqliteDriver } from './sqlite-driver.js';

/** A database server. */
export interface ServerSettings {
  readonly type: 'postgres' | 'mysql' | 'mariadb';
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly database: string;
  readonly ssl: boolean;
}

/** A server, or a SQLite file (`:memory:` for none). */
export type DatabaseSettings = ServerSettings | { readonly type: 'better-sqlite3'; readonly file: string };

const SCHEMES: Readonly<Record<string, { type: ServerSettings['type']; port: number }>> = {
  'postgres:': { type: 'postgres', port: 5432 },
  'postgresql:': { type: 'postgres', port: 5432 },
  'mysql:': { type: 'mysql', port: 3306 },
  'mariadb:': { type: 'mariadb', port: 3306 },
};
/** Values of `sslmode` that do not insist on encryption. */
const PLAIN_SSL_MODES = new Set(['disable', 'allow', 'prefer']);

/** The settings in a `DATABASE_URL`, or undefined when it is none. */
export function readDatabaseUrl(text: string): ServerSettings | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const scheme = url && SCHEMES[url.protocol];
  if (!scheme || url.hostname === '' || url.pathname.length < 2) return undefined;
  const sslMode = url.searchParams.get('sslmode');
  return {
    type: scheme.type,
    // IPv6 addresses are in brackets only inside a URL.
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? scheme.port : Number(url.port),
    username: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.slice(1)),
    ssl: sslMode !== null && !PLAIN_SSL_MODES.has(sslMode),
  };
}

/** What TypeORM needs: the bank's tables, and those of TAB beside them. */
export function dataSourceOptions(settings: DatabaseSettings): DataSourceOptions {
  const schema = {
    entities: [...BANK_ENTITIES, ...TAB_ENTITIES, ...TAB_DECISION_ENTITIES],
    migrations: [...TAB_MIGRATIONS, ...TAB_DECISION_MIGRATIONS, ...BANK_MIGRATIONS],
    migrationsRun: true,
    synchronize: false,
  };
  if (settings.type === 'better-sqlite3') {
    const { type, file } = settings;
    // WAL lets other processes read while one writes; a writer waits for another for up to 5 s.
    return { ...schema, type, driver: sqliteDriver(), database: file, enableWAL: file !== ':memory:', timeout: 5_000 };
  }
  return { ...schema, ...settings, ssl: settings.ssl || undefined, isolationLevel: 'READ COMMITTED' };
}
