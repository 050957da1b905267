import type { Probe } from '../probe.js';
import { nodeOptions, optionName, processFacts, type ProcessFacts } from './process-facts.js';

/** Options that run code before the app, or between it and its modules. */
const PRELOAD_OPTIONS = new Set(['-r', '--require', '--import', '--loader', '--experimental-loader']);
/** Variables that load native code into the process: ld.so(8), dyld(1). */
const PRELOAD_VARIABLES = ['LD_PRELOAD', 'LD_AUDIT', 'DYLD_INSERT_LIBRARIES'];

/** Options of the hooking probe. */
export interface HookingProbeOptions {
  /** Preloads that belong to the app, exactly as written on the command line or in the variable; default none. */
  readonly allow?: readonly string[];
  /** The process to look at; default this one. */
  readonly facts?: Partial<ProcessFacts>;
}

/** `hooking`: code put before or between the app's own, by Node options or by the dynamic linker's variables. */
export function hookingProbe(options: HookingProbeOptions = {}): Probe {
  const facts = processFacts(options.facts);
  const allowed = new Set(options.allow);
  const foreign = (preload: string) => !allowed.has(preload);
  return { name: 'hooking', run: () => ([...modules(facts), ...libraries(facts)].some(foreign) ? 'found' : 'clear') };
}

function modules(facts: ProcessFacts): string[] {
  const options = nodeOptions(facts);
  return options.flatMap((option, index) => {
    if (!PRELOAD_OPTIONS.has(optionName(option))) return [];
    const equals = option.indexOf('=');
    return [equals === -1 ? (options[index + 1] ?? '') : option.slice(equals + 1)];
  });
}

function libraries({ env }: ProcessFacts): string[] {
  return PRELOAD_VARIABLES.flatMap((name) => (env[name] ?? '').split(/[\s:]+/).filter((entry) => entry !== ''));
}
