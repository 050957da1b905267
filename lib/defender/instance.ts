import { thumbprint, type SigningKey } from '../token/mint.js';
import { DefenderError } from './defender-error.js';
import type { ApiState, DefenderState, KeyStore } from './key-store.js';

/** The key with its id. */
export interface Identity {
  readonly key: SigningKey;
  /** Instance id. */
  readonly id: string;
}

/**
 * This app instance: its key and what is remembered of each server. The state in memory is the truth; it is written
 * behind it, one write at a time.
 */
export class Instance {
  readonly #store: KeyStore;
  #loading?: Promise<Identity>;
  #identity?: Identity;
  #apis: Record<string, ApiState> = {};
  #writing: Promise<void> = Promise.resolve();
  #writeError?: DefenderError;

  constructor(store: KeyStore) {
    this.#store = store;
  }

  /** The instance id, once the key is loaded. */
  get id(): string | undefined {
    return this.#identity?.id;
  }

  /** Loads key and state at the first call. @throws DefenderError `key_store` */
  load(): Promise<Identity> {
    this.#loading ??= this.#load().catch((cause: unknown) => {
      this.#loading = undefined;
      throw keyStoreError('The instance key could not be loaded', cause);
    });
    return this.#loading;
  }

  /** What is remembered of the server at `base`. */
  api(base: string): ApiState {
    return this.#apis[base] ?? {};
  }

  /**
   * Changes what is remembered and writes it. A failed write is kept for `flush`: it must not take away the answer that
   * brought the change.
   */
  async update(base: string, patch: Partial<ApiState>): Promise<void> {
    this.#apis[base] = { ...this.api(base), ...patch };
    this.#writing = this.#writing.then(() => this.#write());
    await this.#writing;
  }

  /** Waits for the writes. @throws DefenderError `key_store` when the state in memory is not the one written */
  async flush(): Promise<void> {
    await this.#writing;
    if (this.#writeError) throw this.#writeError;
  }

  /** Forgets the key and everything bound to it. @throws DefenderError `key_store` */
  async clear(): Promise<void> {
    await this.#writing;
    try {
      await this.#store.clear();
    } catch (cause) {
      throw keyStoreError('The retired key could not be removed', cause);
    }
    this.#apis = {};
    this.#identity = this.#loading = this.#writeError = undefined;
  }

  async #load(): Promise<Identity> {
    const key = await this.#store.loadKey();
    const id = await thumbprint(key.publicKey);
    const state = await this.#store.loadState();
    // State of another key would claim enrolments and sessions that this one does not have.
    this.#apis = state?.instanceId === id ? { ...state.apis } : {};
    this.#identity = { key, id };
    return this.#identity;
  }

  async #write(): Promise<void> {
    if (!this.#identity) return;
    const state: DefenderState = { instanceId: this.#identity.id, apis: { ...this.#apis } };
    try {
      await this.#store.saveState(state);
      this.#writeError = undefined;
    } catch (cause) {
      this.#writeError = keyStoreError('The state could not be saved', cause);
    }
  }
}

function keyStoreError(message: string, cause: unknown): DefenderError {
  return cause instanceof DefenderError ? cause : new DefenderError('key_store', message, { cause });
}
