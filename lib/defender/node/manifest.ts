import { createHash } from 'node:crypto';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { extname, join } from 'node:path';

/** The files of an app as they were built. Plain JSON; as trustworthy as the place where it is kept. */
export interface Manifest {
  readonly version: 1;
  /** Endings of the files that are code. */
  readonly extensions: readonly string[];
  /** Names of files and folders that are left out, at any depth. */
  readonly exclude: readonly string[];
  /** `b64u(SHA-256)` of each file, by its path from the root, with `/`. */
  readonly files: Readonly<Record<string, string>>;
}

/** What a manifest covers. */
export interface ManifestOptions {
  /** Default `.js .mjs .cjs .json .node .wasm`. */
  readonly extensions?: readonly string[];
  /** Default `node_modules` and `.git`. */
  readonly exclude?: readonly string[];
  /** Stops the reading. */
  readonly signal?: AbortSignal;
}

const EXTENSIONS = ['.js', '.mjs', '.cjs', '.json', '.node', '.wasm'];
const EXCLUDE = ['node_modules', '.git'];

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
  return version === 1 && Array.isArray(extensions) && Array.isArray(exclude) && listed;
}

type Scope = Required<Pick<Manifest, 'extensions' | 'exclude'>> & { signal?: AbortSignal };

async function* digests(root: string, folder: string, scope: Scope): AsyncGenerator<[string, string]> {
  for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
    scope.signal?.throwIfAborted();
    if (scope.exclude.includes(entry.name)) continue;
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    const code = scope.extensions.includes(extname(entry.name));
    if (entry.isDirectory()) yield* digests(root, path, scope);
    else if (entry.isSymbolicLink()) yield [path, sha256(`link:${await readlink(join(root, path))}`)];
    else if (code) yield [path, sha256(await readFile(join(root, path)))];
  }
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('base64url');
}
