// What the command line may say.
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { SABOTAGES } from './sabotage.mjs';

export const ENGINES = ['postgres', 'redis'];

const OPTIONS = {
  engine: { type: 'string', default: 'all' },
  tokens: { type: 'string', default: '1000000' },
  http: { type: 'string' },
  seed: { type: 'string' },
  /** Seconds between two kills of one process, on average. */
  kill: { type: 'string', default: '10' },
  /** Seconds after which a presentation comes at the latest. */
  longest: { type: 'string', default: '60' },
  /** How fast the clock of the processes, and of PostgreSQL, goes. Redis judges by its own, which goes as it goes. */
  speed: { type: 'string', default: '4' },
  report: { type: 'string' },
  json: { type: 'boolean', default: false },
  sabotage: { type: 'string' },
  /** Folder of the built package, as a URL that ends with a slash. */
  library: { type: 'string', default: new URL('../../dist/', import.meta.url).href },
};

/**
 * Reads the command line; `http` is by default a twentieth of `tokens`.
 *
 * @throws TypeError that says what to write instead
 */
export function readOptions(args) {
  const { values } = parseArgs({ args, options: OPTIONS });
  const engines = values.engine === 'all' ? ENGINES : [oneOf('engine', values.engine, ENGINES)];
  const tokens = wholeNumber('tokens', values.tokens, 1, 50_000_000);
  const http = wholeNumber('http', values.http ?? String(Math.floor(tokens / 20)), 0, tokens);
  const seed = wholeNumber('seed', values.seed ?? String(randomInt(2 ** 32)), 0, 2 ** 32 - 1);
  const kill = wholeNumber('kill', values.kill, 1, 3600);
  const longest = wholeNumber('longest', values.longest, 1, 150);
  const speed = wholeNumber('speed', values.speed, 1, 10);
  const sabotage = values.sabotage === undefined ? undefined : oneOf('sabotage', values.sabotage, SABOTAGES);
  // Redis needs no sweeper.
  if (sabotage === 'hasty-sweep' && values.engine !== 'postgres')
    throw new TypeError('--sabotage hasty-sweep: write --engine postgres');
  const { report, json, library } = values;
  return { engines, tokens, http, seed, kill, longest, speed, sabotage, report, json, library };
}

function oneOf(name, value, choices) {
  if (!choices.includes(value)) throw new TypeError(`--${name}: write one of ${choices.join(', ')}`);
  return value;
}

function wholeNumber(name, text, least, most) {
  const value = Number(text);
  if (text === '' || !Number.isInteger(value) || value < least || value > most)
    throw new TypeError(`--${name}: write a whole number from ${least} to ${most}`);
  return value;
}
