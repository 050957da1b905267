import type { Probe, ProbeResult } from '../probe.js';
import { LOADER_BUILTINS } from './builtins.js';
import { processFacts, type ProcessFacts } from './process-facts.js';
import { optionName, processStart, type ProcessStart } from './process-start.js';
import { words } from './words.js';

/** Options that run code before the app, or between it and its modules. */
const PRELOAD_OPTIONS = new Set(
  words(`-r --require --import --loader --experimental-loader --snapshot-blob
    --experimental-config-file --experimental-default-config-file`),
);
/** Variables that load native code into the process: ld.so(8), dyld(1). */
const PRELOAD_VARIABLES = ['LD_PRELOAD', 'LD_AUDIT', 'DYLD_INSERT_LIBRARIES'];
/** Does the same for every process of the machine: ld.so(8). */
const PRELOAD_FILE = '/etc/ld.so.preload';
/** What Frida leaves in the memory map and among the thread names. */
const AGENT_MAPPING = /frida|gum-js|linjector/i;
const AGENT_THREAD = /^(gum-js-loop|pool-frida|pool-spawner-frida|linjector|frida)/;
/** Threads of GLib, which Frida brings along inside its agent; honest where GLib itself is there. */
const GLIB_THREAD = /^(gmain|gdbus)$/;
const GLIB_MAPPING = /\/lib(glib-2|gio-2|vips)[^/]*\.so/;

/** Options of the hooking probe. */
export interface HookingProbeOptions {
  /**
   * Preloads that belong to the app, exactly as written on the command line, in the variable or in `/etc/ld.so.preload`, and
   * names of `LOADER_BUILTINS` that the app replaces; default none.
   */
  readonly allow?: readonly string[];
  /** The process to look at; default this one. */
  readonly facts?: Partial<ProcessFacts>;
}

/**
 * `hooking`: code put before or between the app's own: by Node options, by the dynamic linker's variables or file, by a
 * replaced module loader, or by Frida, as far as it shows in memory map and thread names. Where these cannot be looked at,
 * on Linux without `/proc` and on other platforms, it is never `clear`.
 */
export function hookingProbe(options: HookingProbeOptions = {}): Probe {
  const facts = processFacts(options.facts);
  const allowed = new Set(options.allow);
  return { name: 'hooking', run: () => look(facts, (preload) => !allowed.has(preload)) };
}

async function look(facts: ProcessFacts, foreign: (entry: string) => boolean): Promise<ProbeResult> {
  const start = await processStart(facts);
  if ([...modules(start), ...libraries(start)].some(foreign)) return 'found';
  const below = facts.platform === 'linux' ? await belowNode(facts, foreign) : 'unknown';
  if (below === 'found') return 'found';
  return (await facts.changed(LOADER_BUILTINS)).some(foreign) ? 'found' : below;
}

async function belowNode(facts: ProcessFacts, foreign: (entry: string) => boolean): Promise<ProbeResult> {
  const everywhere = (await facts.read(PRELOAD_FILE)) ?? '';
  if (entries(everywhere.replace(/#.*$/gm, '')).some(foreign)) return 'found';
  return agent(facts);
}

function modules({ options }: ProcessStart): string[] {
  return options.flatMap((option, index) => {
    if (!PRELOAD_OPTIONS.has(optionName(option))) return [];
    const equals = option.indexOf('=');
    return [equals === -1 ? (options[index + 1] ?? '') : option.slice(equals + 1)];
  });
}

function libraries({ values }: ProcessStart): string[] {
  return PRELOAD_VARIABLES.flatMap((name) => values(name).flatMap(entries));
}

function entries(text: string): string[] {
  return text.split(/[\s:]+/).filter((entry) => entry !== '');
}

async function agent(facts: ProcessFacts): Promise<ProbeResult> {
  const map = await facts.read('/proc/self/maps');
  if (map === undefined) return 'unknown';
  if (AGENT_MAPPING.test(map)) return 'found';
  const threads = await facts.list('/proc/self/task');
  const names = await Promise.all(threads.map((id) => facts.read(`/proc/self/task/${id}/comm`)));
  const honest = GLIB_MAPPING.test(map);
  const telling = (name = '') => AGENT_THREAD.test(name.trim()) || (!honest && GLIB_THREAD.test(name.trim()));
  return names.some(telling) ? 'found' : 'clear';
}
