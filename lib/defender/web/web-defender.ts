import { createDefender, type Defender } from '../defender.js';
import type { DefenderOptions } from '../defender-options.js';
import type { Probe } from '../probe.js';
import { automationProbe } from './automation-probe.js';
import { debuggerProbe, type DebuggerProbeOptions } from './debugger-probe.js';
import { emulatorProbe } from './emulator-probe.js';
import { extensionInjectionProbe, type ExtensionInjectionProbeOptions } from './extension-injection-probe.js';
import { hookingProbe, type HookingProbeOptions } from './hooking-probe.js';
import { indexedDbKeyStore, type IndexedDbKeyStoreOptions } from './indexed-db-key-store.js';
import { overlayProbe, type OverlayProbeOptions } from './overlay-probe.js';
import { onReturn } from './remeasure.js';
import { tamperProbe, type TamperProbeOptions } from './tamper-probe.js';
import { timeSpoofProbe, type TimeSpoofProbeOptions } from './time-spoof-probe.js';

/** What the browser's own probes are told. */
export interface WebProbesOptions {
  /** The app's build manifest; without it `tamper` is not checked. */
  readonly tamper?: TamperProbeOptions;
  readonly hooking?: HookingProbeOptions;
  readonly overlay?: OverlayProbeOptions;
  readonly debugger?: DebuggerProbeOptions;
  readonly timeSpoof?: TimeSpoofProbeOptions;
  readonly extensions?: ExtensionInjectionProbeOptions;
  /** Look for software graphics too; default false, see `emulatorProbe`. */
  readonly emulator?: boolean;
}

/** Options of `webDefender`: those of a Defender, with the browser's own key store and probes in place. */
export interface WebDefenderOptions
  extends Omit<DefenderOptions, 'keyStore' | 'probes'>, IndexedDbKeyStoreOptions, WebProbesOptions {
  /** Further probes. */
  readonly probes?: readonly Probe[];
}

/**
 * The probes that find nothing in the browser of an ordinary user: `automation`, `hooking`, `overlay`, `debugger`,
 * `time-spoof`, `x-web-extension-injection`; `tamper` and `emulator` where asked for.
 */
export function webProbes(options: WebProbesOptions = {}): Probe[] {
  return [
    automationProbe(),
    hookingProbe(options.hooking),
    overlayProbe(options.overlay),
    debuggerProbe(options.debugger),
    timeSpoofProbe(options.timeSpoof),
    extensionInjectionProbe(options.extensions),
    ...(options.tamper ? [tamperProbe(options.tamper)] : []),
    ...(options.emulator === true ? [emulatorProbe()] : []),
  ];
}

/**
 * A Defender for a page: its key in IndexedDB, shared by all pages of the origin, and the browser's probes, which also run
 * when the page comes back to its user.
 */
export function webDefender(options: WebDefenderOptions): Defender {
  const { name, algorithm, indexedDB, probes = [], ...rest } = options;
  const { tamper, hooking, overlay, debugger: tools, timeSpoof, extensions, emulator, ...core } = rest;
  const own = webProbes({ tamper, hooking, overlay, debugger: tools, timeSpoof, extensions, emulator });
  return createDefender({
    remeasureOn: onReturn,
    ...core,
    keyStore: indexedDbKeyStore({ name, algorithm, indexedDB }),
    probes: [...own, ...probes],
  });
}
