import type { Probe, ProbeResult } from '../probe.js';
import { processFacts, type ProcessFacts } from './process-facts.js';
import { optionName, processStart } from './process-start.js';

/**
 * `debugger`: the Node inspector, active or asked for by an `--inspect*` option, and on Linux a tracer of the process
 * (`TracerPid` in `/proc/self/status`, proc(5)). Where a tracer cannot be looked for, on Linux without a readable `/proc` and
 * on other platforms, the answer is `unknown` rather than `clear`.
 */
export function debuggerProbe(overrides: Partial<ProcessFacts> = {}): Probe {
  const facts = processFacts(overrides);
  return { name: 'debugger', run: () => look(facts) };
}

async function look(facts: ProcessFacts): Promise<ProbeResult> {
  if (facts.inspectorUrl() !== undefined) return 'found';
  const { options } = await processStart(facts);
  if (options.some((option) => optionName(option).startsWith('--inspect'))) return 'found';
  if (facts.platform !== 'linux') return 'unknown';
  const tracer = /^TracerPid:\s*(\d+)\s*$/m.exec(await facts.readStatus())?.[1];
  if (tracer === undefined) return 'unknown';
  return Number(tracer) === 0 ? 'clear' : 'found';
}
