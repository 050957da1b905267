import { LRUCache } from 'lru-cache';
import semver, { type SemVer } from 'semver';

const MAX_LENGTH = 128;
/** Versions kept parsed: an app has a few that run, and a policy one. */
const MAX_PARSED = 1000;

const parsed = new LRUCache<string, SemVer | 'none'>({ max: MAX_PARSED });

/** The version that a text is as SemVer 2.0.0 writes it: no `v`, no spaces, no missing part; undefined when it is none. */
function parse(text: string): SemVer | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  let version = parsed.get(text);
  if (version === undefined) {
    version = parseStrictly(text) ?? 'none';
    parsed.set(text, version);
  }
  return version === 'none' ? undefined : version;
}

function parseStrictly(text: string): SemVer | undefined {
  const version = semver.parse(text);
  if (version === null) return undefined;
  // The library forgives a prefix and drops build metadata from `version`; written out again it must be the same text.
  const build = version.build.length > 0 ? `+${version.build.join('.')}` : '';
  return version.version + build === text ? version : undefined;
}

/** Whether a text is a version as SemVer 2.0.0 writes it. */
export function isSemVer(text: string): boolean {
  return parse(text) !== undefined;
}

/**
 * Whether `actual` is at least `minimum` in SemVer 2.0.0 precedence.
 *
 * @throws TypeError when one of them is no version
 */
export function isAtLeastVersion(actual: string, minimum: string): boolean {
  const [one, other] = [parse(actual), parse(minimum)];
  if (one === undefined || other === undefined) throw new TypeError('not a SemVer 2.0.0 version');
  return one.compare(other) >= 0;
}
