import { PROBE_NAME, type Probe, type ProbeReport } from '../probe.js';
import { limited } from '../waiting.js';
import type { NativeBridge } from './native-bridge.js';

/** Told in place of a threat whose name cannot travel. */
const UNNAMED = 'x-native-unnamed';
/** Milliseconds for one measurement: within the time that a Defender gives a probe, so that events are told even then. */
const MEASURE_TIMEOUT = 4_000;

/** Options of the bridge probe. */
export interface BridgeProbeOptions {
  /** Milliseconds that `measure()` may take before nothing was checked; default 4,000. Keep it below `probeTimeout`. */
  readonly measureTimeout?: number;
}

/**
 * The probes of the shell. `measure()` is asked at each run; when it fails, hangs or answers anything else than two lists of
 * names, nothing was checked. A threat that `onThreats` tells is found in the next run, whatever that measures, and in those
 * after it until one measures it clear.
 */
export function bridgeProbe(bridge: NativeBridge, options: BridgeProbeOptions = {}): Probe {
  const { measureTimeout = MEASURE_TIMEOUT } = options;
  const told = new Set<string>();
  const late = new Set<string>();
  bridge.onThreats?.((names) => {
    for (const name of readNames(names)) {
      told.add(name);
      late.add(name);
    }
  });
  return {
    name: UNNAMED,
    async run(signal) {
      late.clear();
      const before = [...told];
      const { found = [], clear = [] } = await measure(bridge, measureTimeout);
      const all = [...new Set([...found, ...before, ...late])];
      // One told while the shell measured may be newer than that, and a run that nobody waits for tells nobody.
      const isOver = (name: string) => clear.includes(name) && !late.has(name) && signal?.aborted !== true;
      for (const name of before.filter(isOver)) told.delete(name);
      return { found: all, clear: clear.filter((name) => !all.includes(name)) };
    },
  };
}

/** What the shell measured; nothing when it did not. */
async function measure(bridge: NativeBridge, timeout: number): Promise<ProbeReport> {
  try {
    const answer: unknown = await limited(timeout, new AbortController().signal, async () => bridge.measure?.());
    const { found, clear } = Object(answer) as { found?: unknown; clear?: unknown };
    // A threat counts even in an answer that is otherwise no good; `clear` counts only in one that is good altogether.
    if (!isNames(found) || !isNames(clear)) return { found: Array.isArray(found) ? readNames(found) : [] };
    return { found, clear };
  } catch {
    return {};
  }
}

function isNames(list: unknown): list is readonly string[] {
  return Array.isArray(list) && list.every((name) => typeof name === 'string' && PROBE_NAME.test(name));
}

function readNames(list: unknown): readonly string[] {
  const names: readonly unknown[] = Array.isArray(list) ? list : [list];
  return names.map((name) => (typeof name === 'string' && PROBE_NAME.test(name) ? name : UNNAMED));
}
