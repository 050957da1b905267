// Thumbprints, the binding value of enrolments, and the claims that tie a token to a request.
import { digest, fixedOctets, idOf, keys, latin1, publicOf, sha256, thumbprintInput, thumbprintOf } from './crypto.mjs';

export const ORIGIN = 'https://api.example.com';

const RFC_7638 = {
  kty: 'RSA',
  n: '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw',
  e: 'AQAB',
};

const hintsOf = (jwk) => ({ use: 'sig', alg: 'ES256', kid: 'ignored', key_ops: ['verify'], ...jwk });
const aThumbprint = (name, jwk) => ({ name, jwk, input: thumbprintInput(jwk), thumbprint: thumbprintOf(jwk) });

export const thumbprints = [
  aThumbprint('EC, P-256', publicOf(keys.instance.privateJwk)),
  aThumbprint('EC with members that do not count, in another order', hintsOf(publicOf(keys.instance.privateJwk))),
  aThumbprint('OKP, Ed25519', publicOf(keys.ed25519.privateJwk)),
  aThumbprint('RSA, the example of RFC 7638 section 3.1', RFC_7638),
];

function anEnrolment(name, { origin = ORIGIN, challenge, appId = 'com.example.bank', thumbprint = idOf('instance') }) {
  const message = ['tab-enroll-v1', origin, challenge, appId, thumbprint].join('\n');
  const hash = sha256(message);
  const messageHex = Buffer.from(message).toString('hex');
  return {
    name,
    origin,
    challenge,
    appId,
    thumbprint,
    messageHex,
    sha256Hex: hash.toString('hex'),
    base64url: digest(message),
  };
}

const challenge = fixedOctets('enrolment challenge', 32).toString('base64url');

export const enrolmentBindings = [
  anEnrolment('ES256', { challenge }),
  anEnrolment('EdDSA', { challenge, thumbprint: idOf('ed25519') }),
  anEnrolment('an origin with a port', { challenge, origin: 'https://api.example.com:8443' }),
  anEnrolment('a challenge with dots', { challenge: `v1.${challenge}.2` }),
  anEnrolment('an app id with every kind of character', { challenge, appId: 'Com.Example_Bank:de-AT' }),
  anEnrolment('evidence made together with the key: the last line is empty', { challenge, thumbprint: '' }),
];

const fieldsOf = (headers, name) => headers.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value);

/** The credential in a request: what follows the scheme, or the cookie. */
function credentialOf(headers, cookie) {
  const [authorization] = fieldsOf(headers, 'authorization');
  if (authorization !== undefined) return /^[^ ]+ +(.+)$/.exec(authorization)?.[1];
  const pairs = fieldsOf(headers, 'cookie').flatMap((value) => value.split(';'));
  const pair = pairs.map((each) => each.trim()).find((each) => cookie && each.startsWith(`${cookie}=`));
  return pair && pair.slice(pair.indexOf('=') + 1);
}

/** The binding claims of a request as it is sent (section 2), and the octets behind each hash. */
export function bindingOf({ origin = ORIGIN, method, target, headers = [], body, bound = [], cookie }) {
  const mark = target.indexOf('?');
  const path = mark === -1 ? target : target.slice(0, mark);
  const query = mark === -1 ? '' : target.slice(mark + 1);
  const [contentType] = fieldsOf(headers, 'content-type');
  const mediaType = contentType?.split(';')[0].trim().toLowerCase();
  const credential = credentialOf(headers, cookie);
  const hasBody = body !== undefined && body.length > 0;
  const octets = {
    ...(query !== '' && { qsh: latin1(query) }),
    ...(hasBody && { bh: body }),
    ...(credential && { ath: latin1(credential) }),
  };
  const hd = bound.map((name) => [name.toLowerCase(), latin1(fieldsOf(headers, name.toLowerCase())[0])]);
  const hash = (entries) => Object.fromEntries(entries.map(([name, data]) => [name, digest(data)]));
  const claims = {
    htm: method,
    htu: origin + (path === '' ? '/' : path),
    ...hash(Object.entries(octets).filter(([name]) => name !== 'ath')),
    ...(hasBody && mediaType && { ct: mediaType }),
    ...hash(Object.entries(octets).filter(([name]) => name === 'ath')),
    ...(hd.length > 0 && { hd: hash(hd) }),
  };
  return { claims, hashed: [...Object.entries(octets), ...hd.map(([name, data]) => [`hd.${name}`, data])].map(aHash) };
}

function aHash([claim, data]) {
  return { claim, octetsHex: data.toString('hex'), sha256Hex: sha256(data).toString('hex'), value: digest(data) };
}

function aBinding(description, { url, method = 'GET', authority, ...request }) {
  const headers = request.headers ?? [];
  const target = request.target;
  const { claims, hashed } = bindingOf({ ...request, method, headers });
  return {
    description,
    url: url ?? ORIGIN + target,
    ...(request.bound && { boundHeaders: request.bound }),
    ...(request.cookie && { credentialCookie: request.cookie }),
    request: {
      method,
      authority: authority ?? 'api.example.com',
      target,
      headers,
      bodyBase64: (request.body ?? Buffer.alloc(0)).toString('base64'),
    },
    hashed,
    claims,
  };
}

const json = (text) => ({ method: 'POST', headers: [['Content-Type', 'application/json']], body: Buffer.from(text) });
const TYPE = 'Content-Type';
const AUTH = 'Authorization';

export const bindings = [
  aBinding('a plain GET', { target: '/v1/accounts' }),
  aBinding('no path: the path is /', { url: ORIGIN, target: '/' }),
  aBinding('a query', { target: '/v1/accounts?page=2&size=10' }),
  aBinding('a query that is empty is none', { target: '/v1/accounts?' }),
  aBinding('a query that begins with ?', { target: '/v1/accounts??a=1' }),
  aBinding('a query with a slash, a plus and a bare %', { target: '/v1/search?q=a+b/c%20d&x=100%' }),
  aBinding('the order of a query stays', { target: '/v1/accounts?b=2&a=1' }),
  aBinding('percent-encoding stays as it is sent: upper case', { target: '/v1/files/a%2Fb%C3%A9' }),
  aBinding('percent-encoding stays as it is sent: lower case', { target: '/v1/files/a%2fb%c3%a9' }),
  aBinding('percent-encoding of what needs none stays', { target: '/v1/%61ccounts' }),
  aBinding('a path with two slashes, and one at the end', { target: '/v1//accounts/' }),
  aBinding('a path with a semicolon and a colon', { target: '/v1/accounts;v=2/a:b' }),
  aBinding('a path in mixed case', { target: '/V1/Accounts' }),
  aBinding('a fragment is not sent', { url: `${ORIGIN}/v1/accounts?a=1#top`, target: '/v1/accounts?a=1' }),
  aBinding('the host in upper case', { url: 'HTTPS://API.Example.COM/v1/accounts', target: '/v1/accounts' }),
  aBinding('the default port', { url: 'https://api.example.com:443/v1/accounts', target: '/v1/accounts' }),
  aBinding('HEAD is HEAD', { method: 'HEAD', target: '/v1/accounts' }),
  aBinding('a method of one\u2019s own, in its case', { method: 'Purge', target: '/v1/accounts' }),
  aBinding('a JSON body', { target: '/v1/transfers', ...json('{"amount":"100.00"}') }),
  aBinding('white space in a body counts', { target: '/v1/transfers', ...json('{ "amount": "100.00" }\n') }),
  aBinding('a body of one octet', { target: '/v1/transfers', ...json('7') }),
  aBinding('an empty body is none, and has no type', {
    method: 'POST',
    target: '/v1/transfers',
    headers: [[TYPE, 'application/json']],
    body: Buffer.alloc(0),
  }),
  aBinding('a body without a type', { method: 'POST', target: '/v1/blobs', body: Buffer.from('data') }),
  aBinding('a binary body, zero octets included', {
    method: 'PUT',
    target: '/v1/blobs/7',
    headers: [[TYPE, 'application/octet-stream']],
    body: Buffer.from('00ff0a0d00807f', 'hex'),
  }),
  aBinding('a body in UTF-8', { target: '/v1/notes', ...json('{"text":"Grüße, 世界 🎈"}') }),
  aBinding('a DELETE with a body', { target: '/v1/notes/7', ...json('{}'), method: 'DELETE' }),
  aBinding('parameters of the type are left out, and it is in lower case', {
    method: 'POST',
    target: '/v1/notes',
    headers: [[TYPE, 'Application/Merge-Patch+JSON ; charset="UTF-8"']],
    body: Buffer.from('{}'),
  }),
  aBinding('a form', {
    method: 'POST',
    target: '/v1/login',
    headers: [[TYPE, 'application/x-www-form-urlencoded;charset=UTF-8']],
    body: Buffer.from('user=alice&note=a+b%20c'),
  }),
  aBinding('a bearer token', { target: '/v1/accounts', headers: [[AUTH, 'Bearer abc.def-ghi']] }),
  aBinding('any scheme: Basic', { target: '/v1/accounts', headers: [[AUTH, 'Basic dXNlcjpwYXNz']] }),
  aBinding('a scheme in lower case, and two spaces', { target: '/v1/accounts', headers: [[AUTH, 'dpop  abc.def']] }),
  aBinding('a credential of several parameters is one', {
    target: '/v1/accounts',
    headers: [[AUTH, 'Digest username="alice", realm="a b", nonce="n", uri="/v1/accounts", response="r"']],
  }),
  aBinding('a credential with octets above 0x7F', { target: '/v1/accounts', headers: [[AUTH, 'Key caf\u00e9\u00ff']] }),
  aBinding('a credential in a cookie', {
    target: '/v1/accounts',
    headers: [['Cookie', 'theme=dark; bank_session=s%3Aabc.d=e==; lang=de']],
    cookie: 'bank_session',
  }),
  aBinding('other cookies are no credential', {
    target: '/v1/accounts',
    headers: [['Cookie', 'theme=dark; my_bank_session=1']],
    cookie: 'bank_session',
  }),
  aBinding('a bound header, its name in lower case', {
    target: '/v1/transfers',
    ...json('{}'),
    headers: [
      [TYPE, 'application/json'],
      ['Idempotency-Key', '8e03978e-40d5-43dd-bc93-6894a57f9324'],
    ],
    bound: ['Idempotency-Key'],
  }),
  aBinding('several bound headers, one empty, one with octets above 0x7F', {
    target: '/v1/accounts',
    headers: [
      ['X-Empty', ''],
      ['X-Name', 'J\u00fcrgen, "a"  b'],
      ['Accept', '*/*'],
    ],
    bound: ['X-Empty', 'X-Name'],
  }),
  aBinding('everything at once', {
    target: '/v1/transfers?dry=1',
    ...json('{"amount":"1"}'),
    headers: [
      [TYPE, 'application/json; charset=utf-8'],
      [AUTH, 'Bearer token-of-alice'],
      ['Idempotency-Key', '1'],
    ],
    bound: ['Idempotency-Key'],
  }),
];
