// What each design of the stores needs for a load: live nonces, memory, writes, connections, cores and cost. A model, of
// figures measured here (scale-constants.mjs) and of assumptions that are inputs.
// npm run bench -- scale-model --rps 5000 --instances 2000000 --regions 2; with --check [--only Redis] it is measured against
// the stores here, at three sizes.
import { parseArgs } from 'node:util';
import { check } from './scale-check.mjs';
import { ASSUMED, LIVE, MEASURED } from './scale-constants.mjs';

const GB = 1e9;

/** Inputs with their defaults. Prices are examples in US dollars a month, not those of anybody: put in your own. */
const INPUTS = {
  rps: ['1000', 'guarded requests per second, all regions together, at the peak'],
  instances: ['100000', 'enrolled app instances, each with one session'],
  regions: ['1', 'regions; each instance has one that is its home'],
  nodes: ['', 'server processes of a region; default: one for each 1,000 requests per second, two at least'],
  lifetime: [String(LIVE), 'seconds for which a claim is live'],
  pool: ['10', 'connections of the pool of one process'],
  'commit-ms': ['2', 'milliseconds of one commit to the disk of the database'],
  busy: ['0.5', 'part of a core that may be in use at the peak'],
  'price-core': ['30', 'one core'],
  'price-gb-memory': ['4', 'one GB of memory'],
  'price-gb-disk': ['0.12', 'one GB of disk'],
  'price-iops': ['0.03', 'one write a second that is provisioned'],
};

/** Each gives what one region needs; `only` where it cannot serve every load, and says so. */
const DESIGNS = {
  memory: (load) => ({
    ...withBindings(nonces(load, 'memory'), load),
    copies: 1,
    serverCores: 0,
    only: load.nodes > 1 || load.regions > 1 ? 'NO: right for one process only' : 'one process; forgets when it ends',
  }),
  PostgreSQL: (load) => ({ ...sql(load, 'PostgreSQL'), copies: 2, only: '' }),
  MariaDB: (load) => ({ ...sql(load, 'MariaDB'), copies: 2, only: '' }),
  SQLite: (load) => ({
    ...sql(load, 'SQLite'),
    copies: 1,
    serverCores: 0,
    connections: load.nodes,
    only: load.regions > 1 ? 'NO: one machine only' : 'one machine',
  }),
  'Redis, single': (load) => ({
    ...withBindings(redis(load, 'Redis', 1), load),
    copies: 2,
    only: threads(load, 'Redis', 1),
  }),
  'Redis Cluster': (load) => {
    const shards = Math.max(3, Math.ceil((load.rps * MEASURED['Redis by slots'].serverUs) / 1e6 / load.busy));
    return { ...withBindings(redis(load, 'Redis by slots', shards), load), copies: 2, only: `${shards} shards` };
  },
  'Redis + SQL bindings': (load) => {
    const claims = redis(load, 'Redis', 1);
    const cores = claims.serverCores + bindingCores(load);
    const connections = claims.connections + load.nodes * load.pool;
    return {
      ...claims,
      serverCores: cores,
      connections,
      servers: 2,
      diskGb: bindingGb(load),
      copies: 2,
      only: threads(load, 'Redis', 1),
    };
  },
};

function nonces(load, store) {
  const { perNonce, fixed, tail, clientUs } = MEASURED[store];
  const bytes = fixed + load.rps * (load.lifetime + tail) * perNonce;
  return {
    perNonce,
    memoryGb: bytes / GB,
    diskGb: 0,
    commits: 0,
    syncs: 0,
    connections: 0,
    clientCores: (load.rps * clientUs) / 1e6,
  };
}

/** A commit holds what came meanwhile: at most three of a process are under way, and the server syncs them together. */
function sql(load, store) {
  const { serverUs } = MEASURED[store];
  const claims = nonces(load, store);
  const most = store === 'SQLite' ? 1 : ASSUMED.batchesInFlight;
  const commits = load.nodes * Math.min(load.rps / load.nodes, (most * 1000) / load.commitMs);
  return {
    ...claims,
    // Rows of the last minutes are what is written to, so all of them should fit into memory.
    memoryGb: claims.memoryGb + bindingGb(load) * ASSUMED.hotBindings,
    diskGb: claims.memoryGb + bindingGb(load),
    commits,
    syncs: Math.min(commits, 1000 / load.commitMs),
    connections: load.nodes * load.pool,
    serverCores: (load.rps * serverUs) / 1e6 + bindingCores(load),
  };
}

function redis(load, store, servers) {
  const claims = nonces(load, store);
  return {
    ...claims,
    servers,
    connections: load.nodes * servers,
    serverCores: (load.rps * MEASURED[store].serverUs) / 1e6,
  };
}

/** Bindings that are kept in memory, all of them. */
const withBindings = (need, load) => ({ ...need, memoryGb: need.memoryGb + bindingGb(load) });

const bindingGb = ({ instances }) => (instances * ASSUMED.bindingBytes) / GB;
const bindingCores = ({ rps }) => (rps * ASSUMED.loadUs) / 1e6;

/** Redis runs commands on one thread. */
function threads({ rps, busy }, store, servers) {
  const most = Math.floor((servers * busy * 1e6) / MEASURED[store].serverUs);
  return rps > most ? `NO: one thread does ${most} claims/s` : `one thread does ${most} claims/s`;
}

function costOf(need, load) {
  // No server has less than one core.
  const least = (need.servers ?? 1) * need.copies;
  const cores = need.serverCores === 0 ? 0 : Math.max(least, (need.serverCores * need.copies) / load.busy);
  const { core, memory, disk, iops } = load.prices;
  const servers = cores * core + need.copies * (need.memoryGb * memory + need.diskGb * disk + need.syncs * iops);
  return (servers + (need.clientCores / load.busy) * core) * load.regions;
}

function readLoad(values) {
  const number = (name) => {
    const value = Number(values[name]);
    if (!(value > 0)) throw new TypeError(`--${name} must be a positive number: ${INPUTS[name][1]}`);
    return value;
  };
  const regions = number('regions');
  const rps = number('rps') / regions;
  const nodes = values.nodes === '' ? Math.max(2, Math.ceil(rps / ASSUMED.requestsPerProcess)) : number('nodes');
  const prices = {
    core: number('price-core'),
    memory: number('price-gb-memory'),
    disk: number('price-gb-disk'),
    iops: number('price-iops'),
  };
  const rest = {
    lifetime: number('lifetime'),
    pool: number('pool'),
    commitMs: number('commit-ms'),
    busy: number('busy'),
  };
  return { rps, regions, nodes, instances: number('instances') / regions, prices, ...rest };
}

const round = (value, digits = 0) => Math.round(value * 10 ** digits) / 10 ** digits;

/** @returns what one region needs in each design, and what all of them cost */
export function model(load) {
  return Object.fromEntries(
    Object.entries(DESIGNS).map(([name, design]) => {
      const need = design(load);
      return [
        name,
        {
          'live nonces': round(load.rps * load.lifetime),
          'bytes each': need.perNonce,
          'memory, GB': round(need.memoryGb, 2),
          'disk, GB': round(need.diskGb, 2),
          'commits/s': round(need.commits),
          'syncs/s': round(need.syncs),
          connections: round(need.connections),
          'server cores': round(need.serverCores, 2),
          'cores in nodes': round(need.clientCores, 2),
          '$ a month, all': round(costOf(need, load)),
          remark: need.only,
        },
      ];
    }),
  );
}

/** @param {readonly string[]} args of the command line, after the name of the benchmark */
export async function run(args = []) {
  const inputs = Object.fromEntries(
    Object.entries(INPUTS).map(([name, [value]]) => [name, { type: 'string', default: value }]),
  );
  const options = { ...inputs, check: { type: 'boolean', default: false }, only: { type: 'string' } };
  const { values } = parseArgs({ args, options });
  if (values.check) return check(values.only);
  for (const [name, [, meaning]] of Object.entries(INPUTS))
    console.log(`--${name} ${values[name] || 'default'}: ${meaning}`);
  const load = readLoad(values);
  console.log(
    `one region of ${load.regions}: ${round(load.rps)} requests/s, ${load.nodes} processes; cost without the servers of the application`,
  );
  if (load.regions > 1)
    console.log(
      'regions: one-time holds within a region only, so requests of an instance must all go to its home; see docs/scaling.md',
    );
  return model(load);
}
