import { randomUUID } from 'node:crypto';
import { link, lstat, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { exportJWK, importJWK } from 'jose';
import type { PublicJwk, TabAlgorithm } from '../../token/claims.types.js';
import { publicMembers, thumbprint, type WebCryptoSigningKey } from '../../token/mint.js';
import { DefenderError } from '../defender-error.js';
import { generateKey, type DefenderState, type KeyStore } from '../key-store.js';
import { mergeState } from '../state-merge.js';
import { withLock } from './file-lock.js';
import { keyFileText, readKeyFile, type KeyFile } from './key-file.js';
import type { KeyWrap } from './key-wrap.js';

/** Options of the file key store. */
export interface FileKeyStoreOptions {
  /** Algorithm of a key that is made; an existing key keeps its own. Default ES256. */
  readonly algorithm?: TabAlgorithm;
  /**
   * Encrypts the content of the file, see `electronSafeStorage`; default none, so that the mode of the file is all that
   * protects it. A file that was written otherwise is refused, not converted: remove it, and the app enrols a new key.
   */
  readonly wrap?: KeyWrap;
}

/** Where a store keeps its file, and how. */
interface Place {
  readonly path: string;
  readonly wrap: KeyWrap | undefined;
}

/**
 * Keeps the instance key and the state in one file that only its owner may read (mode 0600). The key is written once,
 * atomically: of several processes that start together, one makes it and the others take it. They change and remove it one
 * after the other, by a lock file beside it: none takes back what another has learned, and a key that one has cleared stays
 * cleared. Needs a file system with hard links. In memory the key is not extractable.
 * @throws DefenderError `key_store` from its methods, for one when group or others may access the file, when it belongs to
 * another user, or when it is not protected by `wrap`
 */
export function fileKeyStore(path: string, options: FileKeyStoreOptions = {}): KeyStore<WebCryptoSigningKey> {
  const place: Place = { path, wrap: options.wrap };
  const inTurn = queue();
  let ours: string | undefined;
  let known: DefenderState | undefined;
  const loadKey = async () => {
    const file = (await readKeyFile(path, place.wrap)) ?? (await createKeyFile(place, options.algorithm));
    const key = await toSigningKey(path, file);
    ours = await thumbprint(key.publicKey);
    return key;
  };
  const loadState = async () => (known = (await readKeyFile(path, place.wrap))?.state);
  const saveState = async (state: DefenderState) => {
    await replaceState(place, ours, (stored) => mergeState(known, state, stored));
    known = state;
  };
  const clear = async () => {
    await removeKeyFile(place, ours);
    ours = known = undefined;
  };
  return {
    loadKey: () => inTurn(loadKey),
    loadState: () => inTurn(loadState),
    saveState: (state) => {
      // As it is now, not as it is when its turn comes.
      const copy = structuredClone(state);
      return inTurn(() => saveState(copy));
    },
    clear: () => inTurn(clear),
  };
}

/** Runs one piece of work after the other, whatever becomes of each. */
function queue(): <Result>(work: () => Promise<Result>) => Promise<Result> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const next = last.then(work, work);
    last = next.catch(() => undefined);
    return next;
  };
}

async function replaceState(
  { path, wrap }: Place,
  ours: string | undefined,
  merge: (stored: DefenderState | undefined) => DefenderState,
): Promise<void> {
  // Without a folder there is nothing to lock, and no key to write beside.
  await ensureOwn(path, await readKeyFile(path, wrap), ours);
  await withLock(path, async (ensureHeld) => {
    const file = await ensureOwn(path, await readKeyFile(path, wrap), ours);
    const text = await keyFileText(path, { ...file, state: merge(file.state) }, wrap);
    await writeTemporary(path, text, async (temporary) => {
      await ensureHeld();
      await rename(temporary, path);
    });
  });
}

/** Removes the key of this store; one that never loaded a key, such as at the next start, removes the one that is there. */
async function removeKeyFile({ path, wrap }: Place, ours: string | undefined): Promise<void> {
  // Already cleared by another process: that is what was asked for.
  if (!(await exists(path))) return;
  await withLock(path, async (ensureHeld) => {
    const file = await readKeyFile(path, wrap);
    if (!file) return;
    if (ours !== undefined) await ensureOwn(path, file, ours);
    await ensureHeld();
    await rm(path, { force: true });
  });
}

/** The file, if it still holds the key that this store works with. */
async function ensureOwn(path: string, file: KeyFile | undefined, ours: string | undefined): Promise<KeyFile> {
  // Writing over another key would bring a retired one back, or lose a living one.
  if (file && ours === (await thumbprint(publicMembers(file.privateKey as PublicJwk)))) return file;
  throw new DefenderError('key_store', `${path} no longer holds the key of this process`);
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  );
}

async function createKeyFile(place: Place, algorithm: TabAlgorithm | undefined): Promise<KeyFile> {
  const { path, wrap } = place;
  const key = await generateKey(algorithm, true);
  const file: KeyFile = { version: 1, algorithm: key.algorithm, privateKey: await exportJWK(key.privateKey) };
  const text = await keyFileText(path, file, wrap);
  const winner = (await publishNew(path, text)) ? file : await readKeyFile(path, wrap);
  if (!winner) throw new DefenderError('key_store', `${path} was removed while it was being created`);
  return winner;
}

/** Whether `text` is now at `path`; false when another process was first. */
async function publishNew(path: string, text: string): Promise<boolean> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    // A hard link fails when the name is taken, where a rename would replace another process's key.
    await writeTemporary(path, text, (temporary) => link(temporary, path));
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new DefenderError('key_store', `${path} cannot be created`, { cause });
  }
}

/** Writes `text` beside `path`, complete and on disk, then has it published; leaves nothing behind. */
async function writeTemporary(
  path: string,
  text: string,
  publish: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await publish(temporary);
  } finally {
    await rm(temporary, { force: true });
  }
}

async function toSigningKey(path: string, { algorithm, privateKey }: KeyFile): Promise<WebCryptoSigningKey> {
  // The cause is left out: what an import complains about is the key itself.
  const imported = await importJWK(privateKey, algorithm, { extractable: false }).catch(() => undefined);
  if (!(imported instanceof CryptoKey) || imported.type !== 'private') {
    throw new DefenderError('key_store', `${path} holds no usable ${algorithm} key`);
  }
  return { algorithm, privateKey: imported, publicKey: publicMembers(privateKey as PublicJwk) };
}
