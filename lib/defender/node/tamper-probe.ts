import { readFile } from 'node:fs/promises';
import type { Probe, ProbeResult } from '../probe.js';
import { createManifest, isManifest, type Manifest } from './manifest.js';

/** Options of the tamper probe. */
export interface TamperProbeOptions {
  /** The folder of the app's own files. */
  readonly root: string;
  /** The manifest made at build time, or the path of its JSON file. */
  readonly manifest?: Manifest | string;
}

/**
 * `tamper`: a code file under `root` that is missing, changed, or not in the manifest. Without a manifest, or where a file
 * cannot be read, it is `unknown`.
 */
export function tamperProbe(options: TamperProbeOptions): Probe {
  return { name: 'tamper', run: (signal) => look(options, signal) };
}

async function look(
  { root, manifest: source }: TamperProbeOptions,
  signal: AbortSignal | undefined,
): Promise<ProbeResult> {
  const manifest: unknown = typeof source === 'string' ? JSON.parse(await readFile(source, 'utf8')) : source;
  if (!isManifest(manifest)) return 'unknown';
  const { extensions, exclude } = manifest;
  const actual = (await createManifest(root, { extensions, exclude, signal })).files;
  const expected = Object.entries(manifest.files);
  const same =
    expected.length === Object.keys(actual).length && expected.every(([path, hash]) => actual[path] === hash);
  return same ? 'clear' : 'found';
}
