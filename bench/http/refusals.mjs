// What a flood of bad requests costs: refusals per second beside acceptances, and what they ask of the stores, which is nothing.
import { parseArgs } from 'node:util';
import { ADAPTERS, oneCase, OURS } from './cases.mjs';
import { Field } from './field.mjs';
import { machineOf, median, print, printMachine, round, save, spread } from './report.mjs';
import { WAYS_TO_REFUSE } from './spoil.mjs';

const CONNECTIONS = 32;
const ACCEPTED = 'accepted';

async function measure(field, contestant, { rounds, seconds }) {
  const seen = new Map(
    [ACCEPTED, ...WAYS_TO_REFUSE].map((way) => [way, { rates: [], cpu: [], calls: 0, requests: 0 }]),
  );
  // The first two rounds warm up.
  for (let i = -2; i < rounds; i += 1) {
    for (const [way, { rates, cpu }] of seen) {
      const before = await contestant.child.call('calls');
      const form = { connections: CONNECTIONS, ...(way !== ACCEPTED && { spoiled: way }) };
      const { rate, cpuEach, count } = await field.timedRound(contestant, form, seconds);
      const after = await contestant.child.call('calls');
      const entry = seen.get(way);
      entry.calls += Object.keys(after).reduce((sum, name) => sum + after[name] - before[name], 0);
      entry.requests += count;
      if (i < 0) continue;
      rates.push(rate);
      cpu.push(cpuEach);
    }
  }
  return seen;
}

function rowsOf(adapter, seen) {
  const accepted = seen.get(ACCEPTED).rates;
  return [...seen].map(([way, { rates, cpu, calls, requests }]) => {
    const ratio = median(rates.map((rate, index) => rate / accepted[index]));
    const holds = ratio >= 1 && calls === 0;
    const row = {
      'requests/s': Math.round(median(rates)),
      'least–most': spread(rates),
      'of accepted': round(ratio),
      'CPU, µs': round(median(cpu), 1),
      requests,
      'store calls': calls,
      'at least as many, no store call': way === ACCEPTED ? '' : holds ? 'yes' : 'NO',
    };
    return [`${way} · ${adapter}`, row];
  });
}

/** @param {readonly string[]} args of the command line, after the name of the benchmark */
export async function run(args = []) {
  const options = {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1' },
    markdown: { type: 'boolean' },
  };
  const { values } = parseArgs({ args, options });
  const field = new Field();
  try {
    await field.open();
    const table = {};
    for (const adapter of ADAPTERS) {
      const contestant = await field.add(oneCase(OURS, adapter, { counted: true }));
      if (contestant === undefined) throw new Error(field.missing[0].reason);
      const seen = await measure(field, contestant, { rounds: Number(values.rounds), seconds: Number(values.seconds) });
      Object.assign(table, Object.fromEntries(rowsOf(adapter, seen)));
    }
    const machine = machineOf(field);
    printMachine(machine);
    print(`Refusals, ${CONNECTIONS} connections, memory stores`, table, values.markdown);
    save('refusals', { machine, table });
  } finally {
    await field.close();
  }
}
