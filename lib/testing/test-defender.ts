import { Defender } from '../defender/defender.js';
import type { DefenderOptions } from '../defender/defender-options.js';
import { memoryKeyStore } from '../defender/key-store.js';
import type { Probe } from '../defender/probe.js';

/** Options of a test Defender: those of a Defender, with what a test seldom cares about filled in. */
export interface TestDefenderOptions extends Partial<Omit<DefenderOptions, 'api' | 'app' | 'probes'>> {
  /** The server under test. */
  readonly api: string;
  /** Default version 1.0.0, platform `node`. */
  readonly app: { readonly id: string; readonly ver?: string; readonly platform?: string };
  /** Probes that report clear. */
  readonly clear?: readonly string[];
  /** Probes that report a threat. */
  readonly found?: readonly string[];
}

/** A Defender whose runtime is as the test says: its probes answer what they are told to. Never for production. */
export function createTestDefender(options: TestDefenderOptions): Defender {
  const { api, app, clear = [], found = [], ...rest } = options;
  const probe = (name: string, report: 'clear' | 'found'): Probe => ({ name, run: () => Promise.resolve(report) });
  return new Defender({
    keyStore: memoryKeyStore(),
    reenrolWait: 0,
    evidenceMaxAge: 0,
    // Timers of its own would run by the real clock, whatever clock the test has.
    schedule: false,
    // Nothing is sent but what the test sends.
    proofKeys: false,
    ...rest,
    api,
    app: { ver: '1.0.0', platform: 'node', ...app },
    probes: [...clear.map((name) => probe(name, 'clear')), ...found.map((name) => probe(name, 'found'))],
  });
}
