import type { TabAlgorithm } from '../../token/claims.types.js';
import { publicMembers, thumbprint, type WebCryptoSigningKey } from '../../token/mint.js';
import { DefenderError } from '../defender-error.js';
import { generateKey, type DefenderState, type KeyStore } from '../key-store.js';
import { Database } from './database.js';
import { mergeState } from '../state-merge.js';

/** Options of the browser's key store. */
export interface IndexedDbKeyStoreOptions {
  /** Name of the database; default `nestjs-tab`. Another name is another instance. */
  readonly name?: string;
  /** Algorithm of a key that is made; an existing key keeps its own. Default ES256. */
  readonly algorithm?: TabAlgorithm;
  /** The databases to use; default those of this page or worker. */
  readonly indexedDB?: IDBFactory;
}

/** The browser's key store. */
export interface IndexedDbKeyStore extends KeyStore<WebCryptoSigningKey> {
  /**
   * Calls `listener` after another page or worker of this origin has changed or cleared what is stored here: what was
   * loaded before is out of date. Without `BroadcastChannel` it never calls.
   * @returns ends the calls
   */
  watchState(listener: () => void): () => void;
}

/** What is stored under `key`. The private key is a `CryptoKey` that the browser itself does not export. */
interface KeyRecord extends WebCryptoSigningKey {
  readonly version: 1;
}

const ALGORITHMS: readonly string[] = ['ES256', 'ES384', 'EdDSA', 'PS256', 'RS256'] satisfies TabAlgorithm[];

/**
 * Keeps the instance key, not extractable, and the state in IndexedDB, shared by all pages and workers of the origin: of
 * several that start together, one makes the key and the others take it. Where storage is blocked, full, or cannot hold keys,
 * its methods reject; there is no key in memory instead, which would be a new instance at each page.
 */
export function indexedDbKeyStore(options: IndexedDbKeyStoreOptions = {}): IndexedDbKeyStore {
  const { name = 'nestjs-tab', algorithm } = options;
  const database = new Database(name, () => options.indexedDB ?? globalThis.indexedDB);
  const news = new News(`nestjs-tab:${name}`);
  let ours: string | undefined;
  /** Whether a key has been loaded here, whatever became of it. */
  let hasLoaded = false;
  let known: DefenderState | undefined;
  return {
    async loadKey() {
      const key = (await readKey(database)) ?? (await locked(`nestjs-tab:${name}`, () => makeKey(database, algorithm)));
      ours = await thumbprint(key.publicKey);
      hasLoaded = true;
      return key;
    },
    async loadState() {
      known = await database.run('readonly', async (records) => (await records.get('state')) as never);
      return known;
    },
    async saveState(state) {
      const own = ours;
      await database.run('readwrite', async (records) => {
        checkOwn(await records.get('id'), own);
        const stored = (await records.get('state')) as DefenderState | undefined;
        await records.put('state', mergeState(known, state, stored));
      });
      known = structuredClone(state);
      news.tell();
    },
    async clear() {
      const own = ours;
      await database.run('readwrite', async (records) => {
        const id = await records.get('id');
        // Already cleared by another page: that is what was asked for. Who has not loaded a key means whatever is there.
        if (id !== undefined && hasLoaded) checkOwn(id, own);
        await records.clear();
      });
      ours = known = undefined;
      news.tell();
    },
    watchState: (listener) => news.listen(listener),
  };
}

/** Writing beside another key would bring a retired one back, or lose a living one. */
function checkOwn(stored: unknown, ours: string | undefined): void {
  if (ours !== undefined && stored === ours) return;
  throw new DefenderError('key_store', 'The database no longer holds the key of this page');
}

async function readKey(database: Database): Promise<WebCryptoSigningKey | undefined> {
  return keyOf(await database.run('readonly', (records) => records.get('key')));
}

/** Makes a key, unless another page was first. */
async function makeKey(database: Database, algorithm: TabAlgorithm | undefined): Promise<WebCryptoSigningKey> {
  const winner = await readKey(database);
  if (winner) return winner;
  // Before the transaction, which would not wait for it.
  const made: KeyRecord = { version: 1, ...(await generateKey(algorithm)) };
  const id = await thumbprint(made.publicKey);
  const stored = await database.run('readwrite', async (records) => {
    const present = await records.get('key');
    if (present !== undefined) return present;
    await records.clear();
    await records.add('key', made);
    await records.add('id', id);
    return made;
  });
  // One that was there before may have been put there by anyone: it is checked like any other.
  const key = keyOf(stored);
  if (!key) throw new DefenderError('key_store', 'The key was removed while it was being made');
  return key;
}

function keyOf(record: unknown): WebCryptoSigningKey | undefined {
  if (record === undefined) return undefined;
  const { version, algorithm, privateKey, publicKey } = record as Partial<KeyRecord>;
  const known = version === 1 && ALGORITHMS.includes(String(algorithm)) && publicKey !== undefined;
  const isPrivate = privateKey instanceof CryptoKey && privateKey.type === 'private' && !privateKey.extractable;
  if (!known || !isPrivate) throw new DefenderError('key_store', 'The database holds no usable key of version 1');
  return { algorithm: algorithm as TabAlgorithm, privateKey, publicKey: publicMembers(publicKey) };
}

/** One page at a time, where the browser has Web Locks; elsewhere the transaction alone decides who is first. */
async function locked<T>(name: string, work: () => Promise<T>): Promise<T> {
  const locks = (globalThis.navigator as Partial<Navigator> | undefined)?.locks;
  return locks ? locks.request(name, work) : work();
}

/** Tells the other pages of the origin that something has changed, and no more than that. */
class News {
  readonly #name: string;
  #channel?: BroadcastChannel;
  readonly #listeners = new Set<() => void>();

  constructor(name: string) {
    this.#name = name;
  }

  tell(): void {
    this.#open()?.postMessage('changed');
  }

  listen(listener: () => void): () => void {
    this.#open();
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #open(): BroadcastChannel | undefined {
    if (this.#channel || !('BroadcastChannel' in globalThis)) return this.#channel;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.addEventListener('message', () => {
      for (const listener of this.#listeners) listener();
    });
    return this.#channel;
  }
}
