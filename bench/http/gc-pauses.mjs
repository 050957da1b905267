// A minute of load on one server: the slowest requests beside the usual ones, and every pause of the garbage collector.
import { parseArgs } from 'node:util';
import { ADAPTERS, oneCase, OURS } from './cases.mjs';
import { Field } from './field.mjs';
import { machineOf, median, print, printMachine, round, save } from './report.mjs';

const CONNECTIONS = 32;
const PART = 10;
/** At most: p99 in p50s, and a pause in milliseconds. */
const LIMITS = { p99: 4, pause: 20 };

/** Tokens live a minute, so that the load comes in parts of ten seconds, between which new ones are made. */
async function measure(field, contestant, seconds) {
  const form = { connections: CONNECTIONS };
  for (let i = 0; i < 2; i += 1) await field.timedRound(contestant, { ...form, count: 10_000 }, 2);
  const parts = [];
  for (let spent = 0; spent < seconds;) {
    const part = await field.timedRound(contestant, { ...form, count: 10_000 }, Math.min(PART, seconds - spent));
    parts.push(part);
    spent += part.count / part.rate;
  }
  return parts;
}

function rowOf(parts) {
  const pauses = parts.flatMap((part) => part.pauses);
  const [p50, p99] = ['p50', 'p99'].map((name) => median(parts.map((part) => part[name])));
  const worst = Math.max(...parts.map((part) => part.p99 / part.p50));
  const longest = Math.max(0, ...pauses);
  const seconds = parts.reduce((sum, { count, rate }) => sum + count / rate, 0);
  const total = pauses.reduce((sum, each) => sum + each, 0);
  return {
    seconds: round(seconds, 1),
    'requests/s': Math.round(median(parts.map(({ rate }) => rate))),
    'p50, ms': round(p50, 3),
    'p99, ms': round(p99, 3),
    'p99 to p50': round(p99 / p50),
    'in the worst part': round(worst),
    pauses: pauses.length,
    'longest pause, ms': round(longest, 1),
    'time in pauses': `${round((total / (seconds * 1000)) * 100, 1)} %`,
    [`p99 ≤ ${LIMITS.p99} × p50, no pause over ${LIMITS.pause} ms`]:
      p99 <= LIMITS.p99 * p50 && longest <= LIMITS.pause ? 'yes' : 'NO',
  };
}

/** @param {readonly string[]} args of the command line, after the name of the benchmark */
export async function run(args = []) {
  const options = {
    seconds: { type: 'string', default: '60' },
    only: { type: 'string' },
    markdown: { type: 'boolean' },
  };
  const { values } = parseArgs({ args, options });
  const table = {};
  const raw = {};
  let machine;
  for (const adapter of ADAPTERS.filter((name) => values.only === undefined || name === values.only)) {
    for (const title of ['bare', OURS]) {
      const field = new Field();
      try {
        await field.open();
        const contestant = await field.add(oneCase(title, adapter));
        if (contestant === undefined) throw new Error(field.missing[0].reason);
        machine ??= machineOf(field);
        const parts = await measure(field, contestant, Number(values.seconds));
        table[contestant.key] = rowOf(parts);
        raw[contestant.key] = parts;
      } finally {
        await field.close();
      }
    }
  }
  printMachine(machine);
  print(`A minute of load, ${CONNECTIONS} connections, memory stores`, table, values.markdown);
  save('gc-pauses', { machine, table, raw });
}
