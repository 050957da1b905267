// What claims feel when a million of them expire at once: the longest claim, at 64 in flight, while the bucket is dropped and
// others are made, beside the longest of as much time in which nothing happens.
// npm run bench -- stores-expiry [--rows 1000000] [--only PostgreSQL]; each run works in databases of its own.
import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DataSource } from 'typeorm';
import { TAB_ENTITIES, TAB_MIGRATIONS, typeOrmStores } from '../dist/stores/typeorm/index.js';
import { sqliteDriver } from './sqlite-driver.mjs';

const IN_FLIGHT = 64;
const ROUNDS = 3;
/** Milliseconds for which claims run before the bucket is dropped, and after it. */
const AROUND = 1000;
/** Milliseconds that no claim may take for the sake of it. */
const ASKED = 50;
const ours = { entities: TAB_ENTITIES, migrations: TAB_MIGRATIONS };

const address = (name, port) => ({
  host: process.env[`TAB_${name}_HOST`] ?? '127.0.0.1',
  port: Number(process.env[`TAB_${name}_PORT`] ?? port),
});

const ENGINES = {
  PostgreSQL: {
    open: () => onServer({ type: 'postgres', ...address('POSTGRES', 5432), username: 'postgres', database: 'test' }),
    fill: (rows, at) =>
      `INSERT INTO tab_used_nonce (nonce_key, expires_at) SELECT substr(md5(n::text), 1, 22), ${at} + n % 60 FROM generate_series(1, ${rows}) n`,
    settle: ['CHECKPOINT'],
  },
  MariaDB: {
    open: () => onServer({ type: 'mariadb', ...address('MARIADB', 3306), username: 'root', database: 'test' }),
    fill: (rows, at) =>
      `INSERT INTO tab_used_nonce (nonce_key, expires_at) SELECT substr(md5(seq), 1, 22), ${at} + seq % 60 FROM seq_1_to_${rows}`,
    settle: [],
  },
  SQLite: {
    open: inFile,
    fill: (rows, at) =>
      `WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ${rows}) ` +
      `INSERT INTO tab_used_nonce_b${at} (nonce_key, expires_at) SELECT substr(hex(randomblob(11)), 1, 22), ${at} + n % 60 FROM c`,
    settle: [],
  },
};

async function onServer(server) {
  const name = `tab_bench_${process.pid}_${randomBytes(4).toString('hex')}`;
  const admin = await new DataSource(server).initialize();
  await admin.query(`CREATE DATABASE ${name}`);
  const dataSource = await new DataSource({ ...server, database: name, ...ours }).initialize();
  const close = async () => {
    await dataSource.destroy();
    await admin.query(`DROP DATABASE ${name}`);
    await admin.destroy();
  };
  return { dataSource, close };
}

async function inFile() {
  const folder = mkdtempSync(join(tmpdir(), 'tab-bench-'));
  const options = {
    type: 'better-sqlite3',
    driver: sqliteDriver,
    database: join(folder, 'tab.sqlite'),
    enableWAL: true,
    ...ours,
  };
  const dataSource = await new DataSource(options).initialize();
  const close = async () => {
    await dataSource.destroy();
    rmSync(folder, { recursive: true, force: true });
  };
  return { dataSource, close };
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const round = (value) => Math.round(value * 10) / 10;
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

/** Claims without end, and the longest of those that ended since it was last asked. */
function load(nonces) {
  let [longest, done, stopped] = [0, 0, false];
  const worker = async () => {
    while (!stopped) {
      const at = performance.now();
      await nonces.claim(randomBytes(16).toString('base64url'), Math.floor(Date.now() / 1000) + 180);
      longest = Math.max(longest, performance.now() - at);
      done += 1;
    }
  };
  const workers = Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  const take = () => {
    const taken = { longest, done };
    [longest, done] = [0, 0];
    return taken;
  };
  const stop = () => {
    stopped = true;
    return workers;
  };
  return { take, stop };
}

/** Times what claims can be kept waiting by: statements under a lock on a server, transactions that change tables on SQLite. */
function timeHolds(dataSource) {
  const holds = { longest: 0 };
  const timed = (started) => (holds.longest = Math.max(holds.longest, performance.now() - started));
  const handle = dataSource.driver.databaseConnection;
  if (handle) {
    const [prepare, transaction] = [handle.prepare.bind(handle), handle.transaction.bind(handle)];
    let maintains = false;
    handle.prepare = (sql) => {
      maintains ||= /^(?:CREATE|DROP|DELETE|SELECT 1)/.test(sql);
      return prepare(sql);
    };
    handle.transaction = (work) => ({
      immediate: () => {
        maintains = false;
        const started = performance.now();
        const outcome = transaction(work).immediate();
        if (maintains) timed(started);
        return outcome;
      },
    });
    return holds;
  }
  const create = dataSource.createQueryRunner.bind(dataSource);
  dataSource.createQueryRunner = (mode) => {
    const runner = create(mode);
    const query = runner.query.bind(runner);
    runner.query = async (sql, ...rest) => {
      const started = performance.now();
      try {
        return await query(sql, ...rest);
      } finally {
        if (/^(?:DO|ALTER)/.test(sql) && !sql.includes('DROP TABLE')) timed(started);
      }
    };
    return runner;
  };
  return holds;
}

async function once({ open, fill, settle }, rows) {
  const { dataSource, close } = await open();
  try {
    await dataSource.runMigrations();
    const { nonces } = await typeOrmStores({ dataSource }).create(() => undefined);
    const now = Math.floor(Date.now() / 1000);
    const past = now - (now % 60) - 600;
    await nonces.sweep(past, 500);
    await dataSource.query(fill(rows, past));
    for (const sql of settle) await dataSource.query(sql);
    const claims = load(nonces);
    await pause(AROUND);
    claims.take();
    const holds = timeHolds(dataSource);
    const started = performance.now();
    while ((await nonces.sweep(now, 500)) === 500);
    const swept = performance.now() - started;
    await pause(AROUND);
    const with_ = claims.take();
    await pause(swept + AROUND);
    const without = claims.take();
    await claims.stop();
    return { with_, without, swept, hold: holds.longest };
  } finally {
    await close();
  }
}

/** @param {readonly string[]} args of the command line, after the name of the benchmark */
export async function run(args = []) {
  const options = { rows: { type: 'string', default: '1000000' }, only: { type: 'string' } };
  const { rows, only } = parseArgs({ args, options }).values;
  const chosen = Object.entries(ENGINES).filter(([name]) => only === undefined || name === only);
  if (chosen.length === 0) throw new TypeError(`--only takes ${Object.keys(ENGINES).join(', ')}`);
  const table = {};
  for (const [name, engine] of chosen) {
    const seen = [];
    for (let i = 0; i < ROUNDS; i += 1) seen.push(await once(engine, Number(rows)));
    const longest = median(seen.map(({ with_ }) => with_.longest));
    table[`${name}, drop of a bucket with ${Number(rows).toLocaleString('en')} rows`] = {
      'longest claim meanwhile, ms': round(longest),
      'of each round': seen.map(({ with_ }) => round(with_.longest)).join(', '),
      'without it, ms': seen.map(({ without }) => round(without.longest)).join(', '),
      'longest hold, ms': seen.map(({ hold }) => round(hold)).join(', '),
      'it took, ms': seen.map(({ swept }) => round(swept)).join(', '),
      asked: `< ${ASKED} ms: ${longest < ASKED ? 'yes' : 'NO'}`,
    };
  }
  return table;
}
