import type { Probe, ProbeResult } from '../probe.js';
import { pageResources } from './page-resources.js';

/** The code of a web app as it was built. Plain JSON; as trustworthy as the place where it is kept. */
export interface WebManifest {
  readonly version: 1;
  /** `sha256-` and the base64 hash of each script and style sheet, by its path on the app's origin, or by its URL elsewhere. */
  readonly files: Readonly<Record<string, string>>;
  /** The same hashes of scripts that stand in the page itself; default none. */
  readonly inline?: readonly string[];
}

/** Options of the tamper probe. */
export interface TamperProbeOptions {
  /** The manifest made at build time, or the URL that has it. */
  readonly manifest: WebManifest | string | URL;
}

type Verdict = 'clear' | 'found' | 'unknown';

// Taken when this module loads, before a later script can stand between.
const fetchNow: typeof fetch | undefined = globalThis.fetch;

/**
 * `tamper`: a script or style sheet of the page that is not in the manifest, or differs from it; a script in the page itself
 * whose hash is not listed. Each is fetched and hashed once, from the browser's cache where it has it; what has been found
 * stays found for the life of the page. Code that has left the page is known from the browser's list of what was loaded (250
 * entries unless the page changes that, and any script can clear it). Without a readable manifest, or while a listed file cannot be fetched, it is `unknown`.
 * It does not see scripts without `src` in shadow roots, event handler attributes, `eval`, styles in the page itself, scripts in the page that came and went between
 * two looks, or a server that sends something else to a script element than to `fetch`.
 */
export function tamperProbe(options: TamperProbeOptions): Probe {
  const known = new Map<string, Verdict>();
  let manifest: WebManifest | undefined;
  return {
    name: 'tamper',
    async run(signal) {
      if (typeof document === 'undefined') return 'unknown';
      manifest ??= await loadManifest(options.manifest, signal);
      return manifest ? look(manifest, known, signal) : 'unknown';
    },
  };
}

async function look(
  manifest: WebManifest,
  known: Map<string, Verdict>,
  signal: AbortSignal | undefined,
): Promise<ProbeResult> {
  const { urls, inline } = pageResources();
  // One after the other: measuring must not get in the way of the page. Kept, so that a run that is cut short is not lost.
  for (const text of inline) {
    signal?.throwIfAborted();
    const hash = await sha256(new TextEncoder().encode(text));
    // By its hash: texts of any size would be kept for the life of the page.
    known.set(`inline:${hash}`, manifest.inline?.includes(hash) ? 'clear' : 'found');
  }
  for (const url of urls) {
    signal?.throwIfAborted();
    if ((known.get(url) ?? 'unknown') === 'unknown') known.set(url, await fileVerdict(url, manifest, signal));
  }
  const verdicts = new Set(known.values());
  if (verdicts.has('found')) return 'found';
  return verdicts.has('unknown') ? 'unknown' : 'clear';
}

async function fileVerdict(url: string, manifest: WebManifest, signal: AbortSignal | undefined): Promise<Verdict> {
  const expected = expectedHash(url, manifest);
  if (expected === undefined) return 'found';
  const content = await load(url, { cache: 'force-cache', signal });
  if (!content) return 'unknown';
  return (await sha256(content)) === expected ? 'clear' : 'found';
}

function expectedHash(url: string, { files }: WebManifest): string | undefined {
  const { origin, pathname } = new URL(url);
  const name = origin === location.origin ? pathname : url;
  return Object.hasOwn(files, name) ? files[name] : undefined;
}

async function loadManifest(
  source: TamperProbeOptions['manifest'],
  signal: AbortSignal | undefined,
): Promise<WebManifest | undefined> {
  const byUrl = typeof source === 'string' || source instanceof URL;
  const content = byUrl ? await load(source, { cache: 'no-cache', signal }) : undefined;
  const value: unknown = byUrl ? content && JSON.parse(new TextDecoder().decode(content)) : source;
  return isManifest(value) ? value : undefined;
}

/** The content, or undefined when it cannot be had; credentials go to the page's own origin only. */
async function load(url: string | URL, init: RequestInit): Promise<ArrayBuffer | undefined> {
  const response = await fetchNow?.call(globalThis, url, { ...init, redirect: 'error' }).catch(() => undefined);
  return response?.ok ? response.arrayBuffer() : undefined;
}

function isManifest(value: unknown): value is WebManifest {
  if (typeof value !== 'object' || value === null) return false;
  const { version, files, inline = [] } = value as Partial<WebManifest>;
  const listed = typeof files === 'object' && files !== null && !Array.isArray(files);
  return version === 1 && listed && Array.isArray(inline);
}

async function sha256(content: BufferSource): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', content));
  return `sha256-${btoa(String.fromCharCode(...digest))}`;
}
