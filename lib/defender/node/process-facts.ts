import { readFile } from 'node:fs/promises';
import { url as inspectorUrl } from 'node:inspector';

/** What the probes look at; injectable, so that they can be tested, and run for another process. */
export interface ProcessFacts {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly execArgv: readonly string[];
  readonly platform: string;
  /** The address of the active inspector, if it is active. */
  readonly inspectorUrl: () => string | undefined;
  /** The text of `/proc/self/status`; asked for on Linux only. */
  readonly readStatus: () => Promise<string>;
}

/** The facts of this process, with `overrides` in their place. */
export function processFacts(overrides: Partial<ProcessFacts> = {}): ProcessFacts {
  return {
    env: process.env,
    execArgv: process.execArgv,
    platform: process.platform,
    inspectorUrl,
    readStatus: () => readFile('/proc/self/status', 'utf8'),
    ...overrides,
  };
}

/** The Node options in force, from the command line and `NODE_OPTIONS`. */
export function nodeOptions(facts: ProcessFacts): string[] {
  return [...facts.execArgv, ...splitOptions(facts.env['NODE_OPTIONS'] ?? '')];
}

/** The name of an option, as Node reads it: without its value, `_` for `-`. */
export function optionName(option: string): string {
  const [name = ''] = option.split('=', 1);
  return name.replaceAll('_', '-');
}

/** Splits as Node does: at spaces, except within double quotes, where a backslash escapes. */
function splitOptions(text: string): string[] {
  const words = text.match(/(?:"(?:\\.|[^"\\])*"|[^\s"])+/g) ?? [];
  return words.map((word) =>
    word.replace(/"((?:\\.|[^"\\])*)"/g, (_, quoted: string) => quoted.replace(/\\(.)/g, '$1')),
  );
}
