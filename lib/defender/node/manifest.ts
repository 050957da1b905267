import { createHash } from 'node:crypto';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';

/** The files of an app as they were built. Plain JSON; as trustworthy as the place where it is kept, unless it is signed. */
export interface Manifest {
  readonly version: 1;
  /** Endings of the files that are code. */
  readonly extensions: readonly string[];
  /** Names of files and folders that are left out, at any depth; with a leading `/`, the path of one from the root. */
  readonly exclude: readonly string[];
  /** `b64u(SHA-256)` of each file, by its path from the root, with `/`. */
  readonly files: Readonly<Record<string, string>>;
}

/** What a manifest covers. */
export interface ManifestOptions {
  /** Default `.js .mjs .cjs .json .node .wasm`. */
  readonly extensions?: readonly string[];
  /** Default `node_modules` and `.git`; `['.git']` takes the dependencies in. */
  readonly exclude?: readonly string[];
  /** Stops the reading. */
  readonly signal?: AbortSignal;
}

const EXTENSIONS = ['.js', '.mjs', '.cjs', '.json', '.node', '.wasm'];
const EXCLUDE = ['node_modules', '.git'];
/** Octets hashed before the loop gets a turn: about half a millisecond. */
const AT_ONCE = 1 << 20;

/**
 * Describes the code files under `root`, at build time. Keep the result outside of `root`, or leave its name out with
 * `exclude`. A symbolic link counts as a code file; its target, not what lies there, is what is remembered.
 */
export async function createManifest(root: string, options: ManifestOptions = {}): Promise<Manifest> {
  const { extensions = EXTENSIONS, exclude = EXCLUDE, signal } = options;
  const files: Record<string, string> = Object.create(null);
  for await (const [path, digest] of digests(root, '', { extensions, exclude, signal })) files[path] = digest;
  return { version: 1, extensions: [...extensions], exclude: [...exclude], files };
}

/** Whether `value` is a manifest, as read from JSON. */
export function isManifest(value: unknown): value is Manifest {
  if (typeof value !== 'object' || value === null) return false;
  const { version, extensions, exclude, files } = value as Partial<Manifest>;
  const listed = typeof files === 'object' && files !== null && !Array.isArray(files);
  return version === 1 && isStrings(extensions) && isStrings(exclude) && listed && isStrings(Object.values(files));
}

type Scope = Required<Pick<Manifest, 'extensions' | 'exclude'>> & { signal?: AbortSignal };

async function* digests(root: string, folder: string, scope: Scope): AsyncGenerator<[string, string]> {
  for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
    scope.signal?.throwIfAborted();
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (scope.exclude.includes(entry.name) || scope.exclude.includes(`/${path}`)) continue;
    const code = scope.extensions.includes(extname(entry.name));
    if (entry.isDirectory()) yield* digests(root, path, scope);
    else if (entry.isSymbolicLink()) yield [path, sha256(`link:${await readlink(join(root, path))}`)];
    else if (code) yield [path, await fileDigest(join(root, path))];
  }
}

async function fileDigest(path: string): Promise<string> {
  const content = await readFile(path);
  if (content.length <= AT_ONCE) return sha256(content);
  const hash = createHash('sha256');
  for (let at = 0; at < content.length; at += AT_ONCE) {
    hash.update(content.subarray(at, at + AT_ONCE));
    await setImmediate();
  }
  return hash.digest('base64url');
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('base64url');
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string');
}
