import { describe, expect, it } from 'vitest';
import { decodeBase64url, isBase64url } from '../../../lib/token/base64url.js';

describe('isBase64url', () => {
  it.each(['A', 'AZaz09-_'])('takes %s', (text) => expect(isBase64url(text)).toBe(true));
  it.each(['', '=', 'ab=', 'a+b', 'a/b', 'a b', 'a\n', 'ab\n', 'é', 'a.b'])('refuses %j', (text) =>
    expect(isBase64url(text)).toBe(false),
  );
});

describe('decodeBase64url', () => {
  it.each([
    ['AA', '00'],
    ['_w', 'ff'],
    ['__8', 'ffff'],
    ['AQIDBA', '01020304'],
    ['-_-_', 'fbffbf'],
  ])('decodes %s', (text, hex) => expect(decodeBase64url(text)?.toString('hex')).toBe(hex));

  it.each([
    ['nothing', ''],
    ['padding', 'AA=='],
    ['inner padding', 'AA==AA'],
    ['the alphabet of plain base64', '+/+/'],
    ['a space', 'AA AA'],
    ['a line break at the end', 'AAAA\n'],
    ['a character that cannot be octets (length 1)', 'A'],
    ['a character that cannot be octets (length 5)', 'AAAAA'],
    ['two trailing bits set, of four', 'AB'],
    ['all four trailing bits set', '_x'],
    ['the lowest of two trailing bits set', 'AAB'],
    ['both trailing bits set', '___'],
    ['a character outside ASCII', 'AAAé'],
    ['NUL', 'AA\0A'],
  ])('refuses %s', (_what, text) => expect(decodeBase64url(text)).toBeUndefined());

  it('gives every octet string of up to three octets exactly one text', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'.split('');
    const decoded = alphabet.flatMap((a) => alphabet.map((b) => decodeBase64url(a + b)?.toString('hex')));
    const accepted = decoded.filter((octets) => octets !== undefined);
    expect(accepted).toHaveLength(256);
    expect(new Set(accepted).size).toBe(256);
  });
});
