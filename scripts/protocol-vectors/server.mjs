// The server that the cases are for, and what makes a request with its token.
import { b64u, digest, fixedOctets, idOf, keys, NOW, publicOf, signBy } from './crypto.mjs';
import { bindingOf } from './bindings.mjs';

export const APP = 'com.example.bank';
export const SECRET = 'TEST ONLY secret of 32 octets and more';
export const CREDENTIAL = 'token-of-alice';
export const SESSION = 'session-of-alice-000000';

const anInstance = (key, change = {}) => ({
  key,
  id: idOf(key),
  alg: keys[key].alg,
  jwk: publicOf(keys[key].privateJwk),
  app: APP,
  status: 'active',
  assurance: 'tee',
  format: 'android-key',
  attestedAt: NOW - 1000,
  attestationExpiresAt: NOW + 100_000,
  ...change,
});

const aSession = (id, change = {}) => ({
  id,
  instance: idOf('instance'),
  subject: 'alice',
  credentialHash: digest(CREDENTIAL),
  expiresAt: NOW + 3600,
  ...change,
});

export const server = {
  now: NOW,
  origins: ['https://api.example.com'],
  algorithms: ['ES256', 'EdDSA'],
  tokenLifetime: 60,
  clockTolerance: 5,
  challengeLifetime: 300,
  secretUtf8: SECRET,
  apps: [
    { id: APP, platform: 'android', minVersion: '1.2.0', probes: ['root', 'debugger'] },
    { id: 'com.example.other', platform: 'android', probes: [] },
  ],
  instances: [
    anInstance('instance'),
    anInstance('otherInstance', { assurance: 'software', format: 'play-integrity' }),
    anInstance('suspended', { status: 'suspended' }),
    anInstance('revoked', { status: 'revoked' }),
    anInstance('ed25519'),
  ],
  sessions: [
    aSession(SESSION),
    aSession('session-that-has-ended0', { endedAt: NOW - 10, credentialHash: digest('ended') }),
    aSession('session-that-expired000', { expiresAt: NOW, credentialHash: digest('expired') }),
    aSession('session-of-another-one0', { instance: idOf('otherInstance'), credentialHash: digest('another') }),
  ],
  policy: {
    session: 'none',
    challenge: 'none',
    body: true,
    headers: [],
    assurance: 'none',
    runtime: { deny: 'all', require: 'declared', maxAge: 300 },
  },
};

export const evidence = (change = {}) => ({
  at: NOW - 10,
  found: [],
  clear: ['root', 'debugger', 'hooking'],
  sdk: 'vectors/1.0.0',
  ...change,
});

/** Text of a segment: what is text already is taken as it is. */
const segment = (value) => b64u(Buffer.isBuffer(value) || typeof value === 'string' ? value : JSON.stringify(value));

/** A compact JWS. `undefined` members are left out. */
export function jws({ key = 'instance', header, payload, signature }) {
  const input = `${segment(header)}.${segment(payload)}`;
  const made = signature === undefined ? signBy(key, input) : signature(input);
  return `${input}.${typeof made === 'string' ? made : b64u(made)}`;
}

/** Claims of a request, right in every respect but those that are changed. */
export function claimsOf(name, request, change = {}) {
  const { claims } = bindingOf(request);
  const { htm, htu, ...binding } = claims;
  const jti = b64u(fixedOctets(`jti of ${name}`, 16));
  const all = { jti, iat: NOW, htm, htu, ...binding, app: { id: APP, ver: '1.4.0' }, rt: evidence(), ...change };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

export const headerOf = (key, change = {}) => ({ typ: 'tab+jwt', alg: keys[key].alg, kid: idOf(key), ...change });

/** A request of the file, with its token among the headers. */
export function carrying(token, { method, authority = 'api.example.com', target, headers = [], body }) {
  const tokens = (Array.isArray(token) ? token : [token]).map((text) => ['TAB-Token', text]);
  return {
    method,
    authority,
    target,
    headers: [...headers, ...tokens],
    bodyBase64: (body ?? Buffer.alloc(0)).toString('base64'),
  };
}

export const GET = { method: 'GET', target: '/v1/accounts' };
export const POST = {
  method: 'POST',
  target: '/v1/transfers?dry=1',
  headers: [['Content-Type', 'application/json']],
  body: Buffer.from('{"amount":"100.00"}'),
};

/**
 * One step: a request and its token. `as` is the request that the token is made for, where it is another one.
 * @returns what the file has
 */
export function aStep(name, expect, parts = {}) {
  const { key = 'instance', request = GET, as = request, claims, header, payload, signature, token, at } = parts;
  const made = jws({
    key,
    header: header?.raw ?? headerOf(key, header),
    payload: payload ?? claimsOf(name, as, claims),
    signature,
  });
  return { ...(at !== undefined && { at }), request: carrying(token ? token(made) : made, request), expect };
}

/** A case of one step. */
export function aCase(name, expect, { settings, policy, ...parts } = {}) {
  const steps = [aStep(name, expect, parts)];
  return { name, ...(settings && { settings }), ...(policy && { policy }), steps };
}
