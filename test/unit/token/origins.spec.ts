import { describe, expect, it } from 'vitest';
import { TabConfigError } from '../../../lib/errors/tab-error.js';
import { isTargetUri, Origins } from '../../../lib/token/origins.js';
import { thrownBy } from '../../utils/core/index.js';

const one = (text: string) => new Origins([text]).first;

describe('configured origins', () => {
  it.each([
    ['https://api.example.com', 'https://api.example.com', 'api.example.com', ''],
    ['https://api.example.com/', 'https://api.example.com', 'api.example.com', ''],
    ['HTTPS://API.Example.COM:443', 'https://api.example.com', 'api.example.com', ''],
    ['https://api.example.com:8443', 'https://api.example.com:8443', 'api.example.com:8443', ''],
    ['https://api.example.com:80', 'https://api.example.com:80', 'api.example.com:80', ''],
    ['https://api.example.com/Gateway/v1/', 'https://api.example.com', 'api.example.com', '/Gateway/v1'],
    ['https://203.0.113.7:8443', 'https://203.0.113.7:8443', '203.0.113.7:8443', ''],
    ['https://[2001:DB8::1]', 'https://[2001:db8::1]', '[2001:db8::1]', ''],
    ['https://[2001:db8::1]:443', 'https://[2001:db8::1]', '[2001:db8::1]', ''],
    ['https://xn--bcher-kva.example', 'https://xn--bcher-kva.example', 'xn--bcher-kva.example', ''],
    ['http://localhost', 'http://localhost', 'localhost', ''],
    ['http://localhost:80', 'http://localhost', 'localhost', ''],
    ['http://localhost:3000', 'http://localhost:3000', 'localhost:3000', ''],
    ['http://127.0.0.1:3000', 'http://127.0.0.1:3000', '127.0.0.1:3000', ''],
    ['http://[::1]:3000', 'http://[::1]:3000', '[::1]:3000', ''],
  ])('reads %s', (text, base, authority, prefix) =>
    expect(one(text)).toEqual({ base, authority, prefix, href: base + prefix }),
  );

  it.each([
    '',
    'api.example.com',
    '//api.example.com',
    'https:/api.example.com',
    'https://',
    'https:///path',
    'ftp://api.example.com',
    'wss://api.example.com',
    'https://user@api.example.com',
    'https://user:secret@api.example.com',
    'https://api.example.com?x',
    'https://api.example.com/?x',
    'https://api.example.com#x',
    'https://api.example.com/a#x',
    'https://api.example.com\\a',
    'https://api.example.com/a/../b',
    'https://api.example.com/.',
    'https://api.example.com/a//b',
    'https://api.example.com/%61',
    'https://api.example.com:',
    'https://api.example.com:abc',
    'https://api.example.com:123456',
    'https://bücher.example',
    'https://ban\u212a.example.com',
    'https://api example.com',
    ' https://api.example.com',
    'https://*.example.com',
    'https://[::1',
    'https://::1',
    'http://api.example.com',
    'http://localhost.example.com',
    'http://127.0.0.1.example.com',
    'http://10.0.0.1',
    'http://128.0.0.1',
    'http://[::2]',
  ])('refuses %j and says what to write', (text) => {
    expect(() => one(text)).toThrow(TabConfigError);
    expect(() => one(text)).toThrow(/^origins: /);
  });

  it('refuses none', () => expect(() => new Origins([])).toThrow(/at least one/));
  it.each([
    [['https://a.example', 'https://a.example']],
    [['https://a.example', 'https://A.example:443']],
    [['https://a.example/x', 'https://a.example/y']],
    [['http://localhost:3000', 'https://localhost:3000']],
  ])('refuses two that a request cannot tell apart: %j', (texts) =>
    expect(() => new Origins(texts)).toThrow(/is there twice/),
  );
});

describe('selection of an origin', () => {
  it.each(['api.example.com', 'evil.example', '', undefined, 'a b', 'api.example.com, evil.example'])(
    'takes the single one whatever Host says: %j',
    (authority) =>
      expect(new Origins(['https://api.example.com']).select(authority).base).toBe('https://api.example.com'),
  );

  const several = new Origins([
    'https://api.example.com',
    'https://b.example.com:8443/v1',
    'https://[2001:db8::1]',
    'http://localhost:3000',
  ]);
  it.each([
    ['api.example.com', 'https://api.example.com'],
    ['API.Example.Com', 'https://api.example.com'],
    ['api.example.com:443', 'https://api.example.com'],
    ['b.example.com:8443', 'https://b.example.com:8443'],
    ['[2001:db8::1]', 'https://[2001:db8::1]'],
    ['[2001:DB8::1]:443', 'https://[2001:db8::1]'],
    ['localhost:3000', 'http://localhost:3000'],
  ])('selects by %s', (authority, base) => expect(several.select(authority).base).toBe(base));

  it.each([
    undefined,
    '',
    'evil.example',
    'api.example.com:80',
    'api.example.com:8443',
    'api.example.com:',
    'api.example.com.',
    'api.example.com:0443',
    'api.example.com:443:443',
    'b.example.com',
    'b.example.com:443',
    'b.example.com:8443:443',
    'user@api.example.com',
    'api.example.com/',
    'https://api.example.com',
    'api.example.com, api.example.com',
    'api.example.com\u0000',
    ' api.example.com',
    '2001:db8::1',
    '[2001:db8:0::1]',
    'localhost',
    '__proto__',
  ])('refuses the malformed or foreign %j', (authority) =>
    expect(thrownBy(() => several.select(authority))).toBe('request_mismatch'),
  );

  it('does not read a letter outside ASCII as its lower-case likeness', () => {
    const origins = new Origins(['https://bank.example', 'https://other.example']);
    expect(thrownBy(() => origins.select('ban\u212a.example'))).toBe('request_mismatch');
  });
});

describe('htu', () => {
  const plain = one('https://api.example.com');
  const matches = (htu: string, path: string, origin = plain) => isTargetUri(htu, origin, path);

  it.each([
    ['https://api.example.com/a', '/a'],
    ['HTTPS://API.EXAMPLE.COM/a', '/a'],
    ['HtTpS://aPi.eXaMpLe.CoM/a', '/a'],
    ['https://api.example.com:443/a', '/a'],
    ['https://api.example.com', '/'],
    ['https://api.example.com:443', '/'],
    ['https://api.example.com/', '/'],
    ['https://api.example.com/a%2Fb/%7e', '/a%2Fb/%7e'],
    ['https://api.example.com//evil.example.com/steal', '//evil.example.com/steal'],
    ['https://API.example.com/https://evil.example/', '/https://evil.example/'],
    ['https://api.example.com/a;b@c:d', '/a;b@c:d'],
  ])('%s is the target %s', (htu, path) => expect(matches(htu, path)).toBe(true));

  it.each([
    ['another path', 'https://api.example.com/b', '/a'],
    ['the case of the path', 'https://api.example.com/A', '/a'],
    ['a slash at the end of htu', 'https://api.example.com/a/', '/a'],
    ['a slash at the end of the path', 'https://api.example.com/a', '/a/'],
    ['an empty path for a longer one', 'https://api.example.com', '/a'],
    ['two slashes for none', 'https://api.example.com//', '/'],
    ['percent-encoding where the path has none', 'https://api.example.com/%61', '/a'],
    ['none where the path has percent-encoding', 'https://api.example.com/~', '/%7E'],
    ['the case of percent-encoding', 'https://api.example.com/%2F', '/%2f'],
    ['a dot segment', 'https://api.example.com/x/../a', '/a'],
    ['userinfo', 'https://user@api.example.com/a', '/a'],
    ['userinfo that looks like the host', 'https://api.example.com@evil.example/a', '/a'],
    ['an empty userinfo', 'https://@api.example.com/a', '/a'],
    ['a fragment', 'https://api.example.com/a#f', '/a'],
    ['an empty fragment', 'https://api.example.com/a#', '/a'],
    ['a query', 'https://api.example.com/a?b', '/a'],
    ['an empty query', 'https://api.example.com/a?', '/a'],
    ['another scheme', 'http://api.example.com/a', '/a'],
    ['a socket scheme', 'wss://api.example.com/a', '/a'],
    ['no scheme', '//api.example.com/a', '/a'],
    ['the path alone', '/a', '/a'],
    ['another port', 'https://api.example.com:8443/a', '/a'],
    ['the default port of the other scheme', 'https://api.example.com:80/a', '/a'],
    ['an empty port', 'https://api.example.com:/a', '/a'],
    ['a port with a zero in front', 'https://api.example.com:0443/a', '/a'],
    ['two ports', 'https://api.example.com:443:443/a', '/a'],
    ['a dot at the end of the host', 'https://api.example.com./a', '/a'],
    ['a host with the real one in front', 'https://api.example.com.evil.example/a', '/a'],
    ['a host with the real one at the end', 'https://evil-api.example.com/a', '/a'],
    ['a backslash', 'https://api.example.com\\a', '/a'],
    ['one slash after the scheme', 'https:/api.example.com/a', '/a'],
    ['three slashes after the scheme', 'https:///api.example.com/a', '/a'],
    ['a space in front', ' https://api.example.com/a', '/a'],
    ['a space at the end', 'https://api.example.com/a ', '/a'],
    ['a line break at the end', 'https://api.example.com/a\n', '/a'],
    ['a tab inside the scheme', 'ht\ttps://api.example.com/a', '/a'],
    ['a percent-encoded host', 'https://api%2eexample.com/a', '/a'],
    ['a full-width host', 'https://\uff41pi.example.com/a', '/a'],
    ['nothing', '', '/'],
  ])('refuses %s', (_what, htu, path) => expect(matches(htu, path)).toBe(false));

  it('does not read a letter outside ASCII as its lower-case likeness', () => {
    const bank = one('https://bank.example');
    expect(matches('https://BANK.example/a', '/a', bank)).toBe(true);
    expect(matches('https://BAN\u212a.example/a', '/a', bank)).toBe(false);
  });

  it.each([
    ['https://api.example.com/gw/a', true],
    ['HTTPS://API.example.com:443/gw/a', true],
    ['https://api.example.com/a', false],
    ['https://api.example.com/GW/a', false],
    ['https://api.example.com/gw//a', false],
  ])('has the prefix that a gateway strips: %s', (htu, equal) =>
    expect(matches(htu, '/a', one('https://api.example.com/gw'))).toBe(equal),
  );

  it('takes an empty path only as the root of the origin', () => {
    expect(matches('https://api.example.com/gw/', '/', one('https://api.example.com/gw'))).toBe(true);
    expect(matches('https://api.example.com/gw', '/', one('https://api.example.com/gw'))).toBe(false);
  });

  it.each([
    ['http://[::1]:3000/a', true],
    ['HTTP://[::1]:3000/a', true],
    ['http://[0:0:0:0:0:0:0:1]:3000/a', false],
    ['http://localhost:3000/a', false],
  ])('compares IPv6 hosts as written: %s', (htu, equal) =>
    expect(matches(htu, '/a', one('http://[::1]:3000'))).toBe(equal),
  );
});
