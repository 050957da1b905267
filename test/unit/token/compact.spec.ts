import { describe, expect, it } from 'vitest';
import { parseCompact, takeToken } from '../../../lib/token/compact.js';
import { parseJsonObject, isNestedWithin } from '../../../lib/token/json.js';
import { aToken, b64u, thrownBy } from '../../utils/core/index.js';

const object = b64u('{}');

describe('takeToken', () => {
  it('takes the one token', () => expect(takeToken(['a.b.c'])).toBe('a.b.c'));
  it('takes 4096 octets', () => expect(takeToken(['a'.repeat(4096)])).toHaveLength(4096));

  it.each([
    ['an absent header', [], 'missing_token'],
    ['an empty header', [''], 'missing_token'],
    ['two headers', ['a.b.c', 'a.b.c'], 'malformed_token'],
    ['two empty headers', ['', ''], 'malformed_token'],
    ['an empty and a full header', ['', 'a.b.c'], 'malformed_token'],
    ['a full and an empty header', ['a.b.c', ''], 'malformed_token'],
    ['headers joined by a comma', ['a.b.c, a.b.c'], 'malformed_token'],
    ['headers joined without a space', ['a.b.c,a.b.c'], 'malformed_token'],
    ['4097 octets', ['a'.repeat(4097)], 'malformed_token'],
    ['a space', [' '], 'malformed_token'],
    ['a leading space', [' a.b.c'], 'malformed_token'],
    ['a line break at the end', ['a.b.c\n'], 'malformed_token'],
    ['padding', ['a=.b.c'], 'malformed_token'],
    ['the plain base64 alphabet', ['a+.b/.c'], 'malformed_token'],
    ['the JWS JSON form', ['{"payload":""}'], 'malformed_token'],
    ['an octet above ASCII', ['a.b.\u00e9'], 'malformed_token'],
  ])('refuses %s', (_what, values, code) => expect(thrownBy(() => takeToken(values))).toBe(code));
});

describe('parseCompact', () => {
  it('takes a token apart', () => {
    const token = `${b64u('{"a":1}')}.${b64u('{"b":2}')}.AQID`;
    const { header, payload, signature, signingInput } = parseCompact(token);
    expect(header).toEqual({ a: 1 });
    expect(payload).toEqual({ b: 2 });
    expect(signature.toString('hex')).toBe('010203');
    expect(signingInput.toString()).toBe(`${b64u('{"a":1}')}.${b64u('{"b":2}')}`);
  });

  it('lets the last of duplicate members count', () => {
    expect(parseCompact(`${b64u('{"alg":"none","alg":"ES256"}')}.${object}.AQ`).header).toEqual({ alg: 'ES256' });
  });

  it('keeps a member named __proto__ a plain member', () => {
    const { header } = parseCompact(`${b64u('{"__proto__":{"alg":"ES256"}}')}.${object}.AQ`);
    expect(Object.getPrototypeOf(header)).toBe(Object.prototype);
    expect(Object.hasOwn(header, '__proto__')).toBe(true);
    expect(header.alg).toBeUndefined();
  });

  it.each([
    ['one segment', object],
    ['two segments', `${object}.${object}`],
    ['four segments', `${object}.${object}.AQ.AQ`],
    ['five segments, as of a JWE', `${object}.AQ.AQ.AQ.AQ`],
    ['an empty header', `.${object}.AQ`],
    ['an empty payload', `${object}..AQ`],
    ['an empty signature', `${object}.${object}.`],
    ['dots only', '..'],
    ['a header with trailing bits', `${b64u('{} ').slice(0, -1)}B.${object}.AQ`],
    ['a payload with trailing bits', `${object}.e31.AQ`],
    ['a signature with trailing bits', `${object}.${object}.AR`],
    ['a header of impossible length', `${object}A.${object}.AQ`],
    ['a signature of impossible length', `${object}.${object}.AQIDA`],
    ['a header that is no JSON', `${b64u('{')}.${object}.AQ`],
    ['a header that is an array', `${b64u('[]')}.${object}.AQ`],
    ['a header that is null', `${b64u('null')}.${object}.AQ`],
    ['a header that is a string', `${b64u('"{}"')}.${object}.AQ`],
    ['a payload that is a number', `${object}.${b64u('1')}.AQ`],
    ['a payload with a byte order mark', `${object}.${b64u('\ufeff{}')}.AQ`],
    ['a payload that is no UTF-8', `${object}.${b64u(Buffer.from('{"a":"\xff"}', 'latin1'))}.AQ`],
    ['a payload with an overlong form', `${object}.${b64u(Buffer.from('{"a":"\xc0\xaf"}', 'latin1'))}.AQ`],
    ['a payload with a surrogate as octets', `${object}.${b64u(Buffer.from('{"a":"\xed\xa0\x80"}', 'latin1'))}.AQ`],
    ['a payload with content after the object', `${object}.${b64u('{}{}')}.AQ`],
    ['a payload that is UTF-16', `${object}.${b64u(Buffer.from('{}', 'utf16le'))}.AQ`],
  ])('refuses %s', (_what, token) => expect(thrownBy(() => parseCompact(token))).toBe('malformed_token'));

  it('never quotes the token in its message', () => {
    const token = `${aToken()}A`;
    let message = '';
    try {
      parseCompact(`${token}=`);
    } catch (error) {
      message = String(error);
    }
    expect(message).not.toBe('');
    expect(message).not.toContain(token.slice(0, 20));
  });
});

describe('JSON', () => {
  it.each(['', ' ', 'nul', '[{}]', '{"a":}', "{'a':1}", '{"a":NaN}', '{"a":1,}'])('refuses %j', (text) =>
    expect(parseJsonObject(Buffer.from(text))).toBeUndefined(),
  );

  it('survives nesting as deep as a token can be', () => {
    const deep = '['.repeat(3000) + ']'.repeat(3000);
    expect(parseJsonObject(Buffer.from(`{"a":${deep}}`))).toBeDefined();
  });

  it.each([
    [{ value: 1, limit: 0 }, true],
    [{ value: {}, limit: 0 }, false],
    [{ value: {}, limit: 1 }, true],
    [{ value: { a: [] }, limit: 1 }, false],
    [{ value: { a: [1] }, limit: 2 }, true],
    [{ value: [[[null]]], limit: 3 }, true],
    [{ value: [[[{}]]], limit: 3 }, false],
  ])('counts nesting: %j', ({ value, limit }, within) => expect(isNestedWithin(value, limit)).toBe(within));
});
