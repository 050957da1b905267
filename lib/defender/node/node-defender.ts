import { createDefender, type Defender } from '../defender.js';
import type { DefenderOptions } from '../defender-options.js';
import type { Probe } from '../probe.js';
import { debuggerProbe } from './debugger-probe.js';
import { fileKeyStore, type FileKeyStoreOptions } from './file-key-store.js';
import { hookingProbe } from './hooking-probe.js';
import { tamperProbe, type TamperProbeOptions } from './tamper-probe.js';

/** Options of `nodeDefender`: those of a Defender, with Node's own key store and probes in place. */
export interface NodeDefenderOptions extends Omit<DefenderOptions, 'keyStore' | 'probes'>, FileKeyStoreOptions {
  /** Path of the key file; made at the first start, mode 0600. */
  readonly keyFile: string;
  /** What the tamper probe compares; without it `tamper` is not checked. */
  readonly tamper?: TamperProbeOptions;
  /** Preloads that belong to the app, see `hookingProbe`. */
  readonly allowPreloads?: readonly string[];
  /** Further probes. */
  readonly probes?: readonly Probe[];
}

/** A Defender for a Node process: a file for the key, and the `debugger`, `hooking` and `tamper` probes. */
export function nodeDefender(options: NodeDefenderOptions): Defender {
  const { keyFile, tamper, allowPreloads, probes = [], algorithm, ...rest } = options;
  if (typeof keyFile !== 'string' || keyFile === '') throw new TypeError('Defender option keyFile: write a path');
  const own = [debuggerProbe(), hookingProbe({ allow: allowPreloads }), ...(tamper ? [tamperProbe(tamper)] : [])];
  return createDefender({ ...rest, keyStore: fileKeyStore(keyFile, { algorithm }), probes: [...own, ...probes] });
}
