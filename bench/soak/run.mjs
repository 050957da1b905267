// Exactness under attack: many processes that share a store and are killed at random, tokens that are presented to them up
// to five times each, and an account of every answer. No token may be accepted twice, and none refused as a replay unless
// somebody was let in or a process died before it answered.
// npm run soak -- [--engine postgres|redis|all] [--tokens 1000000] [--http 50000] [--seed 1] [--report docs/soak.md]
//   [--kill 10] [--longest 60] [--speed 4] [--json] [--sabotage find-then-save|memory|retry|hasty-sweep]
// With --sabotage the store is wrong, and the run succeeds when it is found out.
import { writeFileSync } from 'node:fs';
import { readOptions } from './options.mjs';
import { machine, reportOf } from './report.mjs';
import { soak } from './soak.mjs';

/** Runs the engines one after the other. */
async function runAll(options) {
  const results = [];
  for (const engine of options.engines) {
    const started = Date.now();
    const tell = ({ presentations, answered }) => {
      const seconds = Math.round((Date.now() - started) / 1000);
      console.error(`${engine}: ${answered} of ${presentations} presentations so far, after ${seconds} s`);
    };
    results.push(await soak(engine, options, tell));
  }
  return results;
}

/** Whether the run is what is asked: nothing found, or, where the store is wrong, found out. */
function isAsAsked({ violations, doubts }, sabotage) {
  return sabotage === undefined ? violations.length === 0 && doubts.length === 0 : violations.length > 0;
}

function show(results, { sabotage }) {
  const rows = Object.keys(results[0].figures);
  const row = (name) => Object.fromEntries(results.map(({ server, figures }) => [server, figures[name]]));
  console.table(Object.fromEntries(rows.map((name) => [name, row(name)])));
  for (const { server, violations, doubts, examples } of results) {
    for (const finding of [...violations, ...doubts]) console.log(`${server}: ${finding}`);
    for (const example of examples) console.log(`  ${JSON.stringify(example)}`);
  }
  if (sabotage !== undefined) console.log(`The store was sabotaged: ${sabotage}. It must have been found out.`);
}

const options = readOptions(process.argv.slice(2));
console.error(`seed ${options.seed}; ${machine()}`);
const results = await runAll(options);
if (options.json) console.log(JSON.stringify(results));
else show(results, options);
const isRight = results.every((result) => isAsAsked(result, options.sabotage));
if (options.report !== undefined && options.sabotage === undefined)
  writeFileSync(options.report, reportOf(results, options, isRight));
if (!isRight) console.error(options.sabotage === undefined ? 'FAILED' : 'FAILED: the sabotage was not found out');
process.exitCode = isRight ? 0 : 1;
