// The report of a run, as a page.
import { cpus, totalmem } from 'node:os';

/** Where a run took place. */
export function machine() {
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ${memory} GiB, Node ${process.version}`;
}

const METHOD = `Four processes share one store. Each runs a Nest application (two on Express, two on Fastify) whose sweeper runs four times a second,
and makes claims in the very same store beside it. A coordinator presents every token one to five times, each time to a process at
random: half of the repetitions come within 20 ms, as a race, most others within two seconds, and a tenth at any time up to the end of the token.
Every process is killed with \`SIGKILL\` at random, again and again, and another takes its place. On PostgreSQL the nonces lie in partitions
by their expiry, which are made ahead and dropped behind while all this goes on; there the clock of the processes and of the database
goes faster than the real one, so that more of them come and go. Redis judges expiry by its own clock, which goes as it goes. Half of the processes use
ioredis there, half node-redis.

The coordinator keeps the account of every answer. What a process sent before it died counts; what it had not answered is unknown, and an unknown
outcome is held against nobody. Two things must not be:

- a token that was accepted twice,
- a token that was refused as a replay although nobody was let in with it, and no process died with a presentation of it.

A run that shows little fails too: tokens that are not accounted for, other refusals, too few acceptances, no kills, no partition dropped.
The harness is tried on stores that are wrong (\`--sabotage\`): find-then-save, memory in each process, a claim that is sent
again, a sweeper that drops what is live. \`test/e2e/soak.spec.ts\` sees each of them found out, and runs a small form of this on every change.`;

/** The page. */
export function reportOf(results, { seed, kill, longest }, isRight) {
  const rows = Object.keys(results[0].figures);
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const format = (value) => (typeof value === 'number' ? value.toLocaleString('en') : value);
  const findings = results.flatMap(({ server, violations, doubts }) =>
    [...violations, ...doubts].map((finding) => `- ${server}: ${finding}`),
  );
  return [
    '# Exactness under attack\n',
    `The report that \`npm run soak -- --report docs/soak.md\` wrote on ${new Date().toISOString().slice(0, 10)}.\n`,
    `- Machine: ${machine()}; the servers, the four processes and the coordinator all on it.`,
    `- Seed ${seed}; each process killed every ${kill} s on average; repetitions up to ${longest} s later.`,
    `- Clock of the processes: ${results.map(({ server, speed }) => `${speed} × on ${server}`).join(', ')}.`,
    `- Result: ${isRight ? '**zero tokens accepted twice, zero first presentations refused as replays**' : '**failed**'}.\n`,
    line(['', ...results.map(({ server }) => server)]),
    line(['---', ...results.map(() => '---:')]),
    ...rows.map((row) => line([row, ...results.map(({ figures }) => format(figures[row]))])),
    ...(findings.length > 0 ? ['', ...findings] : []),
    '\n## How it is done\n',
    METHOD,
    '',
  ].join('\n');
}
