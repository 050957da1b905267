import type { ProcessFacts } from './process-facts.js';

/** Variables by all the values that they had or have. */
export type Environment = (name: string) => readonly string[];

/** How the process was started, and what it says of that now. */
export interface ProcessStart {
  /** The Node options in force, from the command line and `NODE_OPTIONS`. */
  readonly options: readonly string[];
  readonly values: Environment;
  /** The names of all variables. */
  readonly names: readonly string[];
}

/** Node options whose value may be the next word; after any other word with a dash comes another option or the script. */
const WITH_VALUE =
  /^(-r|--require|--import|--loader|--experimental-loader|-e|--eval|-p|-pe|--print|-C|--conditions|--title|--env-file|--input-type|--snapshot-blob|--stack-trace-limit)$/;

/**
 * What the process was started with. Code that runs first can take itself out of `process.env` and `process.execArgv`; on
 * Linux the kernel still shows what it was given, unless the process has overwritten that memory, as `process.title` does
 * with the command line.
 */
export async function processStart(facts: ProcessFacts): Promise<ProcessStart> {
  const linux = facts.platform === 'linux';
  const before = linux ? terminated(await facts.read('/proc/self/environ')).map(variable) : [];
  const line = linux ? terminated(await facts.read('/proc/self/cmdline')).slice(1) : [];
  const now = Object.entries(facts.env).flatMap(([name, value]): [string, string][] => [[name, value ?? '']]);
  const all = [...now, ...before].filter(([, value]) => value !== '');
  const values: Environment = (name) => [...new Set(all.filter(([key]) => key === name).map(([, value]) => value))];
  const inherited = values('NODE_OPTIONS').flatMap(splitOptions);
  return {
    // Electron leaves the options of Node in its own arguments.
    options: [...facts.execArgv, ...(facts.electron ? facts.argv : []), ...leadingOptions(line), ...inherited],
    values,
    names: [...new Set(all.map(([name]) => name))],
  };
}

/** The name of an option, as Node reads it: without its value, `_` for `-`. */
export function optionName(option: string): string {
  const [name = ''] = option.split('=', 1);
  return name.replaceAll('_', '-');
}

/** The options before the script. */
function leadingOptions(line: readonly string[]): string[] {
  const found: string[] = [];
  for (let index = 0; index < line.length; index += 1) {
    const word = line[index] ?? '';
    if (!word.startsWith('-')) break;
    found.push(word);
    const next = line[index + 1];
    if (next !== undefined && WITH_VALUE.test(word.replaceAll('_', '-'))) {
      found.push(next);
      index += 1;
    }
  }
  return found;
}

function terminated(text = ''): string[] {
  return text.split('\0').filter((word) => word !== '');
}

function variable(entry: string): [string, string] {
  const equals = entry.indexOf('=');
  return [entry.slice(0, equals), entry.slice(equals + 1)];
}

/** Splits as Node does: at spaces, except within double quotes, where a backslash escapes. */
function splitOptions(text: string): string[] {
  const parts = text.match(/(?:"(?:\\.|[^"\\])*"|[^\s"])+/g) ?? [];
  return parts.map((part) =>
    part.replace(/"((?:\\.|[^"\\])*)"/g, (_, quoted: string) => quoted.replace(/\\(.)/g, '$1')),
  );
}
