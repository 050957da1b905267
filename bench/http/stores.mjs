// The stores behind TabGuard. Each run works in a database or under a prefix of its own, dropped at the end.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sqliteDriver } from '../sqlite-driver.mjs';

const address = (name, port) => ({
  host: process.env[`TAB_${name}_HOST`] ?? '127.0.0.1',
  port: Number(process.env[`TAB_${name}_PORT`] ?? port),
});
const ownName = () => `tab_bench_http_${process.pid}_${randomBytes(4).toString('hex')}`;

async function typeOrm(server, dropped) {
  const { DataSource } = await import('typeorm');
  const { TAB_ENTITIES, TAB_MIGRATIONS, typeOrmStores } = await import('../../dist/stores/typeorm/index.js');
  const dataSource = new DataSource({ ...server, entities: TAB_ENTITIES, migrations: TAB_MIGRATIONS });
  await dataSource.initialize();
  await dataSource.runMigrations();
  const close = async () => {
    await dataSource.destroy();
    await dropped();
  };
  return { stores: await typeOrmStores({ dataSource }).create(() => undefined), dataSource, close };
}

async function onServer(server) {
  const { DataSource } = await import('typeorm');
  const admin = await new DataSource(server).initialize();
  const name = ownName();
  await admin.query(`CREATE DATABASE ${name}`);
  return typeOrm({ ...server, database: name }, async () => {
    await admin.query(`DROP DATABASE ${name}`);
    await admin.destroy();
  });
}

async function inFile() {
  const folder = mkdtempSync(join(tmpdir(), 'tab-bench-'));
  const file = { type: 'better-sqlite3', driver: sqliteDriver, database: join(folder, 'tab.sqlite'), enableWAL: true };
  return typeOrm(file, async () => rmSync(folder, { recursive: true, force: true }));
}

async function inRedis() {
  const { default: Redis } = await import('ioredis');
  const { redisBindings, redisNonces } = await import('../../dist/stores/redis/index.js');
  const prefix = `${ownName()}:`;
  const client = new Redis({ ...address('REDIS', 6379), lazyConnect: true, maxRetriesPerRequest: 1 });
  await client.connect();
  const close = async () => {
    for await (const keys of client.scanStream({ match: `*${prefix}*`, count: 1000 })) {
      if (keys.length > 0) await client.unlink(...keys);
    }
    await client.quit();
  };
  const stores = {
    nonces: redisNonces(client, { prefix: `${prefix}n:` }),
    bindings: redisBindings(client, { prefix: `${prefix}b:` }),
  };
  return { stores, close };
}

async function inMemory() {
  const { memoryStores } = await import('../../dist/index.js');
  return { stores: memoryStores({ maxNonces: 10_000_000 }), close: async () => undefined };
}

const OPEN = {
  memory: inMemory,
  SQLite: inFile,
  PostgreSQL: () =>
    onServer({ type: 'postgres', ...address('POSTGRES', 5432), username: 'postgres', database: 'test' }),
  MariaDB: () => onServer({ type: 'mariadb', ...address('MARIADB', 3306), username: 'root', database: 'test' }),
  Redis: inRedis,
};

/** Opens stores of this kind. `calls`, where they are counted, says how often the stores were asked for anything. */
export async function openStores(kind, counted) {
  const opened = await OPEN[kind]();
  if (!counted) return opened;
  const calls = { load: 0, claim: 0, other: 0 };
  return { ...opened, calls, stores: countCalls(opened.stores, calls) };
}

function countCalls({ nonces, bindings }, calls) {
  const watch = (store) =>
    new Proxy(store, {
      get(target, name) {
        const member = Reflect.get(target, name, target);
        if (typeof member !== 'function') return member;
        return (...args) => {
          // The sweeper comes by itself, whoever asks for what.
          if (name !== 'sweep') calls[name === 'load' || name === 'claim' ? name : 'other'] += 1;
          return member.apply(target, args);
        };
      },
    });
  return { nonces: watch(nonces), bindings: watch(bindings) };
}
