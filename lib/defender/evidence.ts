import type { RuntimeEvidence } from '../token/claims.types.js';
import { PROBE_NAME, type Probe, type ProbeFacts, type ProbeReport, type ProbeResult } from './probe.js';

/** At most this many names go into one token (PROTOCOL section 3). */
const MAX_NAMES = 64;

const NO_FACTS = (): ProbeFacts => ({ serverSkews: [] });

/** A measurement; `at` is the local clock, in seconds. */
export type Measurement = Omit<RuntimeEvidence, 'sdk'>;

/** What the meter needs. */
export interface MeterOptions {
  readonly probes: readonly Probe[];
  /** Seconds that a measurement may be used. */
  readonly maxAge: number;
  /** Milliseconds that one probe may take. */
  readonly timeout: number;
  /** Local time, seconds. */
  readonly now: () => number;
  /** What the probes are told; by default that no server has said anything yet. */
  readonly facts?: () => ProbeFacts;
  /** Told of each run, and whether a probe found a threat or could not look. */
  readonly onMeasured?: (impaired: boolean) => void;
}

/** Runs the probes, all at once, and keeps their result for `maxAge`; concurrent callers share one run. */
export class EvidenceMeter {
  readonly #options: MeterOptions;
  #maxAge: number;
  #last?: Measurement;
  /** The run under way; undefined is the result of one that began before an event after which it is of no use. */
  #running?: Promise<Measurement | undefined>;
  /** Counts those events. */
  #events = 0;
  /** Probes that were given up, and have not come back. */
  readonly #busy = new Set<Probe>();

  constructor(options: MeterOptions) {
    this.#options = options;
    this.#maxAge = options.maxAge;
  }

  /** Seconds that a measurement may be used, 0 for not at all. */
  get maxAge(): number {
    return this.#maxAge;
  }

  /** From now on a measurement may be used for at most `seconds`. */
  lower(seconds: number): void {
    this.#maxAge = Math.max(0, Math.min(this.#maxAge, seconds));
  }

  /** Evidence that is young enough; measured anew when it is not, or when the clock went back. */
  async current(): Promise<Measurement> {
    const age = this.#options.now() - (this.#last?.at ?? Number.NEGATIVE_INFINITY);
    return this.#last && age >= 0 && age <= this.#maxAge && this.#maxAge > 0 ? this.#last : this.#shared();
  }

  /** Evidence of a run that starts now. */
  async fresh(): Promise<Measurement> {
    // A run already under way began before the event that this caller wants to be measured after.
    await this.#running;
    return this.#shared();
  }

  /** Something has happened: what was measured before counts no more. */
  invalidate(): void {
    this.#last = undefined;
    this.#events += 1;
  }

  /** The result of a run that no event has overtaken; one that was is waited for, and followed by another. */
  async #shared(): Promise<Measurement> {
    for (;;) {
      this.#running ??= this.#measure().finally(() => (this.#running = undefined));
      const result = await this.#running;
      if (result) return result;
    }
  }

  async #measure(): Promise<Measurement | undefined> {
    const { probes, timeout, now, facts = NO_FACTS, onMeasured } = this.#options;
    const events = this.#events;
    const run = async (probe: Probe) => normalise(probe, await runProbe(probe, timeout, facts(), this.#busy));
    const reports = await Promise.all(probes.map(run));
    const found = [...new Set(reports.flatMap((report) => report.found ?? []))].slice(0, MAX_NAMES);
    // One probe that finds a threat outweighs another that does not.
    const clear = [...new Set(reports.flatMap((report) => report.clear ?? []))].filter((name) => !found.includes(name));
    onMeasured?.(found.length > 0 || reports.some(isSilent));
    if (events !== this.#events) return undefined;
    return (this.#last = { at: now(), found, clear: clear.slice(0, MAX_NAMES - found.length) });
  }
}

/** Whether a probe said nothing at all: it could not look. */
function isSilent({ found = [], clear = [] }: ProbeReport): boolean {
  return found.length + clear.length === 0;
}

/**
 * A probe that throws or hangs is reported as `unknown`: its name then appears in neither list. One that still hangs is not
 * started again, so that hanging work does not pile up.
 */
async function runProbe(probe: Probe, timeout: number, facts: ProbeFacts, busy: Set<Probe>): Promise<ProbeResult> {
  if (busy.has(probe)) return 'unknown';
  busy.add(probe);
  const limit = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const expired = new Promise<ProbeResult>((resolve) => {
    timer = setTimeout(() => {
      limit.abort();
      resolve('unknown');
    }, timeout);
  });
  try {
    const running = (async () => probe.run(limit.signal, facts))().finally(() => busy.delete(probe));
    return await Promise.race([running, expired]);
  } catch {
    return 'unknown';
  } finally {
    clearTimeout(timer);
  }
}

function normalise(probe: Probe, result: ProbeResult): ProbeReport {
  if (result === 'found') return { found: [probe.name] };
  if (result === 'clear') return { clear: [probe.name] };
  if (typeof result !== 'object' || result === null) return {};
  const found = names(result.found);
  // A threat whose name cannot travel is still a threat: it is told under the probe's own name.
  const told = found.map((name) => (PROBE_NAME.test(name) ? name : probe.name));
  return { found: told, clear: names(result.clear).filter((name) => PROBE_NAME.test(name)) };
}

function names(list: readonly string[] | undefined): readonly string[] {
  return Array.isArray(list) ? list.map(String) : [];
}
