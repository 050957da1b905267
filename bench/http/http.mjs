// Requests per second of one guarded route: bare, by TabGuard, by its peers; on Express and on Fastify.
import { parseArgs } from 'node:util';
import { casesOf, OF_BARE, OURS, QUICK, STORES, TIMES_PEER, UNCHECKED } from './cases.mjs';
import { Field } from './field.mjs';
import { machineOf, median, print, printMachine, round, save, spread } from './report.mjs';

/** What is sent: 32 connections without a body is what targets are about. */
const MAIN = { size: 0, connections: 32 };
const FORMS = [
  MAIN,
  { size: 0, connections: 1 },
  { size: 0, connections: 256 },
  { size: 1000, connections: 32 },
  { size: 100_000, connections: 32 },
];
const FULL = [0, 1000, 100_000].flatMap((size) => [1, 32, 256].map((connections) => ({ size, connections })));
/** At 1 connection: p50 that TabGuard may add, in bare `crypto.verify`s. */
const ADDED = 1.3;
const headingOf = ({ size, connections }) =>
  `${connections} connection${connections === 1 ? '' : 's'}, ${size === 0 ? 'no body' : `body of ${size / 1000} kB`}`;

function settingsOf(args, defaults) {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      forms: { type: 'string' },
      only: { type: 'string' },
      full: { type: 'boolean', default: false },
      'no-stores': { type: 'boolean', default: false },
      markdown: { type: 'boolean', default: false },
    },
  });
  return {
    rounds: Number(values.rounds ?? defaults.rounds),
    seconds: Number(values.seconds ?? defaults.seconds),
    forms: (values.full ? FULL : defaults.forms).slice(0, Number(values.forms ?? FULL.length)),
    stores: values['no-stores'] ? [] : defaults.stores,
    only: values.only && new RegExp(values.only),
    warmUp: defaults.warmUp,
    markdown: values.markdown,
  };
}

/** Every contestant once per round, so that a drifting machine drifts for all of them. */
async function measureForm(field, form, { rounds, seconds, warmUp }) {
  const seen = new Map(field.contestants.map((each) => [each, []]));
  // The first two rounds warm up and say how long the next has to be.
  for (let i = -2; i < rounds; i += 1) {
    const turn = field.contestants.map((_, at, all) => all[(at + Math.max(i, 0)) % all.length]);
    for (const contestant of turn) {
      const result = await field.timedRound(contestant, form, i < 0 ? Math.max(warmUp, seconds) : seconds);
      if (i >= 0) seen.get(contestant).push({ ...result, pauses: result.pauses.length });
    }
  }
  return seen;
}

const ratesOf = (results) => results.map(({ rate }) => rate);
/** Ratios within the same round, where the machine was the same. */
const ratiosTo = (results, base) => results.map(({ rate }, index) => rate / base[index].rate);

function find(seen, adapter, title) {
  for (const [{ which }, results] of seen) if (which.adapter === adapter && which.title === title) return results;
  return undefined;
}

function tableOf(seen) {
  const table = {};
  for (const [{ key, which }, results] of seen) {
    const bare = find(seen, which.adapter, 'bare');
    const of = (name, digits) => round(median(results.map((each) => each[name])), digits);
    const ratios = bare && ratiosTo(results, bare);
    table[key] = {
      'requests/s': Math.round(median(ratesOf(results))),
      'least–most': spread(ratesOf(results)),
      'of bare': ratios ? round(median(ratios)) : '',
      'its spread': ratios ? spread(ratios, 2) : '',
      'p50, ms': of('p50', 3),
      'p99, ms': of('p99', 2),
      'CPU, µs': of('cpuEach', 1),
      'main thread, µs': of('mainEach', 1),
      'load busy': `${Math.round(median(results.map(({ busy }) => busy)) * 100)} %`,
    };
  }
  return table;
}

/** What was promised, and whether it holds. */
function verdictsOf(seen) {
  const table = {};
  const say = (name, value, least) => {
    table[name] = { measured: round(value), 'at least': least, holds: value >= least ? 'yes' : 'NO' };
  };
  for (const [title, targets] of Object.entries(OF_BARE)) {
    for (const [adapter, least] of Object.entries(targets)) {
      const [ours, bare] = [find(seen, adapter, title), find(seen, adapter, 'bare')];
      if (ours && bare) say(`${title} of bare, ${adapter}`, median(ratiosTo(ours, bare)), least);
    }
  }
  for (const [title, least] of Object.entries(TIMES_PEER)) {
    for (const adapter of ['Express', 'Fastify']) {
      const [ours, peer] = [find(seen, adapter, OURS), find(seen, adapter, title)];
      if (ours && peer) say(`${OURS} to ${title}, ${adapter}`, median(ratiosTo(ours, peer)), least);
    }
  }
  return table;
}

/** What TabGuard adds to one lone request, in bare signature checks. */
async function addedTo(seen) {
  const table = {};
  for (const adapter of ['Express', 'Fastify']) {
    const bare = find(seen, adapter, 'bare');
    for (const title of ['TabGuard ES256 sync', 'TabGuard ES256 auto']) {
      const ours = find(seen, adapter, title);
      if (!bare || !ours) continue;
      const [{ child }] = [...seen.keys()].filter(({ which }) => which.title === title && which.adapter === adapter);
      const verify = await child.call('bareVerify');
      const added = median(ours.map(({ p50 }, index) => (p50 - bare[index].p50) * 1000));
      const ratio = added / verify;
      table[`${title} · ${adapter}`] = {
        'added to p50, µs': round(added, 1),
        'bare crypto.verify, µs': round(verify, 1),
        ratio: round(ratio),
        'at most': ADDED,
        holds: ratio <= ADDED ? 'yes' : 'NO',
      };
    }
  }
  return table;
}

async function attemptsOf(field) {
  const table = {};
  for (const contestant of field.contestants) {
    const { guard, title } = contestant.which;
    if (guard === 'none' || guard === 'no-op') continue;
    const unchecked = guard === 'tab' ? '–' : UNCHECKED[title];
    table[contestant.key] = { ...(await field.attempts(contestant)), 'does not check': unchecked };
  }
  return table;
}

async function measureAll(field, settings) {
  const results = { machine: machineOf(field), missing: field.missing, attempts: await attemptsOf(field), forms: {} };
  printMachine(results.machine);
  for (const { which, reason } of field.missing) console.log(`left out: ${which.title}, ${which.adapter}: ${reason}`);
  print('What passes', results.attempts, settings.markdown);
  for (const form of settings.forms) {
    const seen = await measureForm(field, form, settings);
    const heading = headingOf(form);
    const table = tableOf(seen);
    print(heading, table, settings.markdown);
    const raw = Object.fromEntries([...seen].map(([{ key }, rounds]) => [key, rounds]));
    const entry = (results.forms[heading] = { table, raw });
    if (form === MAIN) print('What has to hold', (entry.verdicts = verdictsOf(seen)), settings.markdown);
    if (form.size === 0 && form.connections === 1)
      print('What one request waits longer', (entry.added = await addedTo(seen)), settings.markdown);
  }
  return results;
}

async function benchmark(name, args, defaults) {
  const settings = settingsOf(args, defaults);
  const field = new Field();
  try {
    await field.open();
    for (const which of casesOf(settings.stores, defaults.titles)) {
      if (settings.only && !settings.only.test(`${which.title} · ${which.adapter}`) && which.title !== 'bare') continue;
      await field.add(which);
    }
    save(name, await measureAll(field, settings));
  } finally {
    await field.close();
  }
}

/** The whole table. @param {readonly string[]} args of the command line, after the name of the benchmark */
export const run = (args = []) =>
  benchmark('http', args, { rounds: 7, seconds: 1.5, warmUp: 1.5, forms: FORMS, stores: STORES });

/** The main figures, within three minutes: the cases that something is promised of, each warmed up for long enough to be compiled. */
export const quick = (args = []) =>
  benchmark('quick', args, { rounds: 3, seconds: 0.7, warmUp: 3, forms: [MAIN], stores: [], titles: QUICK });
