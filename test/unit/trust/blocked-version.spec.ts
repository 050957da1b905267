import * as fc from 'fast-check';
import semver from 'semver';
import { describe, expect, it } from 'vitest';
import { isBlockedVersion } from '../../../lib/trust/blocked-version.js';

describe('isBlockedVersion', () => {
  it('blocks nothing without ranges', () => {
    for (const version of ['1.0.0', '0.0.0-0', 'none at all']) expect(isBlockedVersion(version, [])).toBe(false);
  });

  it.each([
    ['3.1.9', '<3.2.0', true],
    ['3.2.0', '<3.2.0', false],
    ['3.2.0-beta.1', '<3.2.0', true],
    ['3.2.0-beta.1', '>=3.2.0', false],
    ['3.2.1-beta.1', '>=3.2.0', true],
    ['3.2.0+build.7', '3.2.0', true],
    ['3.2.0', '3.2.0+build.7', true],
    ['3.0.0-rc.1', '3.x', true],
    ['4.0.0-rc.1', '3.x', false],
    ['1.0.0-Beta', '1.0.0-beta', false],
    ['1.5.0', '<1.0.0 || >=1.5.0 <1.6.0', true],
    ['1.4.0', '<1.0.0 || >=1.5.0 <1.6.0', false],
    ['0.0.0-0', '*', true],
    ['99.0.0', '*', true],
    ['1.0.0', '', true],
  ])('%s in %o: %o', (version, range, blocked) => {
    expect(isBlockedVersion(version, [range])).toBe(blocked);
    // The second time the parsed range is the kept one.
    expect(isBlockedVersion(version, ['<0.0.1-0', range])).toBe(blocked);
  });

  it.each(['latest', '<', '>=1.0.0 <', '<3.2.0\0', 'workspace:*', `<1.0.0${' || <1.0.0'.repeat(40)}`])(
    'a range that cannot be read blocks: %o',
    (range) => {
      for (const version of ['1.0.0', '999.0.0-rc']) expect(isBlockedVersion(version, ['<0.0.1-0', range])).toBe(true);
    },
  );

  it('a range that is no text blocks', () => {
    for (const range of [{}, 7] as unknown as string[]) expect(isBlockedVersion('1.0.0', [range])).toBe(true);
  });

  it.each(['', '1.0', 'x', '1.0.0.0', '-1.0.0', `1.0.0-${'a'.repeat(300)}`])(
    'a version that cannot be read is in every range: %o',
    (version) => expect(isBlockedVersion(version, ['>=99.0.0'])).toBe(true),
  );

  it('one range of many is enough, in any place', () => {
    const ranges = Array.from({ length: 63 }, (_, index) => `${index + 100}.0.0`);
    for (const at of [0, 30, 63]) {
      expect(isBlockedVersion('1.2.3', [...ranges.slice(0, at), '1.2.x', ...ranges.slice(at)])).toBe(true);
    }
    expect(isBlockedVersion('1.2.3', ranges)).toBe(false);
  });

  it('stays right when more ranges are asked for than are kept', () => {
    const blocked = Array.from({ length: 2_500 }, (_, index) => isBlockedVersion('1200.0.0', [`<${index}.0.0`]));
    expect(blocked.map((is, index) => is === index > 1200)).not.toContain(false);
  });

  it('agrees with the precedence of SemVer on every comparison', () => {
    const part = fc.nat(3);
    const version = fc
      .tuple(part, part, part, fc.constantFrom('', '-0', '-alpha', '-alpha.1', '-rc.2'))
      .map(([major, minor, patch, pre]) => `${major}.${minor}.${patch}${pre}`);
    fc.assert(
      fc.property(version, version, (one, other) => {
        expect(isBlockedVersion(one, [`<${other}`])).toBe(semver.lt(one, other));
        expect(isBlockedVersion(one, [`>=${other}`])).toBe(semver.gte(one, other));
        expect(isBlockedVersion(one, [other])).toBe(semver.eq(one, other));
      }),
    );
  });
});
