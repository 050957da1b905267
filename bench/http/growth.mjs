// What a request costs the server with few, many and very many enrolled instances in PostgreSQL.
import { parseArgs } from 'node:util';
import { oneCase, OURS } from './cases.mjs';
import { Field } from './field.mjs';
import { machineOf, median, print, printMachine, round, save, spread } from './report.mjs';

const SIZES = [10, 10_000, 1_000_000];
/** Instances that send the requests: all there are, up to this number. */
const USERS = 2000;
const CONNECTIONS = 32;
/** How much more a request may cost than with the fewest instances. */
const WITHIN = 0.1;
const AT_ONCE = 50_000;

/** 43 characters of base64url for row `n`, as a thumbprint has. */
const digestSql = (of) => `translate(rtrim(encode(sha256((${of} || n)::bytea), 'base64'), '='), '+/', '-_')`;
const COLUMNS = {
  tab_app_instance: {
    id: digestSql(`'instance '`),
    public_key: `json_build_object('kty', 'EC', 'crv', 'P-256', 'x', ${digestSql(`'x '`)}, 'y', ${digestSql(`'y '`)})::text`,
  },
  tab_bound_session: {
    id: digestSql(`'session '`),
    instance_id: digestSql(`'instance '`),
    credential_hash: digestSql(`'credential '`),
    subject: `'user ' || n`,
  },
};

/** Copies of a real row under other ids, so that every column is filled as an enrolment fills it. */
async function fillTable(child, table, from, to) {
  const found = `SELECT column_name AS name FROM information_schema.columns WHERE table_name = '${table}'`;
  const names = (await child.call('query', found)).map(({ name }) => name);
  const values = names.map((name) => COLUMNS[table][name] ?? `r."${name}"`).join(', ');
  const columns = names.map((name) => `"${name}"`).join(', ');
  const source = `(SELECT * FROM ${table} LIMIT 1) r, generate_series(${from}, ${to}) n`;
  await child.call('query', `INSERT INTO ${table} (${columns}) SELECT ${values} FROM ${source}`);
}

async function fill(child, rows) {
  for (let from = 1; from <= rows; from += AT_ONCE) {
    for (const table of Object.keys(COLUMNS)) await fillTable(child, table, from, Math.min(from + AT_ONCE - 1, rows));
  }
  // What the server would else catch up with during the measurement.
  for (const table of Object.keys(COLUMNS)) await child.call('query', `VACUUM ANALYZE ${table}`);
  await child.call('query', 'CHECKPOINT');
}

/** One server for each size, each with a database of its own. */
async function open(field, sizes) {
  const servers = new Map();
  for (const size of sizes) {
    const users = Math.min(size, USERS);
    const title = `${size.toLocaleString('en')} instances`;
    const contestant = await field.add(oneCase(OURS, 'Fastify', { title, store: 'PostgreSQL', users }));
    if (contestant === undefined) throw new Error(field.missing[0].reason);
    await fill(contestant.child, size - users);
    servers.set(size, contestant);
  }
  return servers;
}

async function measure(field, servers, { rounds, seconds }) {
  const seen = new Map([...servers.keys()].map((size) => [size, []]));
  // The first three rounds warm up.
  for (let i = -3; i < rounds; i += 1) {
    for (const [size, contestant] of servers) {
      const result = await field.timedRound(contestant, { connections: CONNECTIONS, count: 4000 }, seconds);
      if (i >= 0) seen.get(size).push(result);
    }
  }
  return seen;
}

function tableOf(seen) {
  const first = seen.values().next().value;
  return Object.fromEntries(
    [...seen].map(([size, results]) => {
      const each = results.map(({ cpuEach }) => cpuEach);
      const ratio = median(results.map(({ cpuEach }, index) => cpuEach / first[index].cpuEach));
      const row = {
        'requests/s': Math.round(median(results.map(({ rate }) => rate))),
        'CPU, µs': round(median(each), 1),
        'least–most': spread(each, 1),
        'of the fewest': round(ratio, 3),
        'within 10 %': ratio <= 1 + WITHIN ? 'yes' : 'NO',
      };
      return [`${size.toLocaleString('en')} instances`, row];
    }),
  );
}

/** @param {readonly string[]} args of the command line, after the name of the benchmark */
export async function run(args = []) {
  const options = {
    rounds: { type: 'string', default: '9' },
    seconds: { type: 'string', default: '2' },
    sizes: { type: 'string', default: SIZES.join() },
    markdown: { type: 'boolean' },
  };
  const { values } = parseArgs({ args, options });
  const field = new Field();
  try {
    await field.open({ users: USERS });
    const servers = await open(field, values.sizes.split(',').map(Number));
    const seen = await measure(field, servers, { rounds: Number(values.rounds), seconds: Number(values.seconds) });
    const [machine, table] = [machineOf(field), tableOf(seen)];
    printMachine(machine);
    print(`Processor time of the server per request, PostgreSQL, ${CONNECTIONS} connections`, table, values.markdown);
    save('growth', { machine, table });
  } finally {
    await field.close();
  }
}
