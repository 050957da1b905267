// npm run bench -- <name> [options of it]: runs one benchmark, or all of them.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';

const BENCHES = {
  appraise: () => import('./appraise.mjs'),
  probes: () => import('./probes.mjs'),
  'web-probes': () => import('./web-probes.mjs'),
  defender: () => import('./defender.mjs'),
  attestation: () => import('./attestation.mjs'),
  stores: () => import('./stores.mjs'),
  stages: () => import('./stages.mjs'),
};
/** Those that measure other packages too: these are in this folder's own package.json and lock file. */
const WITH_PEERS = new Set(['attestation']);

function installPeers() {
  const folder = fileURLToPath(new URL('.', import.meta.url));
  if (existsSync(`${folder}node_modules`)) return;
  console.log('npm ci --prefix bench: the packages to measure against, once');
  const args = ['ci', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund'];
  execFileSync('npm', args, { stdio: 'inherit', shell: process.platform === 'win32' });
}

const [name, ...args] = process.argv.slice(2);
const chosen = name === undefined ? Object.keys(BENCHES) : [name];
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
  console.table(await run(args));
}
