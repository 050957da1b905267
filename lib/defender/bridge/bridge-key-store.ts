import type { PublicJwk } from '../../token/claims.types.js';
import { thumbprint, type RemoteSigningKey } from '../../token/mint.js';
import { DefenderError } from '../defender-error.js';
import type { DefenderState, KeyStore } from '../key-store.js';
import { decodeBase64, encodeBase64 } from './base64.js';
import { callBridge, resolveBridge, type BridgeOptions, type ResolvedBridge } from './bridge-call.js';
import { isEnrolled, MAKING, readState } from './bridge-state.js';
import { checkP1363, derToJose } from './der-to-jose.js';
import type { KeyChallenge } from './key-challenge.js';
import type { NativeBridge } from './native-bridge.js';
import { readPublicKey } from './public-key.js';

/** Octets of `r` and of `s` on P-256. */
const FIELD = 32;

/** Options of the bridge key store. */
export interface BridgeKeyStoreOptions extends BridgeOptions {
  /**
   * The challenge that keys are made over, for `android-key`. A key that was never enrolled is then made anew at each start
   * and when its challenge is spent, since its attestation is over a challenge of the past. A key of which nobody knows
   * whether it was enrolled is not touched: loading it fails until `clear()`.
   */
  readonly keyChallenge?: KeyChallenge;
}

/** What this process knows beside what the shell keeps. */
interface Memory {
  loading?: Promise<RemoteSigningKey>;
  /** The instance that is enrolled, also when that could not be written. */
  enrolled?: string;
  /** The instance whose key was given up for a new one; nothing more of it is kept. */
  dropped?: string;
  readonly listeners: Set<() => void>;
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
  const memory: Memory = { listeners: new Set() };
  const readStored = () => callBridge(resolved, 'load the state', () => bridge.loadState({ alias }), readState);
  const write = async (task: string, state: string | null) => {
    await callBridge(resolved, task, () => bridge.saveState({ alias, state }), nothing);
  };
  const store: KeyStore<RemoteSigningKey> = {
    loadKey() {
      memory.loading ??= loadOrMake(resolved, readStored, keyChallenge)
        .then((publicKey) => signingKey(resolved, publicKey))
        .catch((cause: unknown) => {
          memory.loading = undefined;
          throw cause;
        });
      return memory.loading;
    },
    // Nothing has been saved of the key that came after the dropped one.
    loadState: async () => (memory.dropped === undefined ? readStored() : undefined),
    async saveState(state) {
      if (state.instanceId === memory.dropped) return;
      memory.dropped = undefined;
      if (isEnrolled(state, state.instanceId)) {
        memory.enrolled = state.instanceId;
        keyChallenge?.forget();
      }
      await write('save the state', JSON.stringify(state));
    },
    async clear() {
      // The key first: state without its key is of no use to anybody.
      await callBridge(resolved, 'delete the key', () => bridge.deleteKey({ alias }), nothing);
      memory.loading = memory.enrolled = memory.dropped = undefined;
      keyChallenge?.forget();
      await write('remove the state', null);
    },
    watchState(listener) {
      memory.listeners.add(listener);
      return () => void memory.listeners.delete(listener);
    },
  };
  keyChallenge?.renewBy(() => renewKey(resolved, memory, readStored, store.loadKey));
  return store;
}

/** Gives up a key that was never enrolled, whose challenge is spent, and makes another one. */
async function renewKey(
  { bridge, alias, timeout }: ResolvedBridge,
  memory: Memory,
  readStored: () => Promise<DefenderState | undefined>,
  make: () => Promise<unknown>,
): Promise<void> {
  const key = await memory.loading;
  const id = key && (await thumbprint(key.publicKey));
  // Ensures that only a key of which no server knows is given up.
  if (id === undefined || id === memory.enrolled || !mayRemake(await readStored(), id)) return;
  await callBridge({ timeout }, 'delete the key', () => bridge.deleteKey({ alias }), nothing);
  memory.loading = undefined;
  memory.dropped = id;
  const made = make();
  // Whoever holds the old key loads the new one instead, also when making it fails for now.
  for (const listener of memory.listeners) listener();
  await made;
}

async function loadOrMake(
  resolved: ResolvedBridge,
  readStored: () => Promise<DefenderState | undefined>,
  keyChallenge: KeyChallenge | undefined,
): Promise<PublicJwk> {
  const { bridge, alias } = resolved;
  const known = await callBridge(resolved, 'load the key', () => bridge.loadKey({ alias }), readIfAny);
  if (known && !keyChallenge) return known;
  if (known) {
    const [state, id] = [await readStored(), await thumbprint(known)];
    if (isEnrolled(state, id)) return known;
    // Ensures that an enrolled key does not go because its state was lost.
    if (!mayRemake(state, id)) {
      throw new DefenderError(
        'key_store',
        'The state of the key is lost, and it may be enrolled: forget() gives it up',
      );
    }
    await callBridge(resolved, 'delete the key', () => bridge.deleteKey({ alias }), nothing);
  }
  if (!keyChallenge) return callBridge(resolved, 'make the key', () => bridge.generateKey({ alias }), readPublicKey);
  // Written before there is a key, so that one without any state is never taken for one that was not enrolled.
  const making = () => bridge.saveState({ alias, state: JSON.stringify(MAKING) });
  await callBridge(resolved, 'save the state', making, nothing);
  const challenge = encodeBase64(await keyChallenge.make());
  return callBridge(resolved, 'make the key', () => bridge.generateKey({ alias, challenge }), readPublicKey);
}

/** Whether the state says that this key was never enrolled. */
function mayRemake(state: DefenderState | undefined, id: string): boolean {
  if (state?.instanceId === MAKING.instanceId) return true;
  return state?.instanceId === id && !isEnrolled(state, id);
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
