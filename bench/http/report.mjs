// Where and with what it was measured, and what becomes of the figures.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, platform, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';

const ROOT = new URL('../../', import.meta.url);
const RESULTS = new URL('bench/results/', ROOT);
const PEERS = ['express-oauth2-jwt-bearer', 'jose', 'oauth4webapi', 'passport-jwt'];
const FRAMEWORKS = ['@nestjs/core', 'express', 'fastify', 'typeorm'];

export const median = (values) => {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
};
export const round = (value, digits = 2) => Number(value.toFixed(digits));
/** `12.3–14.5`, from the least to the greatest. */
export const spread = (values, digits = 0) =>
  `${Math.min(...values).toFixed(digits)}–${Math.max(...values).toFixed(digits)}`;

const manifestOf = (path) => JSON.parse(readFileSync(new URL(`${path}/package.json`, ROOT), 'utf8'));

function versions() {
  const { version } = manifestOf('.');
  const { dependencies } = manifestOf('bench');
  return Object.fromEntries([
    ['nestjs-tab', version],
    ...FRAMEWORKS.map((name) => [name, manifestOf(`node_modules/${name}`).version]),
    ...PEERS.map((name) => [name, dependencies[name]]),
  ]);
}

/** The commit, where there is one. */
function commit() {
  try {
    const git = (...args) =>
      execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    return (
      git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', 'lib', 'bench') === '' ? '' : ' and changes')
    );
  } catch {
    return undefined;
  }
}

/** @param {import('./field.mjs').Field} field with at least one contestant */
export function machineOf(field) {
  const [contestant] = field.contestants;
  return {
    date: new Date().toISOString().slice(0, 10),
    processor: `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${platform()} ${release()}`,
    'Node of the servers': contestant.started.node,
    'Node of the load': process.version,
    cores: field.pinned ? 'main threads of servers on the first, load on the last' : 'as the system gives them',
    commit: commit(),
    versions: versions(),
  };
}

export function printMachine(machine) {
  for (const [name, value] of Object.entries(machine)) {
    const text =
      typeof value === 'object'
        ? Object.entries(value)
            .map((each) => each.join(' '))
            .join(', ')
        : value;
    if (text !== undefined) console.log(`${name}: ${text}`);
  }
}

/** Writes everything that was measured; returns where. */
export function save(name, data) {
  mkdirSync(RESULTS, { recursive: true });
  const stamp = new Date().toISOString().replaceAll(/[:.]/g, '-');
  const file = fileURLToPath(new URL(`${name}-${stamp}.json`, RESULTS));
  writeFileSync(file, `${JSON.stringify(data, null, 1)}\n`);
  console.log(`saved: ${file}`);
  return file;
}

/** A table as console.table takes it, as Markdown. */
export function markdown(table, first = '') {
  const rows = Object.entries(table);
  const columns = [...new Set(rows.flatMap(([, row]) => Object.keys(row)))];
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const body = rows.map(([name, row]) => line([name, ...columns.map((column) => row[column] ?? '')]));
  return [line([first, ...columns]), line(['---', ...columns.map(() => '---:')]), ...body].join('\n');
}

/** Prints a table under a heading. */
export function print(heading, table, asMarkdown) {
  console.log(`\n${asMarkdown ? '### ' : ''}${heading}\n`);
  if (asMarkdown) console.log(markdown(table));
  else console.table(table);
}
