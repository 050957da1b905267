import { randomUUID } from 'node:crypto';
import { link, mkdir, open, rename, rm, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { exportJWK, importJWK } from 'jose';
import type { PublicJwk, TabAlgorithm } from '../../token/claims.types.js';
import { publicMembers, thumbprint, type WebCryptoSigningKey } from '../../token/mint.js';
import { DefenderError } from '../defender-error.js';
import { generateKey, type KeyStore } from '../key-store.js';
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
 * atomically: of several processes that start together, one makes it and the others take it. Needs a file system with hard
 * links. In memory the key is not extractable.
 * @throws DefenderError `key_store` from its methods, for one when group or others may access the file, when it belongs to
 * another user, or when it is not protected by `wrap`
 */
export function fileKeyStore(path: string, options: FileKeyStoreOptions = {}): KeyStore<WebCryptoSigningKey> {
  const place: Place = { path, wrap: options.wrap };
  let ours: string | undefined;
  return {
    async loadKey() {
      const file = (await readKeyFile(path, place.wrap)) ?? (await createKeyFile(place, options.algorithm));
      const key = await toSigningKey(path, file);
      ours = await thumbprint(key.publicKey);
      return key;
    },
    async loadState() {
      return (await readKeyFile(path, place.wrap))?.state;
    },
    async saveState(state) {
      const file = await readOwn(place, ours);
      const text = await keyFileText(path, { ...file, state }, place.wrap);
      await writeTemporary(path, text, (temporary) => rename(temporary, path));
    },
    async clear() {
      await readOwn(place, ours);
      await unlink(path);
      ours = undefined;
    },
  };
}

/** The file, if it still holds the key that this store works with. */
async function readOwn({ path, wrap }: Place, ours: string | undefined): Promise<KeyFile> {
  const file = await readKeyFile(path, wrap);
  // Writing over another key would bring a retired one back, or lose a living one.
  if (file && ours === (await thumbprint(publicMembers(file.privateKey as PublicJwk)))) return file;
  throw new DefenderError('key_store', `${path} no longer holds the key of this process`);
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
