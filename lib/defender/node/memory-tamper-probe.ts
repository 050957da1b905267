import type { Probe } from '../probe.js';
import { MEMORY_BUILTINS } from './builtins.js';
import { processFacts, type ProcessFacts } from './process-facts.js';

/** Options of the memory-tamper probe. */
export interface MemoryTamperProbeOptions {
  /** Names of `MEMORY_BUILTINS` that the app itself replaces, such as `fetch` or `node:http.request`; default none. */
  readonly allow?: readonly string[];
  /** The process to look at; default this one. */
  readonly facts?: Partial<ProcessFacts>;
}

/**
 * `memory-tamper`: a built-in function that a request or the Defender goes through (`MEMORY_BUILTINS`) has been replaced: since
 * the Defender was loaded, or before, where its source text differs from the one in a fresh thread.
 */
export function memoryTamperProbe(options: MemoryTamperProbeOptions = {}): Probe {
  const facts = processFacts(options.facts);
  const names = MEMORY_BUILTINS.filter((name) => !options.allow?.includes(name));
  return { name: 'memory-tamper', run: async () => ((await facts.changed(names)).length > 0 ? 'found' : 'clear') };
}
