// Tokens that are missing, or not tokens.
import { b64u, keys, NOW, publicOf } from './crypto.mjs';
import { aCase, APP, claimsOf, evidence, GET, jws, headerOf } from './server.mjs';

const malformed = (name, parts) => aCase(name, 'malformed_token', parts);
const claim = (name, claims) => malformed(`claim ${name}`, { claims });
const rt = (name, change) => claim(`rt.${name}`, { rt: evidence(change) });
const app = (name, change) => claim(`app.${name}`, { app: { id: APP, ver: '1.4.0', ...change } });
const header = (name, members) => malformed(`header: ${name}`, { header: members });
const rawHeader = (name, raw) => malformed(`header: ${name}`, { header: { raw } });
const structure = (name, token) => malformed(`structure: ${name}`, { token });

/** Replaces a segment by what `change` makes of it. */
const segment = (index, change) => (token) =>
  token
    .split('.')
    .map((text, at) => (at === index ? change(text) : text))
    .join('.');

/** The same octets with a spare bit set at the end. */
function spareBit(text) {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return text.slice(0, -1) + alphabet[alphabet.indexOf(text.at(-1)) + 1];
}

/** A token of exactly `length` characters, filled up by a claim and a header member that nobody knows. */
function ofLength(name, length) {
  for (let inHeader = 0; inHeader < 4; inHeader += 1) {
    for (let fill = length / 2; fill < length; fill += 1) {
      const payload = { ...claimsOf(name, GET), fill: 'x'.repeat(Math.floor(fill)) };
      const head = { ...headerOf('instance'), fill: 'x'.repeat(inHeader) };
      const size = b64u(JSON.stringify(head)).length + b64u(JSON.stringify(payload)).length + 2 + 86;
      if (size === length) return jws({ header: head, payload });
    }
  }
  throw new Error('no such length');
}

const NAMES = Array.from({ length: 65 }, (_, index) => `x-acme-${index}`);

const structures = () => [
  aCase('no TAB-Token', 'missing_token', { token: () => [] }),
  aCase('an empty TAB-Token', 'missing_token', { token: () => '' }),
  structure('two TAB-Token headers', (token) => [token, token]),
  structure('two tokens joined by a comma', (token) => `${token}, ${token}`),
  structure('a space in front', (token) => ` ${token}`),
  structure('two segments', (token) => token.split('.', 2).join('.')),
  structure('four segments', (token) => `${token}.${token.split('.')[2]}`),
  structure('five segments, as a JWE has', () => 'a.a.a.a.a'),
  structure(
    'an empty header',
    segment(0, () => ''),
  ),
  structure(
    'an empty payload',
    segment(1, () => ''),
  ),
  structure(
    'an empty signature',
    segment(2, () => ''),
  ),
  structure(
    'padding',
    segment(2, (text) => `${text}==`),
  ),
  structure(
    'standard base64',
    segment(2, (text) => `+${text.slice(1)}`),
  ),
  structure('a spare bit in the signature', segment(2, spareBit)),
  structure(
    'a length that base64url does not have',
    segment(0, (text) => text.slice(0, Math.floor(text.length / 4) * 4 + 1)),
  ),
  aCase('structure: 4,096 octets', 'accepted', { token: () => ofLength('4096', 4096) }),
  structure('4,097 octets', () => ofLength('4097', 4097)),
];

const headers = () => [
  rawHeader('no JSON', '{"typ":"tab+jwt"'),
  rawHeader('an array', '["tab+jwt","ES256"]'),
  rawHeader('null', 'null'),
  rawHeader('no UTF-8', Buffer.from('7b22747970223a22ff227d', 'hex')),
  rawHeader(
    'a byte order mark',
    Buffer.concat([Buffer.from('efbbbf', 'hex'), Buffer.from(JSON.stringify(headerOf('instance')))]),
  ),
  header('no typ', { typ: undefined }),
  header('typ JWT', { typ: 'JWT' }),
  header('typ in upper case', { typ: 'TAB+JWT' }),
  header('typ as a media type', { typ: 'application/tab+jwt' }),
  header('typ of an enrolment', { typ: 'tab-enroll+jwt' }),
  header('no alg', { alg: undefined }),
  header('alg is no text', { alg: ['ES256'] }),
  header('no kid', { kid: undefined }),
  header('kid is no text', { kid: 7 }),
  header('kid too short', { kid: 'A'.repeat(42) }),
  header('kid too long', { kid: 'A'.repeat(44) }),
  header('kid with another character', { kid: `${'A'.repeat(42)}+` }),
  header('jwk', { jwk: publicOf(keys.instance.privateJwk) }),
  header('jku', { jku: 'https://evil.example/keys' }),
  header('x5c', { x5c: [] }),
  header('x5u', { x5u: 'https://evil.example/chain' }),
  header('crit', { crit: ['exp'], exp: 1 }),
  header('b64', { b64: false }),
  header('a refused member that is null', { jwk: null }),
];

const payloads = () => [
  malformed('claims: no JSON', { payload: '{"jti":' }),
  malformed('claims: an array', { payload: '[]' }),
  malformed('claims: text', { payload: '"claims"' }),
  malformed('claims: no UTF-8', { payload: Buffer.from('7b2261223a22c328227d', 'hex') }),
  ...['jti', 'iat', 'htm', 'htu', 'app', 'rt'].flatMap((name) => [
    claim(`${name} is missing`, { [name]: undefined }),
    claim(`${name} is null`, { [name]: null }),
  ]),
  claim('jti too short', { jti: 'A'.repeat(21) }),
  aCase('claim jti as short as can be', 'accepted', { claims: { jti: 'B'.repeat(22) } }),
  aCase('claim jti as long as can be', 'accepted', { claims: { jti: '_-'.repeat(32) } }),
  claim('jti too long', { jti: 'A'.repeat(65) }),
  claim('jti with another character', { jti: 'A.'.repeat(12) }),
  claim('jti is a number', { jti: 7 }),
  claim('iat is text', { iat: String(NOW) }),
  claim('iat is no integer', { iat: NOW + 0.5 }),
  claim('iat is negative', { iat: -1 }),
  claim('iat is too large', { iat: 2 ** 53 }),
  claim('exp is text', { exp: String(NOW + 10) }),
  claim('exp is null', { exp: null }),
  claim('nonce is a number', { nonce: 7 }),
  claim('htm is a list', { htm: ['GET'] }),
  claim('qsh is a number', { qsh: 7 }),
  claim('bh is false', { bh: false }),
  claim('ct is a list', { ct: ['application/json'] }),
  claim('ath is null', { ath: null }),
  claim('sid is a number', { sid: 7 }),
  claim('hd is a list', { hd: [] }),
  claim('hd has a name in upper case', { hd: { 'X-Id': 'x' } }),
  claim('hd has a value that is no text', { hd: { 'x-id': 7 } }),
];

const members = () => [
  claim('app is text', { app: APP }),
  app('id is missing', { id: undefined }),
  app('id is empty', { id: '' }),
  app('id with another character', { id: 'com example' }),
  app('id too long', { id: 'a'.repeat(129) }),
  app('ver is missing', { ver: undefined }),
  app('ver of two numbers', { ver: '1.4' }),
  app('ver with a zero in front', { ver: '01.4.0' }),
  app('ver with a v', { ver: 'v1.4.0' }),
  claim('rt is a list', { rt: [] }),
  rt('at is missing', { at: undefined }),
  rt('at is after iat', { at: NOW + 1 }),
  rt('at is no integer', { at: NOW - 0.5 }),
  rt('found is missing', { found: undefined }),
  rt('found is text', { found: 'root' }),
  rt('found has a number', { found: [7] }),
  rt('found has a name in upper case', { found: ['Root'] }),
  rt('found has an empty name', { found: [''] }),
  rt('found has a name too long', { found: ['a'.repeat(65)] }),
  rt('found has a name twice', { found: ['vpn', 'vpn'] }),
  rt('clear is missing', { clear: undefined }),
  rt('clear has a name twice', { clear: ['root', 'debugger', 'root'] }),
  rt('a name is found and clear', { found: ['root'] }),
  rt('65 names', { clear: NAMES }),
  rt('65 names in both lists together', { found: NAMES.slice(0, 33), clear: NAMES.slice(33) }),
  aCase('claim rt with 64 names', 'accepted', {
    claims: { rt: evidence({ clear: ['root', 'debugger', ...NAMES.slice(0, 62)] }) },
  }),
  rt('sdk is missing', { sdk: undefined }),
  rt('sdk is empty', { sdk: '' }),
  rt('sdk too long', { sdk: 'a'.repeat(65) }),
  rt('sdk with a control character', { sdk: 'a\n' }),
  rt('sdk beyond ASCII', { sdk: 'café' }),
];

export const malformedCases = () => [...structures(), ...headers(), ...payloads(), ...members()];
