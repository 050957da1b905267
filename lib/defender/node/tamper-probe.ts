import { readFile } from 'node:fs/promises';
import type { Probe, ProbeResult } from '../probe.js';
import { createManifest, isManifest, type Manifest } from './manifest.js';
import { ManifestError, readPublicKey, verifyManifest, type ManifestKey } from './signed-manifest.js';

/** Options of the tamper probe. */
export interface TamperProbeOptions {
  /** The folder of the app's own files. */
  readonly root: string;
  /** The manifest made at build time, or the path of its file: JSON, or with a `key` the signed form. */
  readonly manifest?: Manifest | string;
  /** The public key that signs manifests, PEM or JWK. With it, a manifest that is not signed by it is `found`. */
  readonly key?: ManifestKey;
  /** Only files with these endings, as the manifest was made; default all. The manifest itself does not decide that. */
  readonly extensions?: readonly string[];
}

/**
 * `tamper`: a file under `root` that is missing, changed, or not in the manifest, or a manifest that is not signed as it
 * should be. Without a manifest, or where a file cannot be read, it is `unknown`. Every run hashes every file: times and
 * sizes of files can be put back, so they are no reason to skip one.
 * @throws ManifestError `key_unusable`
 */
export function tamperProbe(options: TamperProbeOptions): Probe {
  // Said at once: with a bad key every manifest would look forged.
  if (options.key !== undefined) readPublicKey(options.key);
  return { name: 'tamper', run: (signal) => look(options, signal) };
}

async function look(options: TamperProbeOptions, signal: AbortSignal | undefined): Promise<ProbeResult> {
  const { root, manifest: source, key, extensions } = options;
  if (source === undefined) return 'unknown';
  const manifest = key === undefined ? await read(source) : await readSigned(source, key);
  if (manifest === 'forged') return 'found';
  if (!isManifest(manifest)) return 'unknown';
  const actual = (await createManifest(root, { extensions, exclude: manifest.exclude, signal })).files;
  const expected = Object.entries(manifest.files);
  const same =
    expected.length === Object.keys(actual).length && expected.every(([path, hash]) => actual[path] === hash);
  return same ? 'clear' : 'found';
}

async function read(source: Manifest | string): Promise<unknown> {
  return typeof source === 'string' ? JSON.parse(await readFile(source, 'utf8')) : source;
}

/** A manifest that nobody vouches for was put in the place of one that the key had signed. */
async function readSigned(source: Manifest | string, key: ManifestKey): Promise<Manifest | 'forged'> {
  if (typeof source !== 'string') return 'forged';
  const text = await readFile(source, 'utf8');
  return verifyManifest(text, key).catch((error: unknown) => {
    if (error instanceof ManifestError && error.code === 'manifest_rejected') return 'forged';
    throw error;
  });
}
