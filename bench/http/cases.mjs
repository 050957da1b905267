// Who is measured. A case is plain data: it travels to the processes that run it.

/** Members: `guard` (see guards.mjs), `token` (see tokens.mjs), `tab` (options of the module), `store` (see stores.mjs). */
const GUARDS = {
  bare: { guard: 'none', token: 'none' },
  'no-op guard': { guard: 'no-op', token: 'none' },
  'TabGuard ES256 sync': { guard: 'tab', token: 'tab', alg: 'ES256', tab: { signature: 'sync' } },
  'TabGuard ES256 pool': { guard: 'tab', token: 'tab', alg: 'ES256', tab: { signature: 'pool' } },
  'TabGuard ES256 auto': { guard: 'tab', token: 'tab', alg: 'ES256', tab: { signature: 'auto' } },
  'TabGuard Ed25519': { guard: 'tab', token: 'tab', alg: 'EdDSA', tab: { signature: 'auto' } },
  'TabGuard HS256 proof key': {
    guard: 'tab',
    token: 'proof-key',
    alg: 'ES256',
    tab: { signature: 'auto', proofKeys: true },
  },
  'passport-jwt': { guard: 'passport-jwt', token: 'bearer' },
  'jose, by hand': { guard: 'jose', token: 'dpop' },
  oauth4webapi: { guard: 'oauth4webapi', token: 'dpop' },
  'express-oauth2-jwt-bearer': { guard: 'express-oauth2-jwt-bearer', token: 'dpop' },
};

export const ADAPTERS = ['Express', 'Fastify'];
export const STORES = ['SQLite', 'PostgreSQL', 'MariaDB', 'Redis'];
export const OURS = 'TabGuard ES256 auto';

/** What each peer leaves to the application, as its documentation and the table of attempts say. */
export const UNCHECKED = {
  'passport-jwt':
    'whose request it is (a bearer token is good in any hands), replay, method, URL, query, body, runtime',
  'jose, by hand': 'query, body, runtime; its Map knows of replays in one process only, and forgets with it',
  oauth4webapi: 'replay (jti is left to the application), query, body, runtime',
  'express-oauth2-jwt-bearer': 'replay (jti is not remembered), query, body, runtime',
};

/** What must be reached at 32 connections without a body: at least this part of the bare route of the same adapter. */
export const OF_BARE = {
  'TabGuard ES256 auto': { Express: 0.5, Fastify: 0.3 },
  'TabGuard HS256 proof key': { Express: 0.8, Fastify: 0.65 },
};
/** And at least this many times each peer. */
export const TIMES_PEER = { 'jose, by hand': 3, oauth4webapi: 4, 'express-oauth2-jwt-bearer': 5 };

function caseOf(name, adapter, store = 'memory') {
  const title = store === 'memory' ? name : `${name}, ${store}`;
  return { title, adapter, store, ...GUARDS[name] };
}

/** The cases of the quick form. */
export const QUICK = ['bare', ...Object.keys(OF_BARE), ...Object.keys(TIMES_PEER)];

/** Cases on both adapters, those of other stores at the end. @param {readonly string[]} stores beside memory */
export function casesOf(stores = STORES, titles = Object.keys(GUARDS)) {
  return ADAPTERS.flatMap((adapter) => [
    ...titles.map((name) => caseOf(name, adapter)),
    ...stores.map((store) => caseOf(OURS, adapter, store)),
  ]);
}

/** One case by name. */
export const oneCase = (name, adapter, more = {}) => ({ ...caseOf(name, adapter), ...more });
export const keyOf = ({ title, adapter }) => `${title} · ${adapter}`;
