import { randomUUID } from 'node:crypto';
import { link, mkdir, open, rename, rm, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { exportJWK, importJWK, type JWK } from 'jose';
import type { PublicJwk, TabAlgorithm } from '../../token/claims.types.js';
import { publicMembers, thumbprint, type WebCryptoSigningKey } from '../../token/mint.js';
import { DefenderError } from '../defender-error.js';
import { generateKey, type DefenderState, type KeyStore } from '../key-store.js';

/** Options of the file key store. */
export interface FileKeyStoreOptions {
  /** Algorithm of a key that is made; an existing key keeps its own. Default ES256. */
  readonly algorithm?: TabAlgorithm;
}

/** The file: the private key, and the state beside it. */
interface KeyFile {
  readonly version: 1;
  readonly algorithm: TabAlgorithm;
  readonly privateKey: JWK;
  readonly state?: DefenderState;
}

const ALGORITHMS: readonly string[] = ['ES256', 'ES384', 'EdDSA', 'PS256', 'RS256'] satisfies TabAlgorithm[];

/**
 * Keeps the instance key and the state in one file that only its owner may read (mode 0600). The key is written once,
 * atomically: of several processes that start together, one makes it and the others take it. Needs a file system with hard
 * links. In memory the key is not extractable.
 * @throws DefenderError `key_store` from its methods, for one when group or others may access the file
 */
export function fileKeyStore(path: string, options: FileKeyStoreOptions = {}): KeyStore<WebCryptoSigningKey> {
  let ours: string | undefined;
  return {
    async loadKey() {
      const file = (await readKeyFile(path)) ?? (await createKeyFile(path, options.algorithm));
      const key = await toSigningKey(path, file);
      ours = await thumbprint(key.publicKey);
      return key;
    },
    async loadState() {
      return (await readKeyFile(path))?.state;
    },
    async saveState(state) {
      const file = await readOwn(path, ours);
      await writeTemporary(path, { ...file, state }, (temporary) => rename(temporary, path));
    },
    async clear() {
      await readOwn(path, ours);
      await unlink(path);
      ours = undefined;
    },
  };
}

/** The file, if it still holds the key that this store works with. */
async function readOwn(path: string, ours: string | undefined): Promise<KeyFile> {
  const file = await readKeyFile(path);
  // Writing over another key would bring a retired one back, or lose a living one.
  if (file && ours === (await thumbprint(publicMembers(file.privateKey as PublicJwk)))) return file;
  throw new DefenderError('key_store', `${path} no longer holds the key of this process`);
}

async function readKeyFile(path: string): Promise<KeyFile | undefined> {
  const handle = await open(path, 'r').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw new DefenderError('key_store', `${path} cannot be opened`, { cause });
  });
  if (!handle) return undefined;
  try {
    // Checked on the open file, so that what is checked is what is read. Windows has no such mode.
    const { mode } = await handle.stat();
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      const octal = (mode & 0o777).toString(8).padStart(4, '0');
      throw new DefenderError(
        'key_store',
        `${path} has mode ${octal}: its key may have been read or changed; use chmod 600`,
      );
    }
    const text = await handle.readFile('utf8').catch((cause: unknown) => {
      throw new DefenderError('key_store', `${path} cannot be read`, { cause });
    });
    return parseKeyFile(path, text);
  } finally {
    await handle.close();
  }
}

function parseKeyFile(path: string, text: string): KeyFile {
  try {
    const file = JSON.parse(text) as Partial<KeyFile> | null;
    const usable = file?.version === 1 && ALGORITHMS.includes(String(file.algorithm));
    if (usable && typeof file.privateKey === 'object' && file.privateKey !== null) return file as KeyFile;
  } catch {
    // The parser's own message quotes the text, which is a private key.
  }
  throw new DefenderError('key_store', `${path} is not a key file of version 1`);
}

async function createKeyFile(path: string, algorithm: TabAlgorithm | undefined): Promise<KeyFile> {
  const key = await generateKey(algorithm, true);
  const file: KeyFile = { version: 1, algorithm: key.algorithm, privateKey: await exportJWK(key.privateKey) };
  const winner = (await publishNew(path, file)) ? file : await readKeyFile(path);
  if (!winner) throw new DefenderError('key_store', `${path} was removed while it was being created`);
  return winner;
}

/** Whether `file` is now at `path`; false when another process was first. */
async function publishNew(path: string, file: KeyFile): Promise<boolean> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    // A hard link fails when the name is taken, where a rename would replace another process's key.
    await writeTemporary(path, file, (temporary) => link(temporary, path));
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new DefenderError('key_store', `${path} cannot be created`, { cause });
  }
}

/** Writes `file` beside `path`, complete and on disk, then has it published; leaves nothing behind. */
async function writeTemporary(
  path: string,
  file: KeyFile,
  publish: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(JSON.stringify(file));
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
