// PostgreSQL: a database of its own, made and dropped by the run.
import { randomBytes } from 'node:crypto';
import { DataSource } from 'typeorm';

const SERVER = {
  type: 'postgres',
  host: process.env.TAB_POSTGRES_HOST ?? '127.0.0.1',
  port: Number(process.env.TAB_POSTGRES_PORT ?? 5432),
  username: process.env.TAB_POSTGRES_USER ?? 'postgres',
  database: 'test',
};
/** Milliseconds between two looks at the partitions. */
const WATCH = 500;
const PARTITIONS =
  "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'tab_used_nonce'::regclass";

const typeormOf = (library) => import(new URL('stores/typeorm/index.js', library).href);

/** Lets the database, too, have the clock of the run: by it, it judges what is over. */
async function setClock(admin, database, { speed, started }) {
  const options = { ...SERVER, database, poolSize: 1 };
  const dataSource = await new DataSource(options).initialize();
  await dataSource.query(
    `CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$ ` +
      `SELECT to_timestamp((${started} + (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000 - ${started}) * ${speed}) / 1000) $$`,
  );
  await dataSource.destroy();
  // Before the one of the system, which is else looked at first.
  await admin.query(`ALTER DATABASE ${database} SET search_path = public, pg_catalog`);
}

/** In the coordinator: makes the database with its tables, and watches them. */
export async function prepare(library, time) {
  const database = `tab_soak_${process.pid}_${randomBytes(4).toString('hex')}`;
  const admin = await new DataSource(SERVER).initialize();
  await admin.query(`CREATE DATABASE ${database}`);
  const remove = async () => {
    await admin.query(`DROP DATABASE ${database} WITH (FORCE)`);
    await admin.destroy();
  };
  try {
    await setClock(admin, database, time);
    const { TAB_ENTITIES, TAB_MIGRATIONS } = await typeormOf(library);
    const options = { ...SERVER, database, entities: TAB_ENTITIES, migrations: TAB_MIGRATIONS, poolSize: 2 };
    const dataSource = await new DataSource(options).initialize();
    await dataSource.runMigrations();
    return { ...(await watch(dataSource, remove)), settings: { database } };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function watch(dataSource, remove) {
  const namesNow = async () => (await dataSource.query(PARTITIONS)).map(({ name }) => name);
  const seen = new Set(await namesNow());
  const look = async () => (await namesNow()).forEach((name) => seen.add(name));
  const timer = setInterval(() => look().catch(() => undefined), WATCH);
  const [{ server_version: version }] = await dataSource.query('SHOW server_version');
  return {
    server: `PostgreSQL ${version.split(' ')[0]}`,
    /** Partitions that were seen, and those that are gone; claims that the store still has. */
    inspect: async () => {
      await look();
      const present = new Set(await namesNow());
      const [{ count }] = await dataSource.query('SELECT count(*) FROM tab_used_nonce');
      return { dropped: [...seen].filter((name) => !present.has(name)).length, left: Number(count) };
    },
    remove: async () => {
      clearInterval(timer);
      await dataSource.destroy();
      await remove();
    },
  };
}

/** In a worker: the stores, and a claim in two steps for sabotage. */
export async function open({ settings, library }, clock) {
  const { TAB_ENTITIES, typeOrmStores } = await typeormOf(library);
  const options = { ...SERVER, ...settings, entities: TAB_ENTITIES, poolSize: 8, extra: { query_timeout: 10_000 } };
  const dataSource = await new DataSource(options).initialize();
  const stores = await typeOrmStores({ dataSource, clock }).create(() => undefined);
  const raw = {
    find: async (key, expiresAt) =>
      (await dataSource.query('SELECT FROM tab_used_nonce WHERE nonce_key = $1 AND expires_at = $2', [key, expiresAt]))
        .length > 0,
    save: (key, expiresAt) =>
      dataSource.query('INSERT INTO tab_used_nonce (nonce_key, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
        key,
        expiresAt,
      ]),
    forget: async (before) => (await dataSource.query('DELETE FROM tab_used_nonce WHERE expires_at < $1', [before]))[1],
  };
  return { stores, raw, close: () => dataSource.destroy() };
}
