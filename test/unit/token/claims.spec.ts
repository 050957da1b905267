import { describe, expect, it } from 'vitest';
import { readApp, readClaims } from '../../../lib/token/claims.js';
import { NOW, someClaims, thrownBy, type Members } from '../../utils/core/index.js';

function without(members: Members, name: string): Members {
  const { [name]: _left, ...rest } = members;
  return rest;
}
const read = (change: Members = {}) => readClaims(someClaims(change));
const outcome = (change: Members) => thrownBy(() => read(change));

const NOT_TIMES = [
  undefined,
  null,
  '1800000000',
  '',
  1.5,
  NOW + 0.5,
  -1,
  -0.1,
  2 ** 53,
  1e300,
  Infinity,
  NaN,
  [],
  [NOW],
  {},
  true,
];
const NOT_STRINGS = [null, 0, 1, true, false, [], ['x'], {}];

describe('required claims', () => {
  it.each(['jti', 'iat', 'htm', 'htu', 'app', 'rt'])('refuses a token without %s', (name) =>
    expect(thrownBy(() => readClaims(without(someClaims(), name)))).toBe('malformed_token'),
  );

  it.each(['exp', 'nonce', 'qsh', 'bh', 'ct', 'ath', 'sid', 'hd'])('takes a token without %s', (name) =>
    expect(readClaims(someClaims())).toMatchObject({ [name]: undefined }),
  );

  it('ignores unknown claims', () => {
    expect(read({ iss: 'x', aud: [], nbf: 'x', sub: null, JTI: 5, constructor: 1 })).not.toHaveProperty('iss');
  });

  it('takes no claim from the prototype', () => {
    const claims = someClaims();
    const inherited = Object.create({ ...claims }) as Members;
    expect(thrownBy(() => readClaims({ ...inherited }))).toBe('malformed_token');
  });
});

describe('times', () => {
  it.each([0, 1, NOW, 2 ** 53 - 1])('takes exp %s', (exp) => expect(read({ exp }).exp).toBe(exp));
  it('takes iat 0', () => expect(read({ iat: 0, rt: { at: 0, found: [], clear: [], sdk: 'x/1' } }).iat).toBe(0));
  it('takes iat 2^53−1', () => expect(read({ iat: 2 ** 53 - 1 }).iat).toBe(9007199254740991));
  it.each(NOT_TIMES)('refuses iat %j', (iat) => expect(outcome({ iat })).toBe('malformed_token'));
  it.each(NOT_TIMES.slice(1))('refuses exp %j', (exp) => expect(outcome({ exp })).toBe('malformed_token'));
  it('refuses an exp that is there as undefined', () => expect(outcome({ exp: undefined })).toBe('malformed_token'));
});

describe('strings', () => {
  for (const name of ['nonce', 'qsh', 'bh', 'ct', 'ath', 'sid']) {
    it.each(NOT_STRINGS)(`refuses ${name} %j`, (value) => expect(outcome({ [name]: value })).toBe('malformed_token'));
    it(`takes an empty ${name}, which later steps judge`, () =>
      expect(read({ [name]: '' })).toMatchObject({ [name]: '' }));
  }
  for (const name of ['htm', 'htu']) {
    it.each([undefined, ...NOT_STRINGS])(`refuses ${name} %j`, (value) =>
      expect(outcome({ [name]: value })).toBe('malformed_token'),
    );
  }
});

describe('jti', () => {
  it.each(['a'.repeat(22), 'Az09-_'.repeat(10), 'a'.repeat(64)])('takes %s', (jti) =>
    expect(read({ jti }).jti).toBe(jti),
  );
  it.each([
    '',
    'a'.repeat(21),
    'a'.repeat(65),
    `${'a'.repeat(22)}.`,
    `${'a'.repeat(22)}=`,
    `${'a'.repeat(22)}+`,
    `${'a'.repeat(22)} `,
    `${'a'.repeat(22)}\n`,
    `é${'a'.repeat(22)}`,
    ...NOT_STRINGS,
  ])('refuses %j', (jti) => expect(outcome({ jti })).toBe('malformed_token'));
});

describe('hd', () => {
  it.each([[{}], [{ 'idempotency-key': 'x' }], [{ a: '', 'x-b': 'c' }], [JSON.parse('{"__proto__":"x"}') as Members]])(
    'takes %j',
    (hd) => expect(read({ hd }).hd).toEqual(hd),
  );

  it.each([
    [null],
    [[]],
    [['a']],
    ['a'],
    [1],
    [true],
    [{ 'Idempotency-Key': 'x' }],
    [{ '': 'x' }],
    [{ 'a b': 'x' }],
    [{ 'a:': 'x' }],
    [{ 'a\n': 'x' }],
    [{ é: 'x' }],
    [{ a: 1 }],
    [{ a: null }],
    [{ a: ['x'] }],
    [{ a: 'x', b: {} }],
  ])('refuses %j', (hd) => expect(outcome({ hd })).toBe('malformed_token'));
});

describe('app', () => {
  const app = (change: Members) => ({ id: 'com.example.app', ver: '1.4.0', ...change });

  it.each(['a', 'A.z_0:9-', 'x'.repeat(128)])('takes id %s', (id) => expect(readApp(app({ id })).id).toBe(id));
  it.each(['', 'x'.repeat(129), 'a b', 'a/b', 'a\n', 'ä', 'a@b', undefined, null, 1, [], {}])('refuses id %j', (id) =>
    expect(outcome({ app: app({ id }) })).toBe('malformed_token'),
  );

  it.each([
    '0.0.0',
    '1.2.3',
    '10.20.30',
    '1.0.0-alpha',
    '1.0.0-alpha.1',
    '1.0.0-0.3.7',
    '1.0.0+20130313144700',
    '1.0.0-beta+exp.sha.5114f85',
    '1.0.0+0.build.1',
    '1.0.0-x-y-z.--',
  ])('takes version %s', (ver) => expect(readApp(app({ ver })).ver).toBe(ver));
  it.each([
    '',
    '1',
    '1.2',
    'v1.2.3',
    '=1.2.3',
    ' 1.2.3',
    '1.2.3 ',
    '1.2.3\n',
    '01.2.3',
    '1.02.3',
    '1.2.3-01',
    '1.2.3-',
    '1.2.3+',
    '1.2.3-a..b',
    '1.2.x',
    '1.2.3.4',
    '-1.0.0',
    '1.2.3-ä',
    'latest',
    '>=1.0.0',
    `1.0.0-${'a'.repeat(123)}`,
    undefined,
    null,
    1,
    1.2,
    [],
    {},
  ])('refuses version %j', (ver) => expect(outcome({ app: app({ ver }) })).toBe('malformed_token'));

  it.each([undefined, null, 'com.example.app', 1, [], ['com.example.app', '1.0.0'], {}])('refuses app %j', (value) =>
    expect(outcome({ app: value })).toBe('malformed_token'),
  );
  it('leaves other members behind', () =>
    expect(readApp(app({ build: 7 }))).toEqual({ id: 'com.example.app', ver: '1.4.0' }));
});
