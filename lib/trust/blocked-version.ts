import { LRUCache } from 'lru-cache';
import semver, { type Range } from 'semver';

/** Ranges kept parsed: far more than an installation blocks. */
const MAX_PARSED = 1000;
/** Longest range that is parsed at all; stores keep none that is longer. */
const MAX_RANGE = 255;

const parsed = new LRUCache<string, Range | 'unparsable'>({ max: MAX_PARSED });

/**
 * Whether a version lies in one of the blocked ranges. A pre-release is in a range by its SemVer 2.0.0 precedence alone:
 * `3.2.0-beta.1` is in `<3.2.0`. What cannot be read is blocked: a range that does not parse, and with any range a version
 * that does not.
 */
export function isBlockedVersion(version: string, ranges: readonly string[]): boolean {
  if (ranges.length === 0) return false;
  // Ensures that a version which is none is not taken for one outside every range.
  if (semver.parse(version) === null) return true;
  return ranges.some((range) => isIn(version, rangeOf(range)));
}

function isIn(version: string, range: Range | 'unparsable'): boolean {
  return range === 'unparsable' || semver.satisfies(version, range, { includePrerelease: true });
}

function rangeOf(text: string): Range | 'unparsable' {
  let range = parsed.get(text);
  if (range === undefined) {
    range = parse(text);
    parsed.set(text, range);
  }
  return range;
}

function parse(text: string): Range | 'unparsable' {
  if (text.length > MAX_RANGE) return 'unparsable';
  try {
    return new semver.Range(text, { includePrerelease: true });
  } catch {
    return 'unparsable';
  }
}
