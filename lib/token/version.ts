import semver from 'semver';

const MAX_LENGTH = 128;

/** Whether a text is a version as SemVer 2.0.0 writes it: no `v`, no spaces, no missing part. */
export function isSemVer(text: string): boolean {
  if (text.length > MAX_LENGTH) return false;
  const parsed = semver.parse(text);
  if (parsed === null) return false;
  // The library forgives a prefix and drops build metadata from `version`; written out again it must be the same text.
  const build = parsed.build.length > 0 ? `+${parsed.build.join('.')}` : '';
  return parsed.version + build === text;
}

/** Whether `actual` is at least `minimum` in SemVer 2.0.0 precedence; both must be valid. */
export function isAtLeastVersion(actual: string, minimum: string): boolean {
  return semver.compare(actual, minimum) >= 0;
}
