// What a guarded request costs with each store: one Fastify route behind TabGuard, on memory stores and on each database,
// under the same load by turns. Every server, and the load, is a process of its own; tokens are made before a slice begins.
// npm run bench -- guarded-stores [--only PostgreSQL] [--connections 32] [--rounds 15]
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { start } from './guarded/child.mjs';
import { REQUESTS } from './guarded/facts.mjs';
import { STORES } from './guarded/stores.mjs';

/** The least part of the rate on memory stores that is asked. */
const ASKED = { PostgreSQL: 0.85 };

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

/** The median rate, and the median of the ratios to the memory stores of the same round. */
function row(kind, slices, baseline) {
  const ratio = median(slices.map(({ rate }, round) => rate / baseline[round].rate));
  const asked = ASKED[kind];
  return {
    'requests/s': Math.round(median(slices.map(({ rate }) => rate))),
    'server CPU, µs per request': Math.round(median(slices.map(({ spent }) => spent / REQUESTS))),
    'of memory': Math.round(ratio * 1000) / 1000,
    asked: asked === undefined ? '' : `≥ ${asked}: ${ratio >= asked ? 'yes' : 'NO'}`,
  };
}

/** @param {readonly string[]} args of the command line, after the name of the benchmark */
export async function run(args = []) {
  const options = {
    only: { type: 'string' },
    connections: { type: 'string', default: '32' },
    rounds: { type: 'string', default: '15' },
  };
  const { only, connections, rounds } = parseArgs({ args, options }).values;
  const kinds = Object.keys(STORES).filter((kind) => only === undefined || kind === only || kind === 'memory');
  if (only !== undefined && !kinds.includes(only))
    throw new TypeError(`--only takes ${Object.keys(STORES).join(', ')}`);
  const started = [];
  const begin = async (name, ...what) => {
    const child = await start(fileURLToPath(new URL(`guarded/${name}`, import.meta.url)), ...what);
    started.push(child);
    return child;
  };
  try {
    const client = await begin('load.mjs');
    const { jwks } = await client.call('keys');
    const servers = [];
    for (const kind of kinds) {
      const server = await begin('server.mjs', kind);
      servers.push({ kind, server, slices: [], ...(await server.call('enrol', { jwks })) });
    }
    for (const { port } of servers) await client.call('settle', { port });
    // The first rounds warm up.
    for (let round = -2; round < Number(rounds); round += 1) {
      for (const { server, port, slices } of servers) {
        await server.call('cpu');
        const { rate } = await client.call('slice', { port, connections: Number(connections) });
        const { spent } = await server.call('cpu');
        if (round >= 0) slices.push({ rate, spent });
      }
    }
    return Object.fromEntries(servers.map(({ kind, slices }) => [kind, row(kind, slices, servers[0].slices)]));
  } finally {
    for (const child of started) await child.stop();
  }
}
