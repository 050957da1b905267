import type { Probe } from '../probe.js';
import { automationProbe, type AutomationProbeOptions } from './automation-probe.js';
import { debuggerProbe } from './debugger-probe.js';
import { emulatorProbe, type EmulatorProbeOptions } from './emulator-probe.js';
import { hookingProbe, type HookingProbeOptions } from './hooking-probe.js';
import { memoryTamperProbe, type MemoryTamperProbeOptions } from './memory-tamper-probe.js';
import { remoteControlProbe, type RemoteControlProbeOptions } from './remote-control-probe.js';
import { rootProbe } from './root-probe.js';
import { tamperProbe, type TamperProbeOptions } from './tamper-probe.js';
import { timeSpoofProbe, type TimeSpoofProbeOptions } from './time-spoof-probe.js';

/** What to look for: `false` leaves a probe out, `true` or its options takes it in. */
export interface NodeProbeOptions {
  /** Default true. */
  readonly debugger?: boolean;
  /** Default true. */
  readonly hooking?: boolean | HookingProbeOptions;
  /** Default true. */
  readonly memoryTamper?: boolean | MemoryTamperProbeOptions;
  /** Default true. */
  readonly automation?: boolean | AutomationProbeOptions;
  /** Default true. */
  readonly remoteControl?: boolean | RemoteControlProbeOptions;
  /** Default true. */
  readonly timeSpoof?: boolean | TimeSpoofProbeOptions;
  /** Default false: it needs a manifest. */
  readonly tamper?: false | TamperProbeOptions;
  /** Default false: servers in containers often run as root. */
  readonly root?: boolean;
  /** Default false: servers mostly run in virtual machines. */
  readonly emulator?: boolean | EmulatorProbeOptions;
}

/** The probes of a Node process; without options those that an ordinary process passes on any machine. */
export function nodeProbes(look: NodeProbeOptions = {}): Probe[] {
  return [
    ...(look.debugger === false ? [] : [debuggerProbe()]),
    ...chosen(hookingProbe, look.hooking ?? true),
    ...chosen(memoryTamperProbe, look.memoryTamper ?? true),
    ...chosen(automationProbe, look.automation ?? true),
    ...chosen(remoteControlProbe, look.remoteControl ?? true),
    ...chosen(timeSpoofProbe, look.timeSpoof ?? true),
    ...(look.tamper ? [tamperProbe(look.tamper)] : []),
    ...(look.root === true ? [rootProbe()] : []),
    ...chosen(emulatorProbe, look.emulator ?? false),
  ];
}

function chosen<Options extends object>(make: (options?: Options) => Probe, wish: boolean | Options): Probe[] {
  if (wish === false) return [];
  return [make(wish === true ? undefined : wish)];
}
