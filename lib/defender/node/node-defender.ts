import { createDefender, type Defender } from '../defender.js';
import type { DefenderOptions } from '../defender-options.js';
import type { Probe } from '../probe.js';
import { fileKeyStore, type FileKeyStoreOptions } from './file-key-store.js';
import type { HookingProbeOptions } from './hooking-probe.js';
import { nodeProbes, type NodeProbeOptions } from './node-probes.js';
import type { TamperProbeOptions } from './tamper-probe.js';

/** Options of `nodeDefender`: those of a Defender, with Node's own key store and probes in place. */
export interface NodeDefenderOptions extends Omit<DefenderOptions, 'keyStore' | 'probes'>, FileKeyStoreOptions {
  /** Path of the key file; made at the first start, mode 0600. */
  readonly keyFile: string;
  /** What the tamper probe compares; without it `tamper` is not checked. */
  readonly tamper?: TamperProbeOptions;
  /** Preloads that belong to the app, see `hookingProbe`. */
  readonly allowPreloads?: readonly string[];
  /** Which of Node's own probes look, and how; by default those that an ordinary process passes, see `NodeProbeOptions`. */
  readonly look?: Omit<NodeProbeOptions, 'tamper'>;
  /** Further probes. */
  readonly probes?: readonly Probe[];
}

/** A Defender for a Node process: a file for the key, and the probes of `nodeProbes`. */
export function nodeDefender(options: NodeDefenderOptions): Defender {
  const { keyFile, tamper, allowPreloads, look = {}, probes = [], algorithm, wrap, ...rest } = options;
  if (typeof keyFile !== 'string' || keyFile === '') throw new TypeError('Defender option keyFile: write a path');
  const hooking = withPreloads(look.hooking, allowPreloads);
  const own = nodeProbes({ ...look, hooking, tamper: tamper ?? false });
  return createDefender({ ...rest, keyStore: fileKeyStore(keyFile, { algorithm, wrap }), probes: [...own, ...probes] });
}

function withPreloads(
  wish: boolean | HookingProbeOptions = true,
  preloads: readonly string[] = [],
): boolean | HookingProbeOptions {
  if (wish === false) return false;
  const given = wish === true ? {} : wish;
  return { ...given, allow: [...(given.allow ?? []), ...preloads] };
}
