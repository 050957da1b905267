export { debuggerProbe } from './debugger-probe.js';
export { fileKeyStore, type FileKeyStoreOptions } from './file-key-store.js';
export { hookingProbe, type HookingProbeOptions } from './hooking-probe.js';
export { createManifest, type Manifest, type ManifestOptions } from './manifest.js';
export { nodeDefender, type NodeDefenderOptions } from './node-defender.js';
export type { ProcessFacts } from './process-facts.js';
export { tamperProbe, type TamperProbeOptions } from './tamper-probe.js';
