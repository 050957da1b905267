import { describe, expect, it } from 'vitest';
import {
  checkBoundHeaders,
  checkContentEncoding,
  checkContentHash,
  checkContentPresence,
  checkContentType,
  checkMethod,
  checkQuery,
  checkTargetUri,
} from '../../../lib/token/binding.js';
import { readClaims } from '../../../lib/token/claims.js';
import { Origins } from '../../../lib/token/origins.js';
import { HeaderFields, type RequestContent } from '../../../lib/token/request.js';
import { aRequest, someClaims, thrownBy, type Members } from '../../utils/core/index.js';

const claims = (change: Members = {}) => readClaims(someClaims(change));
const fields = (...raw: string[]) => new HeaderFields(raw);
/** SHA-256 of the empty string, and of "abc" (FIPS 180-2 B.1), in base64url. */
const EMPTY = '47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU';
const ABC = 'ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0';

describe('htm', () => {
  it.each([
    ['GET', 'GET', 'GET', 'accepted'],
    ['get', 'GET', 'GET', 'request_mismatch'],
    ['POST', 'GET', 'GET', 'request_mismatch'],
    ['HEAD', 'HEAD', 'HEAD', 'accepted'],
    ['GET', 'HEAD', 'GET', 'request_mismatch'],
    ['HEAD', 'HEAD', 'GET', 'request_mismatch'],
    ['POST', 'POST', 'DELETE', 'request_mismatch'],
    ['DELETE', 'POST', 'DELETE', 'request_mismatch'],
    ['', 'GET', 'GET', 'request_mismatch'],
    ['GET ', 'GET', 'GET', 'request_mismatch'],
  ])('htm %j, on the wire %s, handler of %s: %s', (htm, method, handlerMethod, outcome) =>
    expect(thrownBy(() => checkMethod(claims({ htm }), aRequest({ method, handlerMethod })))).toBe(outcome),
  );
});

describe('htu', () => {
  const origin = new Origins(['https://api.example.com']).first;
  const check = (htu: string) => thrownBy(() => checkTargetUri(claims({ htu }), origin, { path: '/a', query: 'x' }));
  it('names origin and path', () => expect(check('https://api.example.com/a')).toBe('accepted'));
  it('has no query', () => expect(check('https://api.example.com/a?x')).toBe('request_mismatch'));
});

describe('qsh', () => {
  const check = (qsh: string | undefined, query: string) =>
    thrownBy(() => checkQuery(claims(qsh === undefined ? {} : { qsh }), { path: '/', query }));
  it.each([
    ['right', ABC, 'abc', 'accepted'],
    ['absent without a query', undefined, '', 'accepted'],
    ['of nothing, without a query', EMPTY, '', 'request_mismatch'],
    ['empty, without a query', '', '', 'request_mismatch'],
    ['missing', undefined, 'abc', 'request_mismatch'],
    ['empty', '', 'abc', 'request_mismatch'],
    ['of another query', ABC, 'abd', 'request_mismatch'],
    ['of the query in another case', ABC, 'ABC', 'request_mismatch'],
    ['of the query decoded', ABC, 'ab%63', 'request_mismatch'],
    ['padded', `${ABC}=`, 'abc', 'request_mismatch'],
    ['in hexadecimal', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad', 'abc', 'request_mismatch'],
  ])('%s', (_what, qsh, query, outcome) => expect(check(qsh, query)).toBe(outcome));
});

describe('content coding', () => {
  it.each([
    [[], 'accepted'],
    [['Content-Encoding', 'identity'], 'accepted'],
    [['CONTENT-ENCODING', ' Identity '], 'accepted'],
    [['Content-Encoding', 'identity', 'Content-Encoding', 'identity'], 'accepted'],
    [['Content-Encoding', 'gzip'], 'request_mismatch'],
    [['Content-Encoding', 'br'], 'request_mismatch'],
    [['Content-Encoding', 'x-unknown'], 'request_mismatch'],
    [['Content-Encoding', 'identity, gzip'], 'request_mismatch'],
    [['Content-Encoding', 'identity', 'Content-Encoding', 'gzip'], 'request_mismatch'],
    [['Content-Encoding', 'gzip', 'Content-Encoding', 'identity'], 'request_mismatch'],
    [['Content-Encoding', ''], 'request_mismatch'],
  ])('%j: %s', (raw, outcome) => expect(thrownBy(() => checkContentEncoding(fields(...raw)))).toBe(outcome));
});

describe('presence of content: kind × bh × bound', () => {
  const contents: Record<string, RequestContent> = {
    none: { kind: 'none' },
    octets: { kind: 'octets', octets: Buffer.from('abc') },
    unavailable: { kind: 'unavailable' },
  };
  it.each([
    ['none', undefined, true, 'accepted'],
    ['none', undefined, false, 'accepted'],
    ['none', ABC, true, 'request_mismatch'],
    ['none', EMPTY, true, 'request_mismatch'],
    ['none', ABC, false, 'request_mismatch'],
    ['octets', undefined, true, 'request_mismatch'],
    ['octets', undefined, false, 'accepted'],
    ['octets', ABC, true, 'accepted'],
    ['octets', ABC, false, 'accepted'],
    ['unavailable', undefined, true, 'request_mismatch'],
    ['unavailable', undefined, false, 'accepted'],
    ['unavailable', ABC, true, 'request_mismatch'],
    ['unavailable', EMPTY, true, 'request_mismatch'],
    ['unavailable', ABC, false, 'accepted'],
  ])('%s, bh %s, bound %s: %s', (kind, bh, bound, outcome) => {
    const request = aRequest({ method: 'POST', content: contents[kind] as RequestContent });
    expect(thrownBy(() => checkContentPresence(claims(bh === undefined ? {} : { bh }), request, bound))).toBe(outcome);
  });
});

describe('bh', () => {
  const check = (bh: string | undefined, content?: string | RequestContent) =>
    thrownBy(() =>
      checkContentHash(claims(bh === undefined ? {} : { bh }), aRequest(content === undefined ? {} : { content })),
    );
  it.each([
    ['right', ABC, 'abc', 'accepted'],
    ['of another content', ABC, 'abd', 'request_mismatch'],
    ['of the content without its last octet', ABC, 'abcd', 'request_mismatch'],
    ['of nothing, with content', EMPTY, 'abc', 'request_mismatch'],
    ['empty', '', 'abc', 'request_mismatch'],
    ['padded', `${ABC}=`, 'abc', 'request_mismatch'],
    ['absent', undefined, 'abc', 'accepted'],
  ])('%s', (_what, bh, content, outcome) => expect(check(bh, content)).toBe(outcome));
  it('is of octets, not of characters', () => {
    const content = { kind: 'octets', octets: Buffer.from([0xff, 0xfe, 0]) } as const;
    expect(check('uneMAmEAjI9xrkBhrQFi_8vmO1LJH4nyNnOBMdEhfsc', content)).toBe('accepted');
  });
});

describe('ct', () => {
  const check = (ct: string | undefined, bh: string | undefined, ...raw: string[]) =>
    thrownBy(() =>
      checkContentType(
        claims({ ...(ct !== undefined && { ct }), ...(bh !== undefined && { bh }) }),
        fields(...raw),
        true,
      ),
    );
  const json = ['Content-Type', 'application/json'];
  it.each([
    ['right', 'application/json', ABC, json, 'accepted'],
    [
      'right, without parameters',
      'application/json',
      ABC,
      ['content-type', 'Application/JSON; charset=utf-8'],
      'accepted',
    ],
    ['right, with spaces', 'text/plain', ABC, ['Content-Type', ' text/plain ;x=y'], 'accepted'],
    ['absent without a Content-Type', undefined, ABC, [], 'accepted'],
    ['absent without content', undefined, undefined, json, 'accepted'],
    ['missing', undefined, ABC, json, 'request_mismatch'],
    ['of another type', 'text/plain', ABC, json, 'request_mismatch'],
    ['in upper case', 'Application/JSON', ABC, json, 'request_mismatch'],
    [
      'with parameters',
      'application/json; charset=utf-8',
      ABC,
      ['Content-Type', 'application/json; charset=utf-8'],
      'request_mismatch',
    ],
    ['superfluous: no Content-Type', 'application/json', ABC, [], 'request_mismatch'],
    ['superfluous: no bh', 'application/json', undefined, json, 'request_mismatch'],
    ['empty, without a Content-Type', '', ABC, [], 'request_mismatch'],
    [
      'of two Content-Types, the first',
      'application/json',
      ABC,
      [...json, 'Content-Type', 'text/plain'],
      'request_mismatch',
    ],
    ['of two equal Content-Types', 'application/json', ABC, [...json, ...json], 'request_mismatch'],
  ])('%s', (_what, ct, bh, raw, outcome) => expect(check(ct, bh, ...raw)).toBe(outcome));
});

describe('parameters of the Content-Type', () => {
  const check = (
    parameters: string,
    { hd, bound = true, bh = ABC }: { hd?: Members; bound?: boolean; bh?: string } = {},
  ) =>
    thrownBy(() =>
      checkContentType(
        claims({ ct: 'application/json', bh, ...(hd && { hd }) }),
        fields('Content-Type', `application/json${parameters}`),
        bound,
      ),
    );

  // Octets that are harmless as UTF-8 say something else to a parser that believes another charset.
  const changed = [
    '; charset=utf-7',
    ';charset=UTF-7',
    '; charset="utf-7"',
    '; charset=utf-16',
    '; charset=utf-16le',
    '; charset=iso-8859-1',
    '; charset=us-ascii',
    '; charset=utf8',
    '; charset=',
    '; charset=""',
    '; charset',
    '; Charset=utf-7',
    '; charset=utf-8; charset=utf-7',
    '; charset=utf-8; charset=utf-8',
    '; charset=utf-7; charset=utf-8',
    '; x=y; charset=utf-7',
    '; x="a;b"; charset=utf-7',
    ' ; charset = utf-7',
    "; charset*=utf-8''utf-7",
    '; charset*0=utf; charset*1=-7',
    '; charset="utf\\-7"',
    '; charset="utf-8',
    '; charset=utf-8 utf-7',
    '; charset=utf-8, charset=utf-7',
    '; charset=\u00fctf-8',
    '; boundary=x',
    ';',
    ';;charset=utf-8',
  ];
  it.each(changed)('%s: refused', (parameters) => expect(check(parameters)).toBe('request_mismatch'));
  it.each(changed)('%s: passes where the whole field is bound', (parameters) =>
    expect(check(parameters, { hd: { 'content-type': ABC } })).toBe('accepted'),
  );
  it.each(changed)('%s: passes where the policy binds no body', (parameters) =>
    expect(check(parameters, { bound: false })).toBe('accepted'),
  );
  it.each(changed)('%s: refused where another header is bound', (parameters) =>
    expect(check(parameters, { hd: { constructor: ABC, accept: ABC } })).toBe('request_mismatch'),
  );

  it.each([
    '',
    ' ',
    '; charset=utf-8',
    ';charset=UTF-8',
    '; Charset=Utf-8',
    '; charset="utf-8"',
    ';\tcharset="UTF-8" ',
  ])('%j: passes', (parameters) => expect(check(parameters)).toBe('accepted'));

  it('never makes another type good', () =>
    expect(
      thrownBy(() =>
        checkContentType(
          claims({ ct: 'text/plain', bh: ABC, hd: { 'content-type': ABC } }),
          fields('Content-Type', 'application/json'),
          true,
        ),
      ),
    ).toBe('request_mismatch'));
});

describe('hd', () => {
  const check = (hd: Members | undefined, required: string[], ...raw: string[]) =>
    thrownBy(() => checkBoundHeaders(claims(hd === undefined ? {} : { hd }), fields(...raw), required));
  const key = ['Idempotency-Key', 'abc'];
  it.each([
    ['neither there nor asked for', undefined, [], [], 'accepted'],
    ['empty', {}, [], key, 'accepted'],
    ['right', { 'idempotency-key': ABC }, [], key, 'accepted'],
    ['right and asked for', { 'idempotency-key': ABC }, ['idempotency-key'], key, 'accepted'],
    ['right for an empty value', { a: EMPTY }, ['a'], ['A', ''], 'accepted'],
    ['absent but asked for', undefined, ['idempotency-key'], key, 'request_mismatch'],
    ['without the header asked for', {}, ['idempotency-key'], key, 'request_mismatch'],
    [
      'without one of two asked for',
      { 'idempotency-key': ABC },
      ['idempotency-key', 'b'],
      [...key, 'b', 'abc'],
      'request_mismatch',
    ],
    ['asked for, and the request has none', undefined, ['idempotency-key'], [], 'request_mismatch'],
    ['wrong', { 'idempotency-key': EMPTY }, [], key, 'request_mismatch'],
    ['of a header that is not there', { b: ABC }, [], key, 'request_mismatch'],
    ['of a header that occurs twice', { 'idempotency-key': ABC }, [], [...key, ...key], 'request_mismatch'],
    [
      'of a header that occurs twice in two cases',
      { 'idempotency-key': ABC },
      [],
      [...key, 'IDEMPOTENCY-KEY', 'abc'],
      'request_mismatch',
    ],
    ['one right and one wrong', { 'idempotency-key': ABC, b: ABC }, [], [...key, 'b', 'abd'], 'request_mismatch'],
    ['of a header in another case', { 'idempotency-key': ABC }, [], ['Idempotency-Key', 'ABC'], 'request_mismatch'],
    ['naming a member of every object', { constructor: ABC }, ['constructor'], [], 'request_mismatch'],
    [
      'not naming a member of every object that is asked for',
      {},
      ['constructor'],
      ['constructor', 'abc'],
      'request_mismatch',
    ],
  ])('%s', (_what, hd, required, raw, outcome) => expect(check(hd, required, ...raw)).toBe(outcome));

  it('is judged alike however many headers it names', () => {
    const names = Array.from({ length: 20 }, (_, i) => `x-${i}`);
    const hd = Object.fromEntries(names.map((name) => [name, ABC]));
    const raw = names.flatMap((name) => [name.toUpperCase(), 'abc']);
    expect(check(hd, names, ...raw)).toBe('accepted');
    expect(check(hd, names, ...raw, 'X-7', 'abc')).toBe('request_mismatch');
    expect(check(hd, names, ...raw.slice(2))).toBe('request_mismatch');
    expect(check({ ...hd, 'x-7': EMPTY }, names, ...raw)).toBe('request_mismatch');
    expect(check({ ...hd, constructor: ABC }, [], ...raw)).toBe('request_mismatch');
  });

  it('is over the octets of the value: one character an octet', () => {
    // SHA-256 of the single octet 0xE9, by OpenSSL.
    expect(check({ a: '3i4zHYka4menAJy0W06IMPFw4Mk3KI6icxoZQcelOw0' }, [], 'a', '\u00e9')).toBe('accepted');
  });
});

describe('HeaderFields', () => {
  it('keeps every occurrence, in order, whatever the case of the name', () => {
    const headers = fields('A', '1', 'b', '2', 'a', '3');
    expect(headers.values('a')).toEqual(['1', '3']);
    expect(headers.values('c')).toEqual([]);
    expect(headers.has('b')).toBe(true);
    expect(headers.has('B')).toBe(false);
  });
  it('drops a name without a value', () => expect(fields('a').has('a')).toBe(false));
  it.each(['__proto__', 'constructor', 'tostring'])('has no %s of its own', (name) =>
    expect(fields().values(name)).toEqual([]),
  );
});
