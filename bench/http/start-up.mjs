// What the module adds to an application that does nothing yet: milliseconds until it listens, and memory after the
// traffic of many instances, whose rows are elsewhere.
import { parseArgs } from 'node:util';
import { ADAPTERS, oneCase, OURS } from './cases.mjs';
import { Field } from './field.mjs';
import { machineOf, median, print, printMachine, round, save, spread } from './report.mjs';

/** At most: milliseconds, megabytes. */
const LIMITS = { ms: 150, megabytes: 25 };
const INSTANCES = 100_000;
const CONNECTIONS = 32;
const PART = 20_000;
const CASES = ['bare', OURS];
const MEBIBYTE = 2 ** 20;

/** Milliseconds from the start of a process to its application listening; with and without take turns. */
async function startUp(adapter, starts) {
  const seen = new Map(CASES.map((title) => [title, []]));
  for (let i = -1; i < starts; i += 1) {
    for (const title of CASES) {
      const field = new Field();
      try {
        await field.open({ users: 1 });
        const contestant = await field.add(oneCase(title, adapter));
        if (contestant === undefined) throw new Error(field.missing[0].reason);
        // The first start fills the file cache.
        if (i >= 0) seen.get(title).push(contestant.started.ready);
      } finally {
        await field.close();
      }
    }
  }
  return seen;
}

function startUpRow(seen) {
  const [bare, ours] = CASES.map((title) => seen.get(title));
  const added = median(ours) - median(bare);
  return {
    'without, ms': round(median(bare), 0),
    'with, ms': round(median(ours), 0),
    'added, ms': round(added, 0),
    'least–most, with': spread(ours),
    [`under ${LIMITS.ms} ms`]: added < LIMITS.ms ? 'yes' : 'NO',
  };
}

/** Resident memory after one request of each instance, before and after the garbage collector gave back what it holds in reserve. */
async function memoryAfter(title, adapter, instances) {
  const field = new Field();
  try {
    await field.open({ users: instances, bare: true, heap: 8192 });
    const contestant = await field.add(oneCase(title, adapter, { store: 'far away', far: true }));
    if (contestant === undefined) throw new Error(field.missing[0].reason);
    const fresh = await contestant.child.call('memory');
    for (let from = 0; from < instances; from += PART)
      await field.round(contestant, { connections: CONNECTIONS, count: Math.min(PART, instances - from), from });
    return { fresh, full: await contestant.child.call('memory'), machine: machineOf(field) };
  } finally {
    await field.close();
  }
}

async function memoryRow(adapter, instances) {
  const [bare, ours] = [await memoryAfter('bare', adapter, instances), await memoryAfter(OURS, adapter, instances)];
  const more = (name, when = 'full') => (ours[when][name] - bare[when][name]) / MEBIBYTE;
  const added = more('rss');
  return {
    machine: ours.machine,
    row: {
      'without, MiB': round(bare.full.rss / MEBIBYTE, 1),
      'with, MiB': round(ours.full.rss / MEBIBYTE, 1),
      'added, MiB': round(added, 1),
      'before any request': round(more('rss', 'fresh'), 1),
      'heap in use': round(more('heapUsed'), 1),
      'before collection': round(more('loose'), 1),
      [`under ${LIMITS.megabytes} MiB`]: added < LIMITS.megabytes ? 'yes' : 'NO',
    },
  };
}

/** @param {readonly string[]} args of the command line, after the name of the benchmark */
export async function run(args = []) {
  const options = {
    starts: { type: 'string', default: '9' },
    instances: { type: 'string', default: String(INSTANCES) },
    markdown: { type: 'boolean' },
  };
  const { values } = parseArgs({ args, options });
  const instances = Number(values.instances);
  const [starts, memory] = [{}, {}];
  let machine;
  for (const adapter of ADAPTERS) {
    starts[adapter] = startUpRow(await startUp(adapter, Number(values.starts)));
    const measured = await memoryRow(adapter, instances);
    memory[adapter] = measured.row;
    ({ machine } = measured);
  }
  printMachine(machine);
  print('Start of a process until the application listens', starts, values.markdown);
  print(`Resident memory after requests of ${instances.toLocaleString('en')} instances`, memory, values.markdown);
  save('start-up', { machine, starts, memory });
}
