import { open } from 'node:fs/promises';
import type { JWK } from 'jose';
import type { TabAlgorithm } from '../../token/claims.types.js';
import { DefenderError } from '../defender-error.js';
import type { DefenderState } from '../key-store.js';
import type { KeyWrap } from './key-wrap.js';

/** The file: the private key, and the state beside it. */
export interface KeyFile {
  readonly version: 1;
  readonly algorithm: TabAlgorithm;
  readonly privateKey: JWK;
  readonly state?: DefenderState;
}

/** The file of a store with a `wrap`: all of the above, encrypted. */
interface WrappedFile {
  readonly version: 1;
  /** Name of the protection. */
  readonly wrap: string;
  /** base64. */
  readonly data: string;
}

const ALGORITHMS: readonly string[] = ['ES256', 'ES384', 'EdDSA', 'PS256', 'RS256'] satisfies TabAlgorithm[];

/** The file at `path`, or undefined when there is none. @throws DefenderError `key_store` */
export async function readKeyFile(path: string, wrap: KeyWrap | undefined): Promise<KeyFile | undefined> {
  const text = await readOwnText(path);
  return text === undefined ? undefined : openText(path, text, wrap);
}

/** What is written down. @throws DefenderError `key_store` when the protection is not available */
export async function keyFileText(path: string, file: KeyFile, wrap: KeyWrap | undefined): Promise<string> {
  const text = JSON.stringify(file);
  if (!wrap) return text;
  await ensureAvailable(path, wrap);
  // Causes are left out here and below: what a protection complains about may be the key.
  const bytes = await attempt(() => wrap.encrypt(text));
  if (!bytes) throw new DefenderError('key_store', `${path} could not be protected by ${wrap.name}`);
  const wrapped: WrappedFile = { version: 1, wrap: wrap.name, data: Buffer.from(bytes).toString('base64') };
  return JSON.stringify(wrapped);
}

async function readOwnText(path: string): Promise<string | undefined> {
  const handle = await open(path, 'r').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw new DefenderError('key_store', `${path} cannot be opened`, { cause });
  });
  if (!handle) return undefined;
  try {
    // Checked on the open file, so that what is checked is what is read.
    ensureOurs(path, await handle.stat());
    return await handle.readFile('utf8').catch((cause: unknown) => {
      throw new DefenderError('key_store', `${path} cannot be read`, { cause });
    });
  } finally {
    await handle.close();
  }
}

/** Windows has neither such a mode nor such an owner. */
function ensureOurs(path: string, { mode, uid }: { mode: number; uid: number }): void {
  if (process.platform === 'win32') return;
  if ((mode & 0o077) !== 0) {
    const octal = (mode & 0o777).toString(8).padStart(4, '0');
    throw new DefenderError(
      'key_store',
      `${path} has mode ${octal}: its key may have been read or changed; use chmod 600`,
    );
  }
  // Its owner may read and change it at any time, whatever its mode.
  if (uid !== process.geteuid?.()) {
    throw new DefenderError('key_store', `${path} belongs to another user: its key is not ours alone`);
  }
}

async function openText(path: string, text: string, wrap: KeyWrap | undefined): Promise<KeyFile> {
  const file = parse(text);
  const name = isWrapped(file) ? file.wrap : undefined;
  // A plain file in the place of a wrapped one is somebody else's key, and the other way round nobody's here.
  if (name !== wrap?.name) {
    throw new DefenderError(
      'key_store',
      `${path} is ${told(name)}, but the store expects one that is ${told(wrap?.name)}`,
    );
  }
  const plain = wrap && isWrapped(file) ? await unwrap(path, file, wrap) : file;
  if (isKeyFile(plain)) return plain;
  throw new DefenderError('key_store', `${path} is not a key file of version 1`);
}

async function unwrap(path: string, file: WrappedFile, wrap: KeyWrap): Promise<unknown> {
  await ensureAvailable(path, wrap);
  const text = await attempt(() => wrap.decrypt(Buffer.from(file.data, 'base64')));
  if (text === undefined) {
    throw new DefenderError(
      'key_store',
      `${path} cannot be opened by ${wrap.name}: it was protected elsewhere, or changed`,
    );
  }
  return parse(text);
}

async function ensureAvailable(path: string, wrap: KeyWrap): Promise<void> {
  if ((await attempt(() => wrap.isAvailable())) === true) return;
  throw new DefenderError('key_store', `${path} needs ${wrap.name}, which is not available or protects nothing here`);
}

async function attempt<Result>(work: () => Result | Promise<Result>): Promise<Result | undefined> {
  try {
    return await work();
  } catch {
    return undefined;
  }
}

function isKeyFile(value: unknown): value is KeyFile {
  const file = value as Partial<KeyFile> | null | undefined;
  const usable = file?.version === 1 && ALGORITHMS.includes(String(file.algorithm));
  return usable && typeof file.privateKey === 'object' && file.privateKey !== null;
}

function isWrapped(value: unknown): value is WrappedFile {
  const file = value as Partial<WrappedFile> | null | undefined;
  return file?.version === 1 && typeof file.wrap === 'string' && typeof file.data === 'string';
}

function told(name: string | undefined): string {
  return name === undefined ? 'not protected' : `protected by ${name}`;
}

/** Undefined instead of the parser's error, whose message quotes the text, which is a private key. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
