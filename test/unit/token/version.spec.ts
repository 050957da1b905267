import { describe, expect, it } from 'vitest';
import { isAtLeastVersion, isSemVer } from '../../../lib/token/version.js';

/** The precedence examples of SemVer 2.0.0 section 11, in ascending order. */
const ASCENDING = [
  '1.0.0-alpha',
  '1.0.0-alpha.1',
  '1.0.0-alpha.beta',
  '1.0.0-beta',
  '1.0.0-beta.2',
  '1.0.0-beta.11',
  '1.0.0-rc.1',
  '1.0.0',
  '1.0.1',
  '1.2.0',
  '1.10.0',
  '2.0.0',
  '10.0.0',
];

describe('versions', () => {
  it('compares by precedence', () => {
    ASCENDING.forEach((low, i) => {
      ASCENDING.forEach((high, j) => expect(isAtLeastVersion(high, low), `${high} ≥ ${low}`).toBe(j >= i));
    });
  });

  it('does not compare build metadata', () => {
    expect(isAtLeastVersion('1.0.0+a', '1.0.0+b')).toBe(true);
    expect(isAtLeastVersion('1.0.0+b', '1.0.0+a')).toBe(true);
  });

  it.each([...ASCENDING, '1.0.0+001', '1.0.0-a+b', '9007199254740991.0.0'])('knows %s as one', (text) =>
    expect(isSemVer(text)).toBe(true),
  );
  it.each([
    '',
    'v1.0.0',
    '1.0',
    '1.0.0-',
    '1.0.0+',
    '1.0.0 ',
    '\t1.0.0',
    '=1.0.0',
    '1.0.0-00',
    '１.0.0',
    '9007199254740992.0.0',
    `1.0.0+${'a'.repeat(200)}`,
  ])('does not know %j as one', (text) => expect(isSemVer(text)).toBe(false));
});
