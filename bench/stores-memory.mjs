// What one live nonce takes up in memoryStores(), in a process of its own: heap and array buffers, garbage collected.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { keys } from './stores-engines.mjs';

const SELF = fileURLToPath(import.meta.url);
const CHUNK = 1000;

/** @returns {{ bytes: number, rate: number, slowest: number }} bytes a nonce, claims per second, ms of processor time of the slowest claim */
export function measureMemory(count) {
  return JSON.parse(execFileSync(process.execPath, ['--expose-gc', SELF, 'fill', String(count)], { encoding: 'utf8' }));
}

function used() {
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  // Array buffers are counted within external.
  return heapUsed + external;
}

async function fill(count) {
  const { memoryStores } = await import('../dist/index.js');
  const { nonces } = memoryStores({ maxNonces: count });
  const nextKey = keys();
  const now = Math.floor(Date.now() / 1000);
  nextKey();
  const before = used();
  let [spent, timed, slowest] = [0, 0, 0];
  for (let at = 0; at < count; at += CHUNK) {
    const chunk = Array.from({ length: Math.min(CHUNK, count - at) }, nextKey);
    // Every tenth is timed claim by claim, by processor time: other programs take none of it. The others give the rate.
    if (at % (10 * CHUNK) !== 0) {
      const started = performance.now();
      for (const [index, key] of chunk.entries()) await nonces.claim(key, now + 180 + (index % 180));
      spent += performance.now() - started;
      timed += chunk.length;
      continue;
    }
    for (const [index, key] of chunk.entries()) {
      const from = process.cpuUsage();
      await nonces.claim(key, now + 180 + (index % 180));
      const { user, system } = process.cpuUsage(from);
      slowest = Math.max(slowest, (user + system) / 1000);
    }
  }
  const bytes = (used() - before) / count;
  // The store is in use until here, and full: nothing of it was collected, or forgotten.
  const full = await nonces.claim(nextKey(), now + 180).catch(({ code }) => code);
  if (full !== 'store_unavailable') throw new Error('the store is not full');
  console.log(JSON.stringify({ bytes, rate: (timed * 1000) / spent, slowest }));
}

if (process.argv[1] === SELF && process.argv[2] === 'fill') await fill(Number(process.argv[3]));
