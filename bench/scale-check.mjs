// Measures here what the model says of each store, at three sizes.
import { readdirSync, readFileSync } from 'node:fs';
import { ENGINES, openRedis } from './stores-engines.mjs';
import { compare } from './stores-load.mjs';
import { measureMemory } from './stores-memory.mjs';
import { MEASURED } from './scale-constants.mjs';

const SIZES = [10_000, 100_000, 1_000_000];
const IN_FLIGHT = 64;
/** Clock ticks of the kernel per second, as /proc counts processor time. */
const TICKS = 100;

/** Processor seconds that programs of these names have taken so far: an upper bound where others use them too. */
function spentBy(names) {
  let ticks = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const [, name, rest] = /\((.*)\) (.*)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'));
      const fields = rest.split(' ');
      if (names.includes(name)) ticks += Number(fields[11]) + Number(fields[12]);
    } catch {
      // It has ended meanwhile.
    }
  }
  return ticks / TICKS;
}

async function measure(name, size) {
  const store = name === 'Redis by slots' ? await openRedis({ bySlots: true }) : await ENGINES[name].open();
  try {
    await store.fill(size);
    const bytes = name === 'memory' ? measureMemory(size).bytes * size : await store.bytes();
    const { claims, ...claimed } = counted(store);
    const [server, client] = [spentBy(store.processes ?? []), process.cpuUsage()];
    const { ours } = await compare({ ...claimed, single: undefined }, IN_FLIGHT, 5);
    const { user, system } = process.cpuUsage(client);
    const count = claims();
    const serverUs = ((spentBy(store.processes ?? []) - server) * 1e6) / count;
    return { bytes, rate: ours.rate, clientUs: (user + system) / count, serverUs };
  } finally {
    await store.close();
  }
}

function counted(store) {
  let count = 0;
  const claim = (key, at) => {
    count += 1;
    return store.claim(key, at);
  };
  return { ...store, claim, claims: () => count };
}

const off = (model, measured) => `${model >= measured ? '+' : ''}${Math.round((model / measured - 1) * 100)} %`;

/** @returns a row for each store and size: what was measured, what the model says, and by how much the model is off */
export async function check(only) {
  const table = {};
  for (const name of Object.keys(MEASURED).filter((each) => only === undefined || each === only)) {
    const { perNonce, fixed, rate } = MEASURED[name];
    for (const size of SIZES) {
      const found = await measure(name, size);
      const model = fixed + perNonce * size;
      table[`${name}, ${size}`] = {
        'bytes a nonce': Math.round((found.bytes / size) * 10) / 10,
        model: Math.round((model / size) * 10) / 10,
        'off by': off(model, found.bytes),
        'claims/s': Math.round(found.rate),
        'model, claims/s': rate,
        'rate off by': off(rate, found.rate),
        'client, µs': Math.round(found.clientUs * 10) / 10,
        'server, µs': Math.round(found.serverUs * 10) / 10,
      };
    }
  }
  return table;
}
