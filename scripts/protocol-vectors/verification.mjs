// Requests, and how a server answers them. Challenges are not asked for, so that any server can be held to it.
import { malformedCases } from './malformed.mjs';
import { b64u, field, fixedOctets, idOf, keys, NOW, ORDER, publicOf, signBy } from './crypto.mjs';
import { bindings } from './bindings.mjs';
import { aCase, aStep, CREDENTIAL, evidence, GET, POST, SESSION } from './server.mjs';

/** Every request of the binding group is accepted by the server that it was made for. */
function acceptedBindings() {
  return bindings.map(({ description, request, boundHeaders, credentialCookie }) => {
    const body = Buffer.from(request.bodyBase64, 'base64');
    const parts = { ...request, body, bound: boundHeaders, cookie: credentialCookie };
    const settings = credentialCookie && { credentialCookie };
    return aCase(`binding: ${description}`, 'accepted', { request: parts, settings });
  });
}

const iat = (name, expect, offset, claims = {}) =>
  aCase(name, expect, { claims: { iat: NOW + offset, rt: evidence({ at: NOW - 100 }), ...claims } });

const times = () => [
  iat('iat is as old as can be', 'accepted', -65),
  iat('iat is as new as can be', 'accepted', 5),
  iat('iat is a second too old', 'stale_token', -66),
  iat('iat is a second too new', 'stale_token', 6),
  iat('exp is in the past, just tolerated', 'accepted', -20, { exp: NOW - 4 }),
  iat('exp has passed', 'stale_token', -20, { exp: NOW - 5 }),
  iat('exp is not after iat', 'stale_token', 0, { exp: NOW }),
  iat('exp does not make the life longer', 'stale_token', -66, { exp: NOW + 1000 }),
];

/** A token for `as`, sent with `request`. */
const elsewhere = (name, as, request, more = {}) => aCase(name, 'request_mismatch', { as, request, ...more });
const htu = (name, text, expect = 'request_mismatch') => aCase(`htu: ${name}`, expect, { claims: { htu: text } });
const target = (name, text) => aCase(`target: ${name}`, 'request_mismatch', { request: { ...GET, target: text } });

const targets = () => [
  elsewhere('the token is for another method', GET, { ...GET, method: 'DELETE' }),
  elsewhere('the token is for GET, the request is HEAD', GET, { ...GET, method: 'HEAD' }),
  aCase('htm in another case', 'request_mismatch', { claims: { htm: 'get' } }),
  elsewhere('the token is for another path', GET, { ...GET, target: '/v1/accounts/7' }),
  elsewhere('the path has a slash more', GET, { ...GET, target: '/v1/accounts/' }),
  elsewhere('the path has another case', GET, { ...GET, target: '/v1/Accounts' }),
  elsewhere('the path is percent-encoded in another case', { ...GET, target: '/a%2fb' }, { ...GET, target: '/a%2Fb' }),
  elsewhere('the path is decoded', { ...GET, target: '/%61' }, { ...GET, target: '/a' }),
  htu('scheme and host in upper case', 'HTTPS://API.EXAMPLE.COM/v1/accounts', 'accepted'),
  htu('with the default port', 'https://api.example.com:443/v1/accounts', 'accepted'),
  htu('another scheme', 'http://api.example.com/v1/accounts'),
  htu('another host', 'https://api.example.org/v1/accounts'),
  htu('a longer host', 'https://api.example.com.evil.example/v1/accounts'),
  htu('another port', 'https://api.example.com:8443/v1/accounts'),
  htu('with userinfo', 'https://a@api.example.com/v1/accounts'),
  htu('with a query', 'https://api.example.com/v1/accounts?'),
  htu('with a fragment', 'https://api.example.com/v1/accounts#'),
  htu('a path only', '/v1/accounts'),
  htu('empty', ''),
  target('absolute form', 'https://api.example.com/v1/accounts'),
  target('asterisk form', '*'),
  target('a fragment', '/v1/accounts#top'),
  target('a backslash', '/v1\\accounts'),
  target('a space', '/v1/my accounts'),
  target('an octet above 0x7E', '/v1/caf\u00e9'),
  target('a dot segment', '/v1/./accounts'),
  target('two dots', '/v1/../accounts'),
  target('two dots at the end', '/v1/accounts/..'),
  target('an encoded dot segment', '/v1/%2e/accounts'),
  target('encoded dots', '/v1/%2E./accounts'),
  aCase('dots within a segment are no dot segment', 'accepted', {
    request: { ...GET, target: '/v1/..a/.b/c../%2e%2e%2e' },
  }),
  aCase('whatever Host says, the one origin counts', 'accepted', { request: { ...GET, authority: 'evil.example' } }),
];

const PREFIXED = { origins: ['https://api.example.com/bank'] };
const SEVERAL = { origins: ['https://api.example.com', 'https://api.example.org:8443/bank'] };
const at = (origin, change = {}) => ({ ...GET, origin, ...change });

const origins = () => [
  aCase('a prefix that the gateway strips is part of htu', 'accepted', {
    settings: PREFIXED,
    request: at('https://api.example.com/bank'),
  }),
  aCase('htu without the prefix', 'request_mismatch', { settings: PREFIXED }),
  aCase('one of several origins, selected by the authority', 'accepted', {
    settings: SEVERAL,
    request: at('https://api.example.org:8443/bank', { authority: 'API.example.org:8443' }),
  }),
  aCase('an authority that selects another origin than htu', 'request_mismatch', {
    settings: SEVERAL,
    request: at('https://api.example.com', { authority: 'api.example.org:8443' }),
  }),
  aCase('an authority that selects none of several origins', 'request_mismatch', {
    settings: SEVERAL,
    request: { ...GET, authority: 'evil.example' },
  }),
];

const withHeaders = (request, ...headers) => ({ ...request, headers: [...(request.headers ?? []), ...headers] });
const typed = (type) => ({ ...POST, headers: type === undefined ? [] : [['Content-Type', type]] });

const content = () => [
  aCase('a whole POST', 'accepted', { request: POST }),
  elsewhere('no qsh', { ...POST, target: '/v1/transfers' }, POST),
  elsewhere('qsh without a query', POST, { ...POST, target: '/v1/transfers' }),
  elsewhere('qsh where the query is empty', POST, { ...POST, target: '/v1/transfers?' }),
  elsewhere('another query', POST, { ...POST, target: '/v1/transfers?dry=0' }),
  elsewhere('the query in another order', { ...GET, target: '/?a=1&b=2' }, { ...GET, target: '/?b=2&a=1' }),
  elsewhere('no bh', { ...POST, body: undefined }, POST),
  elsewhere('bh without content', POST, { ...POST, body: undefined }),
  elsewhere('another body', POST, { ...POST, body: Buffer.from('{"amount":"999.00"}') }),
  elsewhere('a body with a line break more', POST, { ...POST, body: Buffer.from('{"amount":"100.00"}\n') }),
  elsewhere('a GET with a body that the token does not have', GET, { ...GET, body: Buffer.from('x') }),
  elsewhere('no ct', typed(undefined), POST),
  elsewhere('ct without a Content-Type', POST, typed(undefined)),
  elsewhere('another Content-Type', POST, typed('text/plain')),
  aCase('ct in upper case', 'request_mismatch', { request: POST, claims: { ct: 'Application/JSON' } }),
  aCase('ct with parameters', 'request_mismatch', {
    request: typed('application/json; charset=utf-8'),
    claims: { ct: 'application/json; charset=utf-8' },
  }),
  aCase('ct without content', 'request_mismatch', { claims: { ct: 'application/json' } }),
  aCase('a Content-Encoding', 'request_mismatch', { request: withHeaders(POST, ['Content-Encoding', 'gzip']) }),
  aCase('Content-Encoding identity is none', 'accepted', {
    request: withHeaders(POST, ['Content-Encoding', 'identity']),
  }),
  aCase('a policy that does not bind bodies takes a token without bh', 'accepted', {
    policy: { body: false },
    as: { ...POST, body: undefined },
    request: POST,
  }),
];

const BEARER = ['Authorization', `Bearer ${CREDENTIAL}`];
const KEYED = { ...withHeaders(GET, ['Idempotency-Key', '1']), bound: ['Idempotency-Key'] };
const namedHeader = (what, ...sent) => elsewhere(`a header named in hd ${what}`, KEYED, withHeaders(GET, ...sent));
const headers = () => [
  elsewhere('no ath', GET, withHeaders(GET, BEARER)),
  elsewhere('ath without a credential', withHeaders(GET, BEARER), GET),
  elsewhere(
    'ath of another credential',
    withHeaders(GET, BEARER),
    withHeaders(GET, ['Authorization', 'Bearer stolen']),
  ),
  aCase('ath over the scheme too', 'request_mismatch', {
    request: withHeaders(GET, BEARER),
    claims: { ath: b64u(fixedOctets('any', 32)) },
  }),
  aCase('two Authorization headers', 'request_mismatch', { request: withHeaders(GET, BEARER, BEARER) }),
  elsewhere('a scheme without a credential', GET, withHeaders(GET, ['Authorization', 'Bearer'])),
  elsewhere('no ath for a credential in a cookie', GET, withHeaders(GET, ['Cookie', 'bank_session=1']), {
    settings: { credentialCookie: 'bank_session' },
  }),
  aCase('a header that the policy names is not in hd', 'request_mismatch', {
    policy: { headers: ['idempotency-key'] },
    request: withHeaders(GET, ['Idempotency-Key', '1']),
  }),
  aCase('a header that the policy names is in hd', 'accepted', {
    policy: { headers: ['idempotency-key'] },
    request: { ...withHeaders(GET, ['IDEMPOTENCY-KEY', '1']), bound: ['Idempotency-Key'] },
  }),
  namedHeader('has another value', ['Idempotency-Key', '2']),
  namedHeader('is absent'),
  namedHeader('occurs twice', ['Idempotency-Key', '1'], ['Idempotency-Key', '1']),
  aCase('another app than the one enrolled', 'request_mismatch', {
    claims: { app: { id: 'com.example.other', ver: '1.4.0' } },
  }),
];

const algorithm = (name, header) => aCase(`alg: ${name}`, 'unsupported_alg', { header });
const algorithms = () => [
  aCase('EdDSA', 'accepted', { key: 'ed25519' }),
  aCase('Ed25519, the other name of EdDSA', 'accepted', { key: 'ed25519', header: { alg: 'Ed25519' } }),
  algorithm('none', { alg: 'none' }),
  algorithm('HS256', { alg: 'HS256' }),
  algorithm('in lower case', { alg: 'es256' }),
  algorithm('not configured', { alg: 'RS256' }),
  algorithm('configured, but not that of the enrolled key', { alg: 'EdDSA' }),
  aCase('alg: ES256 under an Ed25519 key', 'unsupported_alg', { key: 'ed25519', header: { alg: 'ES256' } }),
];

const by = (signer) => (input) => signBy(signer, input);
const changed = (change) => (input) => {
  const signature = Buffer.from(signBy('instance', input));
  return change(signature) ?? signature;
};
const zero = Buffer.alloc(32);
const bad = (name, signature) => aCase(`signature: ${name}`, 'bad_signature', { signature });
const highS = (signature) =>
  Buffer.concat([signature.subarray(0, 32), field(ORDER - BigInt(`0x${signature.subarray(32).toString('hex')}`))]);

const signatures = () => [
  aCase('a key that is not enrolled', 'unknown_instance', { key: 'stranger' }),
  aCase('an unknown kid', 'unknown_instance', { header: { kid: 'A'.repeat(43) } }),
  bad('by another enrolled key', by('otherInstance')),
  bad(
    'a bit changed',
    changed((signature) => void (signature[10] ^= 1)),
  ),
  bad('over another payload', () => signBy('instance', 'e30.e30')),
  bad(
    'an octet short',
    changed((signature) => signature.subarray(0, 63)),
  ),
  bad(
    'an octet long',
    changed((signature) => Buffer.concat([signature, Buffer.alloc(1)])),
  ),
  bad(
    'in DER',
    changed((s) => Buffer.concat([Buffer.of(0x30, 68, 2, 32), s.subarray(0, 32), Buffer.of(2, 32), s.subarray(32)])),
  ),
  bad('all zeros', () => Buffer.alloc(64)),
  bad(
    'r is zero',
    changed((signature) => Buffer.concat([zero, signature.subarray(32)])),
  ),
  bad(
    's is zero',
    changed((signature) => Buffer.concat([signature.subarray(0, 32), zero])),
  ),
  bad(
    'r is the order',
    changed((signature) => Buffer.concat([field(ORDER), signature.subarray(32)])),
  ),
  bad(
    'r and s exchanged',
    changed((s) => Buffer.concat([s.subarray(32), s.subarray(0, 32)])),
  ),
];

const LATER = NOW + 40;
const replays = () => {
  const jti = b64u(fixedOctets('one jti', 16));
  const step = (name, expect, more = {}) => aStep(name, expect, more);
  const twice = step('replayed', 'accepted');
  return [
    { name: 'the same token twice', steps: [twice, { ...twice, expect: 'replayed_token' }] },
    {
      name: 'the same token again at the end of its life',
      steps: [twice, { ...twice, at: NOW + 65, expect: 'replayed_token' }],
    },
    { name: 'the same token after its life', steps: [twice, { ...twice, at: NOW + 66, expect: 'stale_token' }] },
    {
      name: 'the same token with the other signature that verifies (n − s)',
      steps: [step('other s', 'accepted'), step('other s', 'replayed_token', { signature: changed(highS) })],
    },
    {
      name: 'another token with the same jti',
      steps: [
        step('a', 'accepted', { claims: { jti } }),
        step('b', 'replayed_token', { claims: { jti }, request: { ...GET, target: '/v1/cards' } }),
      ],
    },
    {
      name: 'the same jti by another instance',
      steps: [
        step('a', 'accepted', { claims: { jti } }),
        step('b', 'accepted', { claims: { jti }, key: 'otherInstance' }),
      ],
    },
    {
      name: 'a token that was refused for its signature is not spent',
      steps: [
        step('c', 'bad_signature', { signature: () => Buffer.alloc(64, 7) }),
        step('c', 'accepted', { at: LATER }),
      ],
    },
    {
      name: 'a token that was refused for its request is not spent',
      steps: [
        step('d', 'request_mismatch', { as: GET, request: { ...GET, target: '/v1/cards' } }),
        step('d', 'accepted'),
      ],
    },
  ];
};

const SESSIONS = { session: 'required' };
const signedIn = withHeaders(GET, BEARER);
const session = (name, expect, sid, more = {}) =>
  aCase(`session: ${name}`, expect, { policy: SESSIONS, request: signedIn, claims: { sid }, ...more });
const withCredential = (credential) => ({ request: withHeaders(GET, ['Authorization', `Bearer ${credential}`]) });

const sessions = () => [
  session('of this instance, with its credential', 'accepted', SESSION),
  session('sid is missing', 'invalid_session', undefined),
  session('unknown', 'invalid_session', 'session-of-nobody-00000'),
  session('no session id at all', 'invalid_session', '?'),
  session('ended', 'invalid_session', 'session-that-has-ended0', withCredential('ended')),
  session('expired', 'invalid_session', 'session-that-expired000', withCredential('expired')),
  session('of another instance', 'invalid_session', 'session-of-another-one0', withCredential('another')),
  session('another credential', 'invalid_session', SESSION, withCredential('another')),
  session('no credential', 'invalid_session', SESSION, { request: GET }),
  aCase('session: not asked for, so an unknown sid is ignored', 'accepted', {
    claims: { sid: 'session-of-nobody-00000' },
  }),
];

const denied = (name, change, more = {}) =>
  aCase(`trust: ${name}`, 'insufficient_trust', { claims: { rt: evidence(change) }, ...more });
const passed = (name, change, more = {}) =>
  aCase(`trust: ${name}`, 'accepted', { claims: { rt: evidence(change) }, ...more });
const version = (name, expect, ver) =>
  aCase(`version: ${name}`, expect, { claims: { app: { id: 'com.example.bank', ver } } });

const trust = () => [
  aCase('a suspended instance', 'instance_suspended', { key: 'suspended' }),
  aCase('a revoked instance', 'instance_revoked', { key: 'revoked' }),
  denied('a threat was found', { found: ['vpn'] }),
  denied('an unknown threat was found', { found: ['x-acme-thing'] }),
  denied('a threat of no known form was found', { found: ['something'] }),
  denied('a required probe was not run', { clear: ['root'] }),
  denied('nothing was checked', { clear: [] }),
  passed('an unknown name in clear is ignored', { clear: ['root', 'debugger', 'x-acme-thing', 'something'] }),
  passed('evidence as old as can be', { at: NOW - 300 }),
  denied('evidence a second too old', { at: NOW - 301 }),
  passed('evidence measured at iat', { at: NOW }),
  version('the lowest that is allowed', 'accepted', '1.2.0'),
  version('with build metadata', 'accepted', '1.2.0+7'),
  version('too low', 'insufficient_trust', '1.1.9'),
  version('a pre-release of the lowest is lower', 'insufficient_trust', '1.2.0-rc.1'),
  version('compared by number', 'accepted', '1.10.0'),
  aCase('assurance as required', 'accepted', { policy: { assurance: 'tee' } }),
  aCase('assurance too low', 'insufficient_trust', { policy: { assurance: 'tee' }, key: 'otherInstance' }),
];

const order = () => [
  aCase('order: ill-typed and stale', 'malformed_token', {
    claims: { iat: NOW - 1000, rt: evidence({ at: NOW - 2000 }), app: 7 },
  }),
  aCase('order: stale and for another request', 'stale_token', {
    claims: { iat: NOW - 1000, rt: evidence({ at: NOW - 2000 }), htm: 'PUT' },
  }),
  aCase('order: for another request and unknown', 'request_mismatch', { claims: { htm: 'PUT' }, key: 'stranger' }),
  aCase('order: unknown, and the signature does not verify', 'unknown_instance', {
    key: 'stranger',
    signature: () => Buffer.alloc(64, 1),
  }),
  aCase('order: the signature does not verify, and the body is another', 'bad_signature', {
    as: POST,
    request: { ...POST, body: Buffer.from('{}') },
    signature: () => Buffer.alloc(64, 1),
  }),
  aCase('order: the body is another, and the instance is suspended', 'request_mismatch', {
    key: 'suspended',
    as: POST,
    request: { ...POST, body: Buffer.from('{}') },
  }),
  aCase('order: suspended, and no session', 'instance_suspended', { key: 'suspended', policy: SESSIONS }),
  aCase('order: no session, and a threat', 'invalid_session', {
    policy: SESSIONS,
    claims: { rt: evidence({ found: ['vpn'] }) },
  }),
];

const ignored = () => [
  aCase('unknown claims are ignored', 'accepted', { claims: { iss: 'me', aud: ['you'], future: { a: 1 } } }),
  aCase('unknown header members are ignored', 'accepted', { header: { cty: 'json', 'x-new': [1] } }),
  aCase('a nonce is ignored where none is required', 'accepted', { claims: { nonce: '' } }),
  aCase('of duplicate header members the last counts', 'accepted', {
    header: { raw: `{"typ":"JWT","alg":"none","alg":"ES256","typ":"tab+jwt","kid":"${idOf('instance')}"}` },
  }),
  aCase('white space in the JSON of header and claims', 'accepted', {
    header: { raw: ` { "kid" : "${idOf('instance')}" ,\n"alg":"ES256","typ":"tab+jwt"} ` },
  }),
  aCase('an enrolment token on a route', 'malformed_token', {
    header: { typ: 'tab-enroll+jwt', kid: undefined, jwk: publicOf(keys.instance.privateJwk) },
  }),
];

export const verificationCases = () => [
  ...acceptedBindings(),
  ...ignored(),
  ...malformedCases(),
  ...algorithms(),
  ...times(),
  ...targets(),
  ...origins(),
  ...content(),
  ...headers(),
  ...signatures(),
  ...replays(),
  ...sessions(),
  ...trust(),
  ...order(),
];
