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
  readonly #onLoaded: (enrolledAt: readonly string[]) => void;
  readonly #onLost: () => void;
  readonly #unwatch?: () => void;
  #loading?: Promise<Identity>;
  #identity?: Identity;
  #apis: Record<string, ApiState> = {};
  /** Changes that no completed write holds yet. */
  #unsaved: Record<string, Partial<ApiState>> = {};
  #writing: Promise<void> = Promise.resolve();
  #writeError?: DefenderError;

  /**
   * @param onLoaded told at which servers a key that was loaded is enrolled
   * @param onLost told when the key was retired by somebody else
   */
  constructor(
    store: KeyStore,
    onLoaded: (enrolledAt: readonly string[]) => void = () => undefined,
    onLost: () => void = () => undefined,
  ) {
    this.#store = store;
    this.#onLoaded = onLoaded;
    this.#onLost = onLost;
    this.#unwatch = store.watchState?.(() => {
      this.#writing = this.#writing.then(() => this.#reload());
    });
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
    this.#unsaved[base] = { ...this.#unsaved[base], ...patch };
    this.#writing = this.#writing.then(() => this.#write());
    await this.#writing;
  }

  /** Waits for the writes and watches no more. @throws DefenderError `key_store` when the state in memory is not the one written */
  async close(): Promise<void> {
    this.#unwatch?.();
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
    this.#forget();
    this.#writeError = undefined;
  }

  #forget(): void {
    this.#apis = {};
    this.#unsaved = {};
    this.#identity = this.#loading = undefined;
  }

  /** Takes over what another page or process has saved, beside what this one has not saved yet. */
  async #reload(): Promise<void> {
    if (!this.#identity) return;
    try {
      const state = await this.#store.loadState();
      // Retired elsewhere: the next request loads whatever key is there now.
      if (state?.instanceId !== this.#identity.id) {
        this.#forget();
        return this.#onLost();
      }
      const bases = new Set([...Object.keys(state.apis), ...Object.keys(this.#unsaved)]);
      const merged = [...bases].map((base) => [base, { ...state.apis[base], ...this.#unsaved[base] }] as const);
      this.#apis = Object.fromEntries(merged);
    } catch {
      // What is in memory was good until now.
    }
  }

  async #load(): Promise<Identity> {
    const key = await this.#store.loadKey();
    const id = await thumbprint(key.publicKey);
    const state = await this.#store.loadState();
    // State of another key would claim enrolments and sessions that this one does not have.
    this.#apis = state?.instanceId === id ? { ...state.apis } : {};
    this.#identity = { key, id };
    this.#onLoaded(Object.keys(this.#apis).filter((base) => this.api(base).enrolledAt !== undefined));
    return this.#identity;
  }

  async #write(): Promise<void> {
    if (!this.#identity) return;
    const state: DefenderState = { instanceId: this.#identity.id, apis: { ...this.#apis } };
    const saving = this.#unsaved;
    this.#unsaved = {};
    try {
      await this.#store.saveState(state);
      this.#writeError = undefined;
    } catch (cause) {
      for (const base of Object.keys(saving)) this.#unsaved[base] = { ...saving[base], ...this.#unsaved[base] };
      this.#writeError = keyStoreError('The state could not be saved', cause);
    }
  }
}

function keyStoreError(message: string, cause: unknown): DefenderError {
  return cause instanceof DefenderError ? cause : new DefenderError('key_store', message, { cause });
}
