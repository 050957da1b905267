import { exportJWK, generateKeyPair } from 'jose';
import type { PublicJwk, TabAlgorithm } from '../token/claims.types.js';
import { publicMembers, type SigningKey, type WebCryptoSigningKey } from '../token/mint.js';

/** A session bound to this instance at one server; `expires` in seconds since the epoch. */
export interface StoredSession {
  readonly id: string;
  readonly expires: number;
}

/** What is remembered of one server. Times are seconds since the epoch. */
export interface ApiState {
  /** When the key was last enrolled there. */
  readonly enrolledAt?: number;
  /** When the server last made the client enrol again; it may once per hour. */
  readonly reenrolledAt?: number;
  /** Server clock minus local clock. */
  readonly skew?: number;
  readonly session?: StoredSession;
}

/** What a Defender keeps between runs, beside its key. Plain JSON. */
export interface DefenderState {
  readonly instanceId: string;
  /** By configured `api` URL. */
  readonly apis: Readonly<Record<string, ApiState>>;
}

/**
 * Where the instance key and the state live. Implementations keep the private key out of reach: not extractable where
 * the platform can, readable by its owner only. An instance id is the thumbprint of the key, so a lost key is a new
 * instance.
 */
export interface KeyStore<Key extends SigningKey = SigningKey> {
  /** The key; made at the first call. Concurrent calls, also from other processes, end with one key. */
  loadKey(): Promise<Key>;
  /** The state saved last, or undefined. */
  loadState(): Promise<DefenderState | undefined>;
  saveState(state: DefenderState): Promise<void>;
  /** Forgets key and state: the key has been retired. The next `loadKey` makes a new one. */
  clear(): Promise<void>;
  /**
   * Calls `listener` after somebody else, such as another tab, has saved or cleared. Optional.
   * @returns ends the calls
   */
  watchState?(listener: () => void): () => void;
}

/** A new key pair. `extractable` only where the store must write the key down. Default algorithm ES256. */
export async function generateKey(
  algorithm: TabAlgorithm = 'ES256',
  extractable = false,
): Promise<WebCryptoSigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable });
  return { algorithm, privateKey, publicKey: publicMembers((await exportJWK(publicKey)) as PublicJwk) };
}

/** Keeps a non-extractable key in memory: every start of the process is a new instance. */
export function memoryKeyStore(options: { algorithm?: TabAlgorithm } = {}): KeyStore<WebCryptoSigningKey> {
  let key: Promise<WebCryptoSigningKey> | undefined;
  let state: DefenderState | undefined;
  return {
    loadKey: () => (key ??= generateKey(options.algorithm)),
    loadState: async () => state,
    saveState: async (next) => {
      state = structuredClone(next);
    },
    clear: async () => {
      key = undefined;
      state = undefined;
    },
  };
}
