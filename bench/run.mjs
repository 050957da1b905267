// npm run bench -- <name> [options of it]: runs one benchmark; without a name the table of docs/performance.md; all: all.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';

const BENCHES = {
  http: () => import('./http/http.mjs'),
  quick: async () => ({ run: (await import('./http/http.mjs')).quick }),
  refusals: () => import('./http/refusals.mjs'),
  'gc-pauses': () => import('./http/gc-pauses.mjs'),
  growth: () => import('./http/growth.mjs'),
  'start-up': () => import('./http/start-up.mjs'),
  appraise: () => import('./appraise.mjs'),
  probes: () => import('./probes.mjs'),
  'web-probes': () => import('./web-probes.mjs'),
  defender: () => import('./defender.mjs'),
  attestation: () => import('./attestation.mjs'),
  stores: () => import('./stores.mjs'),
  'guarded-stores': () => import('./guarded-stores.mjs'),
  'scale-model': () => import('./scale-model.mjs'),
  'stores-expiry': () => import('./stores-expiry.mjs'),
  stages: () => import('./stages.mjs'),
};
/** Those that measure other packages too: these are in this folder's own package.json and lock file. */
const WITH_PEERS = new Set(['attestation', 'http', 'quick']);

function installPeers() {
  const folder = fileURLToPath(new URL('.', import.meta.url));
  const { dependencies } = JSON.parse(readFileSync(`${folder}package.json`, 'utf8'));
  if (Object.keys(dependencies).every((each) => existsSync(`${folder}node_modules/${each}`))) return;
  console.log('npm ci --prefix bench: the packages to measure against, once');
  const args = ['ci', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund'];
  execFileSync('npm', args, { stdio: 'inherit', shell: process.platform === 'win32' });
}

const [name, ...args] = process.argv.slice(2);
const chosen = name === 'all' ? Object.keys(BENCHES) : [name ?? 'http'];
const unknown = chosen.find((each) => !Object.hasOwn(BENCHES, each));
if (unknown !== undefined) {
  console.error(`no benchmark '${unknown}'; there are: ${Object.keys(BENCHES).join(', ')}`);
  process.exit(2);
}
console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}`);
if (chosen.some((each) => WITH_PEERS.has(each))) installPeers();
for (const each of chosen) {
  const { run } = await BENCHES[each]();
  console.log(`\n${each}`);
  const table = await run(args);
  if (table !== undefined) console.table(table);
}
