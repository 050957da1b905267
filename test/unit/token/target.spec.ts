import { describe, expect, it } from 'vitest';
import { parseTarget } from '../../../lib/token/target.js';
import { thrownBy } from '../../utils/core/index.js';

describe('parseTarget', () => {
  it.each([
    ['/', '/', ''],
    ['/a/b', '/a/b', ''],
    ['/a?', '/a', ''],
    ['/a?b=c', '/a', 'b=c'],
    ['/a?b?c', '/a', 'b?c'],
    ['/??', '/', '?'],
    ['/a/?x=/../y', '/a/', 'x=/../y'],
    ['//evil.example.com/steal', '//evil.example.com/steal', ''],
    ['/https://evil.example.com/', '/https://evil.example.com/', ''],
    ['/a//b', '/a//b', ''],
    ['/a%2Fb', '/a%2Fb', ''],
    ['/a;v=1/b', '/a;v=1/b', ''],
    ['/!"$&\'()*+,-./:;<=>@[]^_`{|}~', '/!"$&\'()*+,-./:;<=>@[]^_`{|}~', ''],
    ['/%', '/%', ''],
    ['/%zz', '/%zz', ''],
    ['/...', '/...', ''],
    ['/..a/.b/c../d.', '/..a/.b/c../d.', ''],
    ['/%2e%2e%2e', '/%2e%2e%2e', ''],
    ['/%2ea', '/%2ea', ''],
    ['/%252e%252e/a', '/%252e%252e/a', ''],
    ['/a?/../b', '/a', '/../b'],
  ])('splits %s', (target, path, query) => expect(parseTarget(target)).toEqual({ path, query }));

  const dots = ['.', '%2e', '%2E'];
  const segments = [...dots, ...dots.flatMap((a) => dots.map((b) => a + b))];
  for (const segment of segments) {
    it.each([
      `/${segment}`,
      `/${segment}/`,
      `/a/${segment}`,
      `/a/${segment}/b`,
      `//${segment}`,
      `/${segment}?x`,
      `/a/${segment}/?x=1`,
    ])('refuses a dot segment: %s', (target) => expect(thrownBy(() => parseTarget(target))).toBe('request_mismatch'));
  }

  it.each([
    '',
    '*',
    'a',
    'a/b',
    '?',
    '?a',
    '.',
    '..',
    'http://api.example.com/a',
    'HTTPS://api.example.com/a',
    'api.example.com:443',
    '\\',
    '\\a',
    ' /a',
    '%2fa',
  ])('refuses what is not in origin form: %j', (target) =>
    expect(thrownBy(() => parseTarget(target))).toBe('request_mismatch'),
  );

  it.each([
    '/a#',
    '/#f',
    '/a?b#c',
    '/a\\b',
    '/a?b\\c',
    '/\\',
    '/a b',
    '/a?b c',
    '/a\n',
    '/a?\n',
    '/\t',
    '/a\u0000',
    '/a\u007f',
    '/\u0080',
    '/é',
    '/a?é',
    '/\u00ff',
    '/\u2028',
    '/😀',
  ])('refuses the octets of %j', (target) => expect(thrownBy(() => parseTarget(target))).toBe('request_mismatch'));

  it('takes exactly the octets 0x21 to 0x7E but for # and \\', () => {
    const taken = Array.from({ length: 256 }, (_, octet) => octet).filter(
      (octet) => thrownBy(() => parseTarget(`/a${String.fromCharCode(octet)}b`)) === 'accepted',
    );
    const allowed = Array.from({ length: 0x7e - 0x21 + 1 }, (_, i) => 0x21 + i).filter(
      (octet) => octet !== 0x23 && octet !== 0x5c,
    );
    expect(taken).toEqual(allowed);
  });

  it('takes long hostile targets in no time worth measuring', () => {
    expect(thrownBy(() => parseTarget(`/${'%2e'.repeat(100_000)}a`))).toBe('accepted');
    expect(thrownBy(() => parseTarget('/.'.repeat(100_000)))).toBe('request_mismatch');
  });
});
