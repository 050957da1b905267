import type { PublicJwk } from '../../token/claims.types.js';
import type { RemoteSigningKey } from '../../token/mint.js';
import type { DefenderState, KeyStore } from '../key-store.js';
import { decodeBase64, encodeBase64 } from './base64.js';
import { callBridge, resolveBridge, type BridgeOptions, type ResolvedBridge } from './bridge-call.js';
import { readState, isEnrolled } from './bridge-state.js';
import { checkP1363, derToJose } from './der-to-jose.js';
import type { KeyChallenge } from './key-challenge.js';
import type { NativeBridge } from './native-bridge.js';
import { readPublicKey } from './public-key.js';

/** Octets of `r` and of `s` on P-256. */
const FIELD = 32;

/** Options of the bridge key store. */
export interface BridgeKeyStoreOptions extends BridgeOptions {
  /**
   * The challenge that keys are made over, for `android-key`. A key that was never enrolled is then made anew at each start,
   * since its attestation is over a challenge of the past.
   */
  readonly keyChallenge?: KeyChallenge;
}

/**
 * Keeps the instance key in the device's secure hardware, ES256, and the state in the shell's secure storage. The private key
 * never comes to JavaScript. Answers of the shell are taken only when they are exactly as agreed.
 * @throws DefenderError `key_store` from its methods and from `sign`, also when the shell does not answer in time
 */
export function bridgeKeyStore(bridge: NativeBridge, options: BridgeKeyStoreOptions = {}): KeyStore<RemoteSigningKey> {
  const resolved = resolveBridge(bridge, options);
  const { alias } = resolved;
  const { keyChallenge } = options;
  let loading: Promise<RemoteSigningKey> | undefined;
  const loadState = () => callBridge(resolved, 'load the state', () => bridge.loadState({ alias }), readState);
  const store: KeyStore<RemoteSigningKey> = {
    loadKey() {
      loading ??= loadOrMake(resolved, loadState, keyChallenge)
        .then((publicKey) => signingKey(resolved, publicKey))
        .catch((cause: unknown) => {
          loading = undefined;
          throw cause;
        });
      return loading;
    },
    loadState,
    async saveState(state) {
      const save = () => bridge.saveState({ alias, state: JSON.stringify(state) });
      await callBridge(resolved, 'save the state', save, nothing);
      if (isEnrolled(state)) keyChallenge?.forget();
    },
    async clear() {
      // The key first: state without its key is of no use to anybody.
      await callBridge(resolved, 'delete the key', () => bridge.deleteKey({ alias }), nothing);
      loading = undefined;
      keyChallenge?.forget();
      await callBridge(resolved, 'remove the state', () => bridge.saveState({ alias, state: null }), nothing);
    },
  };
  return store;
}

async function loadOrMake(
  resolved: ResolvedBridge,
  loadState: () => Promise<DefenderState | undefined>,
  keyChallenge: KeyChallenge | undefined,
): Promise<PublicJwk> {
  const { bridge, alias } = resolved;
  const known = await callBridge(resolved, 'load the key', () => bridge.loadKey({ alias }), readIfAny);
  if (known && (!keyChallenge || isEnrolled(await loadState()))) return known;
  if (known) await callBridge(resolved, 'delete the key', () => bridge.deleteKey({ alias }), nothing);
  const challenge = keyChallenge && encodeBase64(await keyChallenge.make());
  const call = { alias, ...(challenge !== undefined && { challenge }) };
  return callBridge(resolved, 'make the key', () => bridge.generateKey(call), readPublicKey);
}

function signingKey(resolved: ResolvedBridge, publicKey: PublicJwk): RemoteSigningKey {
  const { bridge, alias } = resolved;
  return {
    algorithm: 'ES256',
    publicKey,
    sign: (data) => callBridge(resolved, 'sign', () => bridge.sign({ alias, data: encodeBase64(data) }), readSignature),
  };
}

/** The signature as JWS has it, from exactly one of `{ der }` and `{ raw }`. @throws TypeError */
function readSignature(answer: unknown): Uint8Array {
  const { der, raw } = Object(answer) as { der?: unknown; raw?: unknown };
  const octets = decodeBase64(der ?? raw);
  // Ensures that nobody has to guess which of the two it is.
  if (octets === undefined || (der === undefined) === (raw === undefined)) throw new TypeError('No signature');
  if (der !== undefined) return derToJose(octets, FIELD);
  checkP1363(octets, FIELD);
  return octets;
}

function readIfAny(answer: unknown): PublicJwk | undefined {
  return answer === null ? undefined : readPublicKey(answer);
}

function nothing(): void {
  // What the shell says here does not matter.
}
