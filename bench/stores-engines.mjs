// The stores that are measured, each on a server, file or process of its own, and what it is measured against.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sqliteDriver } from './sqlite-driver.mjs';

/** Rows of one filling statement. */
const FILL = 100_000;
/** Seconds of expiry over which live rows are spread: what a token is kept for, and a minute. */
const SPREAD = 240;
const MINUTE = 60;
/** Claims go into the last seconds of it: a token is presented as soon as it is made, and kept for a constant time from then. */
const NEWEST = 5;

const address = (name, port) => ({
  host: process.env[`TAB_${name}_HOST`] ?? '127.0.0.1',
  port: Number(process.env[`TAB_${name}_PORT`] ?? port),
});

/** The first expiry of the rows: later than any measurement, and soon enough that buckets for it are there. */
const firstExpiry = () => Math.ceil((Date.now() / 1000 + 900) / MINUTE) * MINUTE;

/**
 * Each opens an empty store: `claim`, `single` where there is something to compare with, `fill(rows)`, `bytes()` that
 * the rows take up, and `close()`, which drops everything. `ratio` and `p99` are what is asked at 64 in flight.
 */
export const ENGINES = {
  PostgreSQL: { open: openPostgres, ratio: 4, p99: 10, against: 'TypeORM insert().orIgnore()' },
  MariaDB: { open: openMariaDb, ratio: 4, against: 'TypeORM insert().orIgnore()' },
  SQLite: { open: openSqlite, ratio: 0.8, against: 'prepared INSERT' },
  Redis: { open: () => openRedis(), ratio: 0.9, against: 'pipelined SET NX' },
  memory: { open: openMemory },
};

function openPostgres() {
  const server = { type: 'postgres', ...address('POSTGRES', 5432), username: 'postgres', database: 'test' };
  return onServer(server, {
    rows: (from, to, at) =>
      `SELECT translate(left(encode(decode(md5(n::text), 'hex'), 'base64'), 22), '+/', '-_'), ${at} + n % ${SPREAD} ` +
      `FROM generate_series(${from}, ${to}) n`,
    // What the server would else catch up with during the measurement.
    settle: ['VACUUM ANALYZE tab_used_nonce', 'CHECKPOINT'],
    bytes: `SELECT sum(pg_total_relation_size(oid)) AS bytes FROM pg_class WHERE relname LIKE 'tab_used_nonce%' AND relkind = 'r'`,
  });
}

function openMariaDb() {
  const server = { type: 'mariadb', ...address('MARIADB', 3306), username: 'root', database: 'test' };
  return onServer(server, {
    rows: (from, to, at) =>
      `SELECT translated, at FROM (SELECT replace(replace(left(to_base64(unhex(md5(seq))), 22), '+', '-'), '/', '_') AS translated, ` +
      `${at} + seq % ${SPREAD} AS at FROM seq_${from}_to_${to}) made ORDER BY at, translated`,
    settle: [],
    bytes:
      `SELECT sum(FILE_SIZE) AS bytes FROM information_schema.INNODB_SYS_TABLESPACES ` +
      `WHERE NAME LIKE CONCAT(DATABASE(), '/tab@\\_used@\\_nonce%') OR NAME LIKE CONCAT(DATABASE(), '/tab\\_used\\_nonce%')`,
  });
}

async function onServer(server, { rows, settle, bytes }) {
  const { DataSource } = await import('typeorm');
  const name = `tab_bench_${process.pid}_${randomBytes(4).toString('hex')}`;
  const admin = await new DataSource(server).initialize();
  await admin.query(`CREATE DATABASE ${name}`);
  const { dataSource, nonces, UsedNonce } = await typeOrm({ ...server, database: name });
  const first = firstExpiry();
  return {
    claim: (key, at) => nonces.claim(key, at),
    single: (key, expiresAt) =>
      dataSource.createQueryBuilder().insert().into(UsedNonce).values({ key, expiresAt }).orIgnore().execute(),
    expiry: () => expiryFrom(first),
    fill: async (count) => {
      for (let from = 1; from <= count; from += FILL) {
        const select = rows(from, Math.min(from + FILL - 1, count), first);
        await dataSource.query(`INSERT INTO tab_used_nonce (nonce_key, expires_at) ${select}`);
      }
      for (const sql of settle) await dataSource.query(sql);
    },
    bytes: async () => Number((await dataSource.query(bytes))[0].bytes),
    processes: server.type === 'postgres' ? ['postgres'] : ['mariadbd', 'mysqld'],
    close: async () => {
      await dataSource.destroy();
      await admin.query(`DROP DATABASE ${name}`);
      await admin.destroy();
    },
  };
}

/** Migrated, with the buckets that a server has made by then. */
async function typeOrm(options) {
  await import('reflect-metadata');
  const { DataSource } = await import('typeorm');
  const { TAB_ENTITIES, TAB_MIGRATIONS, typeOrmStores, UsedNonce } = await import('../dist/stores/typeorm/index.js');
  const ours = { entities: TAB_ENTITIES, migrations: TAB_MIGRATIONS };
  const dataSource = await new DataSource({ ...options, ...ours }).initialize();
  await dataSource.runMigrations();
  const { nonces } = await typeOrmStores({ dataSource }).create(() => undefined);
  await nonces.open?.();
  await nonces.sweep(Math.floor(Date.now() / 1000), 500);
  return { dataSource, nonces, UsedNonce };
}

async function openSqlite() {
  const folder = mkdtempSync(join(tmpdir(), 'tab-bench-'));
  const file = { type: 'better-sqlite3', driver: sqliteDriver, database: join(folder, 'tab.sqlite'), enableWAL: true };
  const { dataSource, nonces } = await typeOrm(file);
  const database = dataSource.driver.databaseConnection;
  const first = firstExpiry();
  const exists = database.prepare(`SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?`);
  /** The table that claims of a minute go into: one of its own where the store has made one. */
  const tableOf = (minute) =>
    exists.get(`tab_used_nonce_b${minute}`) ? `tab_used_nonce_b${minute}` : 'tab_used_nonce';
  const insert = `INSERT INTO ${tableOf(first + SPREAD - MINUTE)} (nonce_key, expires_at) VALUES (?, ?) ON CONFLICT DO NOTHING`;
  const prepared = database.prepare(insert);
  const pages = () => database.pragma('page_count', { simple: true }) * database.pragma('page_size', { simple: true });
  const empty = pages();
  return {
    claim: (key, at) => nonces.claim(key, at),
    single: async (key, expiresAt) => prepared.run(key, expiresAt).changes === 1,
    expiry: () => expiryFrom(first),
    fill: async (count) => {
      const part = (count * MINUTE) / SPREAD;
      for (let minute = first; minute < first + SPREAD; minute += MINUTE)
        fillMinute(database, tableOf(minute), minute, part);
    },
    bytes: async () => pages() - empty,
    close: async () => {
      await dataSource.destroy();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function fillMinute(database, table, minute, count) {
  const insert = database.prepare(`INSERT INTO ${table} (nonce_key, expires_at) VALUES (?, ?)`);
  const nextKey = keys();
  for (let from = 0; from < count; from += FILL) {
    const chunk = Array.from({ length: Math.min(FILL, count - from) }, () => [
      nextKey(),
      minute + Math.floor(Math.random() * MINUTE),
    ]);
    database.transaction(() => chunk.forEach((row) => insert.run(...row)))();
  }
}

/** @param {{ bySlots?: boolean }} how as in a cluster: one script for each slot, on one server all the same */
export async function openRedis({ bySlots = false } = {}) {
  const { Redis } = await import('ioredis');
  const { redisNonces } = await import('../dist/stores/redis/index.js');
  const { port, stop } = await startRedis();
  const client = new Redis({ host: '127.0.0.1', port, maxRetriesPerRequest: null });
  const raw = new Redis({ host: '127.0.0.1', port, maxRetriesPerRequest: null });
  // Until the server listens, attempts to connect fail.
  for (const each of [client, raw]) each.on('error', () => undefined);
  await redisNonces(client).open();
  // A server that has just begun refuses for half a minute what may have been spent before: this one began earlier.
  for (const key of await client.keys('*:life')) {
    const [id, owner, since] = (await client.get(key)).split(' ');
    await client.set(key, `${id} ${owner} ${since - 3600}`);
  }
  const nonces = redisNonces(bySlots ? apart(client) : client);
  await nonces.open();
  const used = async () => Number(/used_memory:(\d+)/.exec(await raw.info('memory'))[1]);
  const empty = await used();
  const first = firstExpiry();
  const nameOf = (key) => `tab:n:{tab-${key.charAt(0)}}:${key}`;
  return {
    claim: (key, at) => nonces.claim(key, at),
    // ioredis writes all commands of one turn at once; automatic pipelining, measured too, is not faster.
    single: (key, at) => raw.set(nameOf(key), '1', 'PX', (at + 60) * 1000 - Date.now(), 'NX'),
    expiry: () => expiryFrom(first),
    fill: (count) => fillRedis(raw, nameOf, first, count),
    bytes: async () => (await used()) - empty,
    processes: ['redis-server'],
    close: async () => {
      client.disconnect();
      raw.disconnect();
      await stop();
    },
  };
}

/** A client that keeps the store from finding out that one server has all keys. */
function apart(client) {
  return ([command, ...args]) =>
    args[1] === '64' ? Promise.reject(new Error('CROSSSLOT')) : client.call(command, ...args);
}

async function fillRedis(raw, nameOf, first, count) {
  const nextKey = keys();
  for (let from = 0; from < count; from += 10_000) {
    const pipeline = raw.pipeline();
    for (let at = from; at < Math.min(from + 10_000, count); at += 1)
      pipeline.set(nameOf(nextKey()), '1', 'PXAT', (first + (at % SPREAD) + 60) * 1000, 'NX');
    await pipeline.exec();
  }
}

/** A server of our own, so that filling it is nobody else's memory, and ending it cleans up. */
async function startRedis() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  const options = ['--bind', '127.0.0.1', '--port', String(port), '--save', '', '--appendonly', 'no'];
  const child = spawn('redis-server', options, { stdio: 'ignore' });
  await once(child, 'spawn');
  // It must not outlive a benchmark that fails.
  process.once('exit', () => child.kill());
  const stop = async () => {
    const ended = once(child, 'exit');
    child.kill();
    await ended;
  };
  return { port, stop };
}

async function openMemory() {
  const { memoryStores } = await import('../dist/index.js');
  const { nonces } = memoryStores({ maxNonces: 100_000_000 });
  const first = firstExpiry();
  const nextKey = keys();
  return {
    claim: (key, at) => nonces.claim(key, at),
    expiry: () => expiryFrom(first),
    fill: async (count) => {
      for (let at = 0; at < count; at += 1) await nonces.claim(nextKey(), first + (at % SPREAD));
    },
    bytes: async () => undefined,
    close: async () => undefined,
  };
}

/** A time at which claims that are made now expire. */
function expiryFrom(first) {
  return first + SPREAD - 1 - Math.floor(Math.random() * NEWEST);
}

/** New random keys, cheaply. */
export function keys() {
  let pool = Buffer.alloc(0);
  let at = 0;
  return () => {
    if (at + 16 > pool.length) [pool, at] = [randomBytes(16 * 4096), 0];
    at += 16;
    return pool.toString('base64url', at - 16, at);
  };
}
