export { automationProbe, type AutomationProbeOptions } from './automation-probe.js';
export { LOADER_BUILTINS, MEMORY_BUILTINS } from './builtins.js';
export { debuggerProbe } from './debugger-probe.js';
export {
  electronDefender,
  electronSafeStorage,
  type ElectronDefenderOptions,
  type ElectronSafeStorageOptions,
  type SafeStorage,
} from './electron.js';
export { emulatorProbe, type EmulatorProbeOptions } from './emulator-probe.js';
export { fileKeyStore, type FileKeyStoreOptions } from './file-key-store.js';
export { hookingProbe, type HookingProbeOptions } from './hooking-probe.js';
export type { KeyWrap } from './key-wrap.js';
export { createManifest, type Manifest, type ManifestOptions } from './manifest.js';
export { memoryTamperProbe, type MemoryTamperProbeOptions } from './memory-tamper-probe.js';
export { nodeDefender, type NodeDefenderOptions } from './node-defender.js';
export { nodeProbes, type NodeProbeOptions } from './node-probes.js';
export type { ProcessFacts } from './process-facts.js';
export { remoteControlProbe, type RemoteControlProbeOptions } from './remote-control-probe.js';
export { rootProbe } from './root-probe.js';
export {
  MANIFEST_TYPE,
  ManifestError,
  signManifest,
  verifyManifest,
  type ManifestErrorCode,
  type ManifestKey,
} from './signed-manifest.js';
export { tamperProbe, type TamperProbeOptions } from './tamper-probe.js';
export { timeSpoofProbe, type TimeSpoofProbeOptions } from './time-spoof-probe.js';
