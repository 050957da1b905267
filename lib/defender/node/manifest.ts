import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, open, readdir, readlink, type FileHandle } from 'node:fs/promises';
import { extname, join } from 'node:path';

/** The files of an app as they were built. Plain JSON; as trustworthy as the place where it is kept, unless it is signed. */
export interface Manifest {
  readonly version: 1;
  /** Paths from the root, with a leading `/`, that are left out; without it names, at any depth. */
  readonly exclude: readonly string[];
  /**
   * By its path from the root, with `/`: `b64u(SHA-256)` of a file, `link:` and that of the target of a symbolic link, and
   * `other` for what is neither, such as a pipe.
   */
  readonly files: Readonly<Record<string, string>>;
}

/** What a manifest covers. */
export interface ManifestOptions {
  /**
   * Only files with these endings, such as `.js`; default all. Weaker: a file `app.module` is what `require('./app.module')`
   * takes before `app.module.js`, so that one without a listed ending is code too. The tamper probe has to be told the same.
   */
  readonly extensions?: readonly string[];
  /**
   * Default those of `/node_modules` and `/.git` that are there; `['/.git']` takes the dependencies in. What is added below
   * something that is left out is not seen; a name without `/` leaves it out wherever it comes up.
   */
  readonly exclude?: readonly string[];
  /** Stops the reading. */
  readonly signal?: AbortSignal;
}

/** What lies beside an app's own files: dependencies and history. */
export const BESIDE: readonly string[] = ['/node_modules', '/.git'];

/** Octets read and hashed before the loop gets a turn: about half a millisecond. */
const AT_ONCE = 1 << 20;
const LEAST = 1 << 12;
/** What is neither file nor folder nor link: nothing can be read from it that stays. */
const OTHER = 'other';
// A pipe that takes the place of a file after it was listed does not hold up its reader, and a link is not followed.
const READ = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;

/**
 * Describes every file under `root`, at build time. Keep the result outside of `root`, or leave its path out with `exclude`. Of
 * a symbolic link its target, not what lies there, is what is remembered.
 */
export async function createManifest(root: string, options: ManifestOptions = {}): Promise<Manifest> {
  const { extensions, exclude = await present(root, BESIDE), signal } = options;
  const files: Record<string, string> = Object.create(null);
  for await (const [path, digest] of digests(root, '', { extensions, exclude, signal })) files[path] = digest;
  return { version: 1, exclude: [...exclude], files };
}

/** Those of `paths` that are under `root` now: one that comes later was not built, and is not to be left out. */
export async function present(root: string, paths: readonly string[]): Promise<string[]> {
  const there = await Promise.all(paths.map((path) => lstat(join(root, path)).catch(() => undefined)));
  return paths.filter((_, index) => there[index]?.isDirectory() === true);
}

/** Whether `value` is a manifest, as read from JSON. */
export function isManifest(value: unknown): value is Manifest {
  if (typeof value !== 'object' || value === null) return false;
  const { version, exclude, files } = value as Partial<Manifest>;
  const listed = typeof files === 'object' && files !== null && !Array.isArray(files);
  return version === 1 && isStrings(exclude) && listed && isStrings(Object.values(files));
}

type Scope = Pick<Manifest, 'exclude'> & Pick<ManifestOptions, 'extensions' | 'signal'>;

async function* digests(root: string, folder: string, scope: Scope): AsyncGenerator<[string, string]> {
  for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
    scope.signal?.throwIfAborted();
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (scope.exclude.includes(entry.name) || scope.exclude.includes(`/${path}`)) continue;
    if (entry.isDirectory()) yield* digests(root, path, scope);
    else if (entry.isSymbolicLink()) yield [path, `link:${sha256(await readlink(join(root, path)))}`];
    // Only files are opened: a pipe or a device would keep its reader waiting.
    else if (!entry.isFile()) yield [path, OTHER];
    else if (scope.extensions?.includes(extname(entry.name)) !== false)
      yield [path, await fileDigest(join(root, path))];
  }
}

async function fileDigest(path: string): Promise<string> {
  const file = await open(path, READ);
  try {
    const facts = await file.stat();
    return facts.isFile() ? await contentDigest(file, facts.size) : OTHER;
  } finally {
    await file.close();
  }
}

async function contentDigest(file: FileHandle, size: number): Promise<string> {
  const hash = createHash('sha256');
  // One octet more than there should be, so that a second read finds the end.
  const piece = Buffer.allocUnsafe(Math.max(LEAST, Math.min(size + 1, AT_ONCE)));
  for (;;) {
    const { bytesRead } = await file.read(piece, 0, piece.length, null);
    if (bytesRead === 0) return hash.digest('base64url');
    hash.update(piece.subarray(0, bytesRead));
  }
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('base64url');
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string');
}
