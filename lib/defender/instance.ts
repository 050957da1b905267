import { thumbprint, type SigningKey } from '../token/mint.js';
import { DefenderError } from './defender-error.js';
import type { ApiState, DefenderState, KeyStore } from './key-store.js';
import type { DefenderTimers } from './schedule.js';

/** Milliseconds that `close` waits for the store. */
const CLOSE_WAIT = 5_000;

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
  /** The end of what the store has to do: one thing at a time, in the order in which it came up. */
  #turn: Promise<unknown> = Promise.resolve();
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
      void this.#inTurn(() => this.#reload());
    });
  }

  /** The instance id, once the key is loaded. */
  get id(): string | undefined {
    return this.#identity?.id;
  }

  /** Loads key and state at the first call. @throws DefenderError `key_store` */
  load(): Promise<Identity> {
    if (this.#loading) return this.#loading;
    const isCurrent = () => this.#loading === loading;
    const loading = this.#inTurn(() => this.#load(isCurrent)).catch((cause: unknown) => {
      if (isCurrent()) this.#loading = undefined;
      throw keyStoreError('The instance key could not be loaded', cause);
    });
    return (this.#loading = loading);
  }

  /** What is remembered of the server at `base`. */
  api(base: string): ApiState {
    return this.#apis[base] ?? {};
  }

  /**
   * Changes what is remembered, at once, and writes it. The write never rejects, and nothing that has an answer to give
   * waits for it: a failure is kept for `close`.
   */
  update(base: string, patch: Partial<ApiState>): Promise<void> {
    this.#apis[base] = { ...this.api(base), ...patch };
    this.#unsaved[base] = { ...this.#unsaved[base], ...patch };
    return this.#inTurn(() => this.#write());
  }

  /**
   * Watches no more, and waits for the writes, 5 s at most.
   * @throws DefenderError `key_store` when the state in memory is not the one written
   */
  async close(timers: DefenderTimers): Promise<void> {
    this.#unwatch?.();
    let timer: unknown;
    const late = new Promise<DefenderError>((resolve) => {
      const error = keyStoreError('The state was not saved in time', undefined);
      timer = timers.setTimeout(() => resolve(error), CLOSE_WAIT);
    });
    const error = await Promise.race([this.#turn.then(() => this.#writeError), late]);
    timers.clearTimeout(timer);
    if (error) throw error;
  }

  /**
   * Forgets the key and everything bound to it, at once, and has the store do so in its turn: no write of the old key comes
   * after that, and no load before.
   * @throws DefenderError `key_store`
   */
  clear(): Promise<void> {
    this.#forget();
    return this.#inTurn(async () => {
      await this.#store.clear();
      this.#writeError = undefined;
    }).catch((cause: unknown) => {
      throw keyStoreError('The key could not be removed', cause);
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  #forget(): void {
    this.#apis = {};
    this.#unsaved = {};
    this.#identity = this.#loading = undefined;
  }

  /** Takes over what another page or process has saved, beside what this one has not saved yet. */
  async #reload(): Promise<void> {
    const identity = this.#identity;
    if (!identity) return;
    try {
      const state = await this.#store.loadState();
      if (this.#identity !== identity) return;
      // Retired elsewhere: the next request loads whatever key is there now.
      if (state?.instanceId !== identity.id) {
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

  /** @param isCurrent whether nobody has had the key forgotten meanwhile */
  async #load(isCurrent: () => boolean): Promise<Identity> {
    const key = await this.#store.loadKey();
    const id = await thumbprint(key.publicKey);
    const state = await this.#store.loadState();
    const identity = { key, id };
    if (!isCurrent()) return identity;
    // State of another key would claim enrolments and sessions that this one does not have.
    this.#apis = state?.instanceId === id ? { ...state.apis } : {};
    this.#identity = identity;
    this.#onLoaded(Object.keys(this.#apis).filter((base) => this.api(base).enrolledAt !== undefined));
    return identity;
  }

  async #write(): Promise<void> {
    const identity = this.#identity;
    if (!identity) return;
    const state: DefenderState = { instanceId: identity.id, apis: { ...this.#apis } };
    const saving = this.#unsaved;
    this.#unsaved = {};
    try {
      await this.#store.saveState(state);
      this.#writeError = undefined;
    } catch (cause) {
      // Forgotten meanwhile: what was to be saved must not become another key's.
      if (this.#identity !== identity) return;
      for (const base of Object.keys(saving)) this.#unsaved[base] = { ...saving[base], ...this.#unsaved[base] };
      this.#writeError = keyStoreError('The state could not be saved', cause);
    }
  }
}

function keyStoreError(message: string, cause: unknown): DefenderError {
  return cause instanceof DefenderError ? cause : new DefenderError('key_store', message, { cause });
}
