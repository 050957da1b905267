import type { Probe, ProbeResult } from '../probe.js';
import { cleanRealm } from './clean-realm.js';
import { isUntouched } from './native-check.js';
import { isObject, locate, WATCHED, type WatchedPath } from './natives.js';

/** Options of the hooking probe. */
export interface HookingProbeOptions {
  /** Parts of the platform that the app itself wraps, for one `fetch` by a monitoring agent: not looked at. Default none. */
  readonly allow?: readonly WatchedPath[];
}

/** Objects whose methods are looked up on them first: one of their own would hide the platform's. */
const INSTANCES: readonly (() => unknown)[] = [
  () => globalThis.crypto,
  () => globalThis.crypto.subtle,
  () => globalThis.navigator.credentials,
  () => globalThis.indexedDB,
];

/**
 * `hooking`: parts of the platform that requests, keys and credentials pass through (`fetch`, `XMLHttpRequest`, WebCrypto,
 * IndexedDB, `JSON`, `Function.prototype`…) are replaced, wrapped, or covered by a Proxy. They are compared with those of a
 * frame in which no script has run; where there can be none it is `unknown`. It does not see code that read the same data
 * elsewhere, that put its hook away for the moment, or that was first and prepared for this comparison.
 * @throws TypeError when `allow` names something that is not watched
 */
export function hookingProbe(options: HookingProbeOptions = {}): Probe {
  const { allow = [] } = options;
  const unwatched = allow.find((path) => !WATCHED.includes(path));
  if (unwatched !== undefined)
    throw new TypeError(`hookingProbe allow: '${unwatched}' is none of ${WATCHED.join(', ')}`);
  const paths = WATCHED.filter((path) => !allow.includes(path));
  return { name: 'hooking', run: () => look(paths) };
}

function look(paths: readonly WatchedPath[]): ProbeResult {
  const realm = cleanRealm();
  if (!realm) return 'unknown';
  // Ensures that the frame is another realm, not this page once more.
  if (realm.Object === Object) return 'found';
  if (INSTANCES.some((instance) => isCovered(instance()))) return 'found';
  const touched = paths.some((path) => {
    const clean = realm.natives.get(path);
    return clean !== undefined && !isUntouched(locate(globalThis, path), clean, realm);
  });
  return touched ? 'found' : 'clear';
}

function isCovered(instance: unknown): boolean {
  return isObject(instance) && Reflect.ownKeys(instance).length > 0;
}
