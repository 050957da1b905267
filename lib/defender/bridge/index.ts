export { bridgeAssertion, type BridgeAssertionOptions } from './bridge-assertion.js';
export { bridgeAttester, type BridgeAttesterOptions } from './bridge-attester.js';
export type { BridgeOptions } from './bridge-call.js';
export { bridgeDefender, type BridgeDefenderOptions } from './bridge-defender.js';
export { bridgeKeyStore, type BridgeKeyStoreOptions } from './bridge-key-store.js';
export { bridgeProbe, type BridgeProbeOptions } from './bridge-probe.js';
export { derToJose } from './der-to-jose.js';
export { KeyChallenge, type KeyChallengeOptions } from './key-challenge.js';
export {
  BRIDGE_VERSION,
  type BridgeAttestationFormat,
  type BridgeMeasurement,
  type BridgePublicKey,
  type BridgeSignature,
  type NativeBridge,
} from './native-bridge.js';
export { spkiToJwk } from './public-key.js';
export { raspProbe, type RaspMapping, type RaspSource } from './rasp-probe.js';
export {
  talsecProbe,
  type TalsecActions,
  type TalsecCallback,
  type TalsecExecutionActions,
  type TalsecProbeOptions,
} from './talsec-probe.js';
