// The stores that `guarded-stores` compares, each in a database or under a prefix of its own.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sqliteDriver } from '../sqlite-driver.mjs';

const address = (name, port) => ({
  host: process.env[`TAB_${name}_HOST`] ?? '127.0.0.1',
  port: Number(process.env[`TAB_${name}_PORT`] ?? port),
});

/** Opens the stores of each kind; `close` drops what was made. */
export const STORES = {
  memory: openMemory,
  PostgreSQL: () =>
    onServer({ type: 'postgres', ...address('POSTGRES', 5432), username: 'postgres', database: 'test' }),
  MariaDB: () => onServer({ type: 'mariadb', ...address('MARIADB', 3306), username: 'root', database: 'test' }),
  SQLite: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tab-bench-'));
    const options = {
      type: 'better-sqlite3',
      driver: sqliteDriver,
      database: join(folder, 'tab.sqlite'),
      enableWAL: true,
    };
    return openTypeOrm(options, async () => rmSync(folder, { recursive: true, force: true }));
  },
  Redis: openRedis,
};

async function openMemory() {
  const { memoryStores } = await import('../../dist/index.js');
  return { stores: memoryStores(), close: async () => undefined };
}

async function onServer(server) {
  const { DataSource } = await import('typeorm');
  const name = `tab_bench_${process.pid}_${randomBytes(4).toString('hex')}`;
  const admin = await new DataSource(server).initialize();
  await admin.query(`CREATE DATABASE ${name}`);
  return openTypeOrm({ ...server, database: name }, async () => {
    await admin.query(`DROP DATABASE ${name}`);
    await admin.destroy();
  });
}

async function openTypeOrm(options, drop) {
  const { DataSource } = await import('typeorm');
  const { TAB_ENTITIES, TAB_MIGRATIONS, typeOrmStores } = await import('../../dist/stores/typeorm/index.js');
  const ours = { entities: TAB_ENTITIES, migrations: TAB_MIGRATIONS };
  const dataSource = await new DataSource({ ...options, ...ours }).initialize();
  await dataSource.runMigrations();
  const stores = await typeOrmStores({ dataSource }).create(() => undefined);
  const close = async () => {
    await dataSource.destroy();
    await drop();
  };
  return { stores, close };
}

async function openRedis() {
  const { Redis } = await import('ioredis');
  const { redisBindings, redisNonces } = await import('../../dist/stores/redis/index.js');
  const client = new Redis(address('REDIS', 6379));
  const prefix = `tab-bench-${process.pid}-${randomBytes(4).toString('hex')}`;
  const close = async () => {
    for await (const keys of client.scanStream({ match: `*${prefix}*`, count: 1000 })) {
      if (keys.length > 0) await client.unlink(...keys);
    }
    await client.quit();
  };
  return {
    stores: {
      nonces: redisNonces(client, { prefix: `${prefix}:n:` }),
      bindings: redisBindings(client, { prefix: `${prefix}:b:` }),
    },
    close,
  };
}
