// What a claim costs in the SQL stores, against one insert per claim: TypeORM's on the servers, a prepared one on SQLite.
// npm run bench -- stores [--rows 1000000] [--only PostgreSQL]; each run works in databases of its own, dropped at the end.
import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DataSource } from 'typeorm';
import { TAB_ENTITIES, TAB_MIGRATIONS, typeOrmStores, UsedNonce } from '../dist/stores/typeorm/index.js';

const IN_FLIGHT = [1, 16, 64];
/** Milliseconds of each measurement; ours and the baseline take turns. */
const SLICE = 400;
const ROUNDS = 7;
const FILL = 100_000;
const ours = { entities: TAB_ENTITIES, migrations: TAB_MIGRATIONS };

const address = (name, port) => ({
  host: process.env[`TAB_${name}_HOST`] ?? '127.0.0.1',
  port: Number(process.env[`TAB_${name}_PORT`] ?? port),
});

/** Each with the text that fills `tab_used_nonce`, and what is asked at 64 in flight: times the baseline, ms at p99. */
const ENGINES = {
  PostgreSQL: {
    open: () => onServer({ type: 'postgres', ...address('POSTGRES', 5432), username: 'postgres', database: 'test' }),
    fill: (from, to) => `SELECT substr(md5(n::text), 1, 22), 2000000000 FROM generate_series(${from}, ${to}) n`,
    // What the server would else catch up with during the measurement.
    settle: ['VACUUM ANALYZE tab_used_nonce', 'CHECKPOINT'],
    baseline: typeOrmInsert,
    ratio: 4,
    p99: 10,
  },
  MariaDB: {
    open: () => onServer({ type: 'mariadb', ...address('MARIADB', 3306), username: 'root', database: 'test' }),
    fill: (from, to) => `SELECT substr(md5(seq), 1, 22), 2000000000 FROM seq_${from}_to_${to}`,
    baseline: typeOrmInsert,
    ratio: 4,
  },
  SQLite: {
    open: inFile,
    fill: (from, to) =>
      `WITH RECURSIVE c(n) AS (SELECT ${from} UNION ALL SELECT n + 1 FROM c WHERE n < ${to}) ` +
      `SELECT substr(hex(randomblob(11)), 1, 22), 2000000000 FROM c`,
    baseline: preparedInsert,
    ratio: 0.8,
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
  const options = { type: 'better-sqlite3', database: join(folder, 'tab.sqlite'), enableWAL: true, ...ours };
  const dataSource = await new DataSource(options).initialize();
  const close = async () => {
    await dataSource.destroy();
    rmSync(folder, { recursive: true, force: true });
  };
  return { dataSource, close };
}

function typeOrmInsert(dataSource) {
  return (key, expiresAt) =>
    dataSource.createQueryBuilder().insert().into(UsedNonce).values({ key, expiresAt }).orIgnore().execute();
}

function preparedInsert(dataSource) {
  const insert = dataSource.driver.databaseConnection.prepare(
    'INSERT INTO tab_used_nonce (nonce_key, expires_at) VALUES (?, ?) ON CONFLICT DO NOTHING',
  );
  return async (key, expiresAt) => insert.run(key, expiresAt).changes === 1;
}

/** Claims new keys, `inFlight` at a time, for the length of a slice. */
async function load(claim, inFlight, times) {
  const started = performance.now();
  const end = started + SLICE;
  let done = 0;
  const worker = async () => {
    for (let at = performance.now(); at < end;) {
      await claim(randomBytes(16).toString('base64url'), 2_000_000_000);
      const now = performance.now();
      times.push(now - at);
      at = now;
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return (done * 1000) / (performance.now() - started);
}

const quantile = (values, part) => values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * part)] ?? 0;
const round = (value) => Math.round(value * 100) / 100;

async function compare(claims, inFlight) {
  const seen = claims.map(() => ({ rates: [], times: [] }));
  for (let i = -1; i < ROUNDS; i += 1) {
    for (const [index, claim] of claims.entries()) {
      const times = [];
      const rate = await load(claim, inFlight, times);
      // The first round warms up.
      if (i < 0) continue;
      seen[index].rates.push(rate);
      seen[index].times.push(...times);
    }
  }
  return seen.map(({ rates, times }) => ({
    rate: quantile(rates, 0.5),
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
  }));
}

async function measure({ open, fill, settle = [], baseline, ratio, p99 }, rows) {
  const { dataSource, close } = await open();
  try {
    await dataSource.runMigrations();
    const { nonces } = await typeOrmStores({ dataSource }).create(() => undefined);
    for (let from = 1; from <= rows; from += FILL) {
      const select = fill(from, Math.min(from + FILL - 1, rows));
      await dataSource.query(`INSERT INTO tab_used_nonce (nonce_key, expires_at) ${select}`);
    }
    for (const sql of settle) await dataSource.query(sql);
    const table = {};
    for (const inFlight of IN_FLIGHT) {
      const single = baseline(dataSource);
      const [batched, base] = await compare([(key, at) => nonces.claim(key, at), single], inFlight);
      const asked = inFlight === IN_FLIGHT.at(-1);
      const met = batched.rate >= ratio * base.rate && (p99 === undefined || batched.p99 < p99);
      table[`${inFlight} in flight`] = {
        'claims/s': Math.round(batched.rate),
        'p50, ms': round(batched.p50),
        'p99, ms': round(batched.p99),
        'singly, claims/s': Math.round(base.rate),
        'singly p50, ms': round(base.p50),
        'singly p99, ms': round(base.p99),
        ratio: round(batched.rate / base.rate),
        asked: asked ? `≥ ${ratio}×${p99 === undefined ? '' : `, p99 < ${p99} ms`}: ${met ? 'yes' : 'NO'}` : '',
      };
    }
    return table;
  } finally {
    await close();
  }
}

/** @param {readonly string[]} args of the command line, after the name of the benchmark */
export async function run(args = []) {
  const options = { rows: { type: 'string', default: '0' }, only: { type: 'string' } };
  const { rows, only } = parseArgs({ args, options }).values;
  const chosen = Object.entries(ENGINES).filter(([name]) => only === undefined || name === only);
  if (chosen.length === 0) throw new TypeError(`--only takes ${Object.keys(ENGINES).join(', ')}`);
  const table = {};
  for (const [name, engine] of chosen) {
    for (const [key, row] of Object.entries(await measure(engine, Number(rows)))) table[`${name}, ${key}`] = row;
  }
  return table;
}
