// npm run bench -- <name>: runs one benchmark, or all of them.
import { cpus } from 'node:os';

const BENCHES = {
  appraise: () => import('./appraise.mjs'),
  probes: () => import('./probes.mjs'),
  'web-probes': () => import('./web-probes.mjs'),
  defender: () => import('./defender.mjs'),
};

const [name] = process.argv.slice(2);
const chosen = name === undefined ? Object.keys(BENCHES) : [name];
const unknown = chosen.find((each) => !Object.hasOwn(BENCHES, each));
if (unknown !== undefined) {
  console.error(`no benchmark '${unknown}'; there are: ${Object.keys(BENCHES).join(', ')}`);
  process.exit(2);
}
console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}`);
for (const each of chosen) {
  const { run } = await BENCHES[each]();
  console.log(`\n${each}`);
  console.table(await run());
}
