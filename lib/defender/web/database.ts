import { DefenderError } from '../defender-error.js';

/** The one object store of the database. */
const STORE = 'instance';
/** Milliseconds to wait for a database that neither opens nor fails: another connection may be deleting it. */
const OPEN_TIMEOUT = 10_000;

/** What a transaction works on. */
export interface Records {
  get(key: string): Promise<unknown>;
  put(key: string, value: unknown): Promise<unknown>;
  /** Rejects when the key is taken. */
  add(key: string, value: unknown): Promise<unknown>;
  clear(): Promise<unknown>;
}

/** A small IndexedDB database: one object store, opened when needed, opened again after the browser closed it. */
export class Database {
  readonly #name: string;
  readonly #factory: () => IDBFactory | undefined;
  #opening?: Promise<IDBDatabase>;

  constructor(name: string, factory: () => IDBFactory | undefined) {
    this.#name = name;
    this.#factory = factory;
  }

  /**
   * Runs `work` in one transaction and resolves once that is complete. `work` waits for nothing but its records, or the
   * transaction would end under it.
   */
  async run<T>(mode: 'readonly' | 'readwrite', work: (records: Records) => Promise<T>): Promise<T> {
    this.#opening ??= this.#open().catch((cause: unknown) => {
      this.#opening = undefined;
      throw cause;
    });
    const database = await this.#opening;
    const transaction = database.transaction(STORE, mode);
    const complete = completion(transaction);
    try {
      const result = await work(recordsOf(transaction.objectStore(STORE)));
      await complete;
      return result;
    } catch (cause) {
      abort(transaction);
      // Its own rejection says no more than `cause`.
      await complete.catch(() => undefined);
      throw cause;
    }
  }

  async #open(): Promise<IDBDatabase> {
    // Reading the property itself throws where storage is denied.
    const factory = this.#factory();
    if (!factory) throw new DefenderError('key_store', 'There is no IndexedDB here to keep the key in');
    const database = await opened(factory.open(this.#name, 1));
    const forget = () => (this.#opening = undefined);
    // Another page wants to delete or change the database: standing in the way would block it for ever.
    database.addEventListener('versionchange', () => {
      forget();
      database.close();
    });
    database.addEventListener('close', forget);
    return database;
  }
}

function opened(request: IDBOpenDBRequest): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    let given = false;
    const fail = (message: string, cause?: unknown) => {
      given = true;
      reject(new DefenderError('key_store', message, { cause }));
    };
    const timer = setTimeout(() => fail('The key database did not open in time'), OPEN_TIMEOUT);
    request.addEventListener('upgradeneeded', () => request.result.createObjectStore(STORE));
    request.addEventListener('blocked', () => fail('The key database is held by another version of this app'));
    request.addEventListener('error', () => {
      clearTimeout(timer);
      fail('The key database cannot be opened', request.error);
    });
    request.addEventListener('success', () => {
      clearTimeout(timer);
      // Too late for the caller: an open connection that nobody has would block others.
      if (given) request.result.close();
      else resolve(request.result);
    });
  });
}

function completion(transaction: IDBTransaction): Promise<void> {
  const promise = new Promise<void>((resolve, reject) => {
    transaction.addEventListener('complete', () => resolve());
    transaction.addEventListener('abort', () =>
      reject(transaction.error ?? new DefenderError('key_store', 'The key database gave up a change')),
    );
  });
  // Awaited only after the work; a failure before that is not lost, but must not count as unhandled.
  promise.catch(() => undefined);
  return promise;
}

function abort(transaction: IDBTransaction): void {
  try {
    transaction.abort();
  } catch {
    // It has ended by itself.
  }
}

function recordsOf(store: IDBObjectStore): Records {
  return {
    get: (key) => settled(store.get(key)),
    put: (key, value) => settled(store.put(value, key)),
    add: (key, value) => settled(store.add(value, key)),
    clear: () => settled(store.clear()),
  };
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result));
    request.addEventListener('error', () => reject(request.error ?? new Error('The key database refused')));
  });
}
