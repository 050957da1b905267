// What a claim costs in each store, at several loads and numbers of live rows, against one statement per claim.
// npm run bench -- stores [--full] [--rows 0,1000000] [--only PostgreSQL]; each run works in databases and servers of its own.
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { ENGINES } from './stores-engines.mjs';
import { compare } from './stores-load.mjs';
import { measureMemory } from './stores-memory.mjs';

const IN_FLIGHT = [1, 16, 64];
const ROWS = [0, 1_000_000];
const FULL = [...ROWS, 10_000_000];
/** Live nonces at which memory is measured, and bytes that are asked for at most. */
const NONCES = 1_000_000;
const MOST_BYTES = 120;

const round = (value) => (value === undefined ? '' : Math.round(value * 1000) / 1000);
const whole = (value) => (value === undefined ? '' : Math.round(value));

async function measure({ open, ratio: least, p99: most }, rows) {
  const store = await open();
  try {
    await store.fill(rows);
    const table = {};
    for (const inFlight of IN_FLIGHT) {
      const { ours, base, ratio } = await compare(store, inFlight);
      const met = ratio >= least && (most === undefined || ours.p99 < most);
      const asked = inFlight === IN_FLIGHT.at(-1) && least !== undefined;
      table[`${rows} rows, ${inFlight} in flight`] = {
        'claims/s': whole(ours.rate),
        'p50, ms': round(ours.p50),
        'p99, ms': round(ours.p99),
        'singly, /s': whole(base?.rate),
        'singly p50': round(base?.p50),
        'singly p99': round(base?.p99),
        ratio: round(ratio),
        asked: asked ? `≥ ${least}×${most === undefined ? '' : `, p99 < ${most} ms`}: ${met ? 'yes' : 'NO'}` : '',
      };
    }
    return table;
  } finally {
    await store.close();
  }
}

/** @param {readonly string[]} args of the command line, after the name of the benchmark */
export async function run(args = []) {
  const options = { rows: { type: 'string' }, full: { type: 'boolean', default: false }, only: { type: 'string' } };
  const { rows, full, only } = parseArgs({ args, options }).values;
  const sizes = rows === undefined ? (full ? FULL : ROWS) : rows.split(',').map(Number);
  const chosen = Object.entries(ENGINES).filter(([name]) => only === undefined || name === only);
  if (chosen.length === 0) throw new TypeError(`--only takes ${Object.keys(ENGINES).join(', ')}`);
  const table = {};
  for (const [name, engine] of chosen) {
    if (engine.against !== undefined) console.log(`${name}: singly is ${engine.against}, on the same rows`);
    for (const size of sizes) {
      for (const [key, row] of Object.entries(await measure(engine, size))) table[`${name}, ${key}`] = row;
    }
  }
  if (only === undefined || only === 'memory') table[`memory, ${NONCES} nonces`] = memoryRow();
  console.log(
    `load average of the machine: ${loadavg()
      .map((value) => value.toFixed(1))
      .join(', ')}`,
  );
  return table;
}

function memoryRow() {
  const { bytes, rate, slowest } = measureMemory(NONCES);
  const asked = `≤ ${MOST_BYTES} bytes a nonce: ${round(bytes)}, ${bytes <= MOST_BYTES ? 'yes' : 'NO'}`;
  console.log(`memory: the slowest of ${NONCES} claims took ${round(slowest)} ms of processor time`);
  return { 'claims/s': whole(rate), asked };
}
