import type { Probe, ProbeResult } from '../probe.js';
import { processFacts, type ProcessFacts } from './process-facts.js';

/**
 * `root`: the process runs as the superuser, or may become it: its real, effective, saved or file system user id is 0
 * (`/proc/self/status`, proc(5)). On other platforms than Linux its real and effective id; where there are none, on Windows, the
 * answer is `unknown`. Not among the default probes: servers in containers often run as their container's root.
 */
export function rootProbe(overrides: Partial<ProcessFacts> = {}): Probe {
  const facts = processFacts(overrides);
  return { name: 'root', run: () => look(facts) };
}

async function look(facts: ProcessFacts): Promise<ProbeResult> {
  const ids = facts.platform === 'linux' ? fromStatus(await facts.readStatus()) : facts.userIds();
  if (ids.length === 0) return 'unknown';
  return ids.includes(0) ? 'found' : 'clear';
}

function fromStatus(status: string): number[] {
  const ids = /^Uid:((?:\s+\d+){4})\s*$/m.exec(status)?.[1] ?? '';
  return ids.split(/\s+/).filter(Boolean).map(Number);
}
