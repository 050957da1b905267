// Where the time of a guarded request goes: every step of the verifier on the same 4,000 fresh tokens, then the whole guard.
// No body, memory stores, one request after the other, ES256 on this thread. `--profile` runs the whole guard only, for
// `node --cpu-prof`.
import 'reflect-metadata';
import { createHash, generateKeyPairSync, sign, verify } from 'node:crypto';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { accept } from '../dist/guards/http-answer.js';
import { tabRequestOf } from '../dist/guards/http-exchange.js';
import { RequirementResolver } from '../dist/guards/requirement-resolver.js';
import { RequireTrust, TabDecisions, TabGuard, TabModule, memoryStores } from '../dist/index.js';
import { TabRuntime } from '../dist/tab-runtime.js';
import { p1363ToDer } from '../dist/token/der.js';
import { appraiseStep } from '../dist/verifier/appraise-step.js';
import { authenticateStep, loadBindings } from '../dist/verifier/authenticate-step.js';
import { bindStep } from '../dist/verifier/bind-step.js';
import { checkClaim, startClaim } from '../dist/verifier/claim-step.js';
import { newDecisionId, recordDecision } from '../dist/verifier/decision-record.js';
import { KeyRing } from '../dist/verifier/key-ring.js';
import { KnownHeaders } from '../dist/verifier/known-headers.js';
import { parseStep } from '../dist/verifier/parse-step.js';
import { checkInstance, checkSession } from '../dist/verifier/state-step.js';
import { makeContext } from '../dist/verifier/verified-context.js';

const ROUNDS = 11;
const WARM_UP = 4;
const REQUESTS = 4000;
/** Requests that exist at once: as on a server, most of what one request leaves is garbage before the next comes. */
const BATCH = 50;
/** Microseconds of this thread that everything but the signature may take. */
const LIMIT = 15;
const ORIGIN = 'http://localhost:3000';
const PROBES = ['root', 'hooking', 'debugger', 'tamper', 'emulator', 'automation'];
const APP = { id: 'com.example.bank', ver: '3.4.5' };
const CREDENTIAL = 'eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl';

const b64u = (data) => Buffer.from(data).toString('base64url');
const sha = (data) => createHash('sha256').update(data).digest('base64url');
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const { kty, crv, x, y } = publicKey.export({ format: 'jwk' });
const INSTANCE = sha(JSON.stringify({ crv, kty, x, y }));
const SESSION = 's'.repeat(43);

class Accounts {
  list() {}
}
class Open {
  list() {}
}
RequireTrust()(Accounts);
RequireTrust({ session: 'none' })(Open);

class App {}
async function application() {
  const stores = memoryStores({ maxNonces: 2_000_000 });
  const apps = [{ id: APP.id, platform: 'android', allowUnattested: true, probes: PROBES }];
  const secrets = ['a secret of at least thirty-two octets'];
  Module({ imports: [TabModule.forRoot({ origins: ORIGIN, apps, stores, secrets, signature: 'sync' })] })(App);
  const app = await NestFactory.createApplicationContext(App, { logger: ['error'] });
  await enrol(stores.bindings);
  return app;
}

async function enrol(bindings) {
  const at = Math.floor(Date.now() / 1000);
  const attestation = {
    assurance: 'none',
    format: 'none',
    attestedAt: at,
    attestationExpiresAt: at,
    attestationClaims: {},
  };
  const status = { status: 'active', statusReason: null, statusAt: at, suspendedBy: [] };
  const key = { algorithm: 'ES256', publicKey: { kty, crv, x, y } };
  const app = { appId: APP.id, appVersion: APP.ver, platform: 'android' };
  await bindings.saveInstance({ id: INSTANCE, ...app, ...key, ...status, ...attestation, createdAt: at, revision: 0 });
  const credential = { credentialHash: sha(CREDENTIAL), previousCredentialHash: null, previousValidUntil: null };
  const life = { createdAt: at, expiresAt: at + 3600, endedAt: null, endReason: null };
  await bindings.bind({ id: SESSION, instanceId: INSTANCE, subject: 'user-1', ...credential, ...life });
}

let counter = 0;
function freshToken(nonce, withSession) {
  const iat = Math.floor(Date.now() / 1000);
  const header = b64u(JSON.stringify({ typ: 'tab+jwt', alg: 'ES256', kid: INSTANCE }));
  const session = withSession ? { sid: SESSION, ath: sha(CREDENTIAL) } : {};
  const rt = { at: iat, found: [], clear: PROBES, sdk: 'bench/1' };
  const claims = {
    jti: String(counter++).padStart(22, '0'),
    iat,
    nonce,
    htm: 'GET',
    htu: `${ORIGIN}/accounts`,
    ...session,
  };
  const input = `${header}.${b64u(JSON.stringify({ ...claims, app: APP, rt }))}`;
  return `${input}.${b64u(sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' }))}`;
}

/** What Express hands a guard, as far as the guard looks. */
function exchange(nonce, withSession) {
  const authorization = withSession ? ['Authorization', `Bearer ${CREDENTIAL}`] : [];
  const rawHeaders = [
    'Host',
    'localhost:3000',
    'Accept',
    '*/*',
    ...authorization,
    'TAB-Token',
    freshToken(nonce, withSession),
  ];
  const request = { method: 'GET', url: '/accounts', originalUrl: '/accounts', host: 'localhost:3000', rawHeaders };
  const headers = new Map();
  const reply = { setHeader: (name, value) => headers.set(name.toLowerCase(), value) };
  return { request: { ...request, httpVersionMajor: 1, route: { path: '/accounts' } }, reply };
}

function contextOf(controller, { request, reply }) {
  const http = { getRequest: () => request, getResponse: () => reply };
  return {
    getType: () => 'http',
    switchToHttp: () => http,
    getClass: () => controller,
    getHandler: () => controller.prototype.list,
  };
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const round2 = (value) => Math.round(value * 100) / 100;

/**
 * Has the verifier say how long its signature checks take where they are: between the steps of a request its tables are not at
 * hand as they are in a loop of nothing else, by some microseconds.
 */
function timeSignatures(signatures) {
  const check = signatures.check.bind(signatures);
  const spent = { milliseconds: 0 };
  signatures.check = (...args) => {
    const started = performance.now();
    check(...args);
    spent.milliseconds += performance.now() - started;
  };
  return spent;
}

/** Runs `step` over some requests and adds up the microseconds that it took. */
async function timed(times, name, items, step) {
  const started = performance.now();
  for (const item of items) {
    const result = step(item);
    if (result instanceof Promise) await result;
  }
  times[name] = (times[name] ?? 0) + ((performance.now() - started) * 1000) / REQUESTS;
}

/** Each step on what the one before left. */
async function stageBatch(times, { runtime, verifierParts, requirement, items }) {
  const { keys, headers, record, breaches } = verifierParts;
  const now = Math.floor(Date.now() / 1000);
  await timed(times, 'header', items, (item) => (item.tab = tabRequestOf(item.request)));
  await timed(times, 'parse', items, (item) => (item.parsed = parseStep(item.tab, runtime.algorithms, false, headers)));
  await timed(
    times,
    'bind',
    items,
    (item) => (item.bound = bindStep(item.parsed, item.tab, requirement, runtime, now)),
  );
  await timed(times, 'key', items, (item) => (item.key = keys.get(item.parsed.header.kid)));
  await timed(times, 'signature', items, ({ parsed: { compact }, key }) => {
    if (!verify('sha256', compact.signingInput, key.key, p1363ToDer(compact.signature)))
      throw new Error('not verified');
  });
  for (const item of items)
    item.authentic = { instanceId: INSTANCE, claims: item.parsed.claims, proof: 'signature', algorithm: 'ES256' };
  await timed(times, 'state', items, async (item) => {
    const { claims } = item.authentic;
    item.bindings = await loadBindings(runtime, INSTANCE, claims.sid);
    item.instance = checkInstance(item.bindings.instance, item.authentic);
    const check = { bindings: item.bindings, instance: item.instance, claims, credential: item.bound.credential, now };
    item.session = await checkSession(check, requirement);
  });
  await timed(times, 'claim', items, async (item) => {
    checkClaim(await startClaim(item.authentic, item.bound, requirement, runtime, { now }));
  });
  await timed(times, 'appraise', items, async (item) => {
    const step = { ...item, request: item.tab, requirement, decision: 'd', now };
    item.appraisal = await appraiseStep(step, runtime, breaches, {});
  });
  await timed(times, 'decision', items, (item) => {
    const { authentic, tab, session, appraisal } = item;
    const proven = { authentic, sessionId: session?.id, subject: session?.subject, flags: appraisal.flags };
    const facts = { request: tab, proven, error: undefined, enforced: true, at: Date.now(), duration: 0 };
    item.decision = recordDecision({ id: newDecisionId(), ...facts });
    record(item.decision);
  });
  await timed(times, 'respond', items, (item) => {
    const { authentic, instance, session, appraisal, decision, request, reply } = item;
    const context = makeContext(decision.id, authentic, instance, session, appraisal);
    accept(request, reply, { accepted: true, context, decision, challenged: true, nextChallenge: undefined });
  });
}

async function breakdown(app, spent, controller, withSession) {
  const runtime = app.get(TabRuntime);
  const guard = app.get(TabGuard);
  const requirement = app.get(RequirementResolver).resolve({ controller, handler: controller.prototype.list });
  const keys = new KeyRing(10);
  const decisions = app.get(TabDecisions);
  const headers = new KnownHeaders(10);
  const verifierParts = { keys, headers, record: (decision) => decisions.record(decision), breaches: undefined };
  // A key is kept from its second use on.
  for (let i = 0; i < 2; i += 1) await prime(runtime, { keys, headers }, requirement, withSession);
  const times = {};
  for (let round = -WARM_UP; round < ROUNDS; round += 1) {
    const nonce = runtime.challenges.issue('request', Math.floor(Date.now() / 1000), INSTANCE);
    const fresh = () => Array.from({ length: BATCH }, () => exchange(nonce, withSession));
    const sums = {};
    for (let done = 0; done < REQUESTS; done += BATCH) {
      await stageBatch(sums, { runtime, verifierParts, requirement, items: fresh() });
      const whole = fresh().map((each) => contextOf(controller, each));
      spent.milliseconds = 0;
      await timed(sums, 'whole guard', whole, (context) => guard.canActivate(context));
      sums['its signature'] = (sums['its signature'] ?? 0) + (spent.milliseconds * 1000) / REQUESTS;
    }
    if (round >= 0) for (const [name, sum] of Object.entries(sums)) (times[name] ??= []).push(sum);
  }
  return times;
}

async function prime(runtime, { keys, headers }, requirement, withSession) {
  const now = Math.floor(Date.now() / 1000);
  const tab = tabRequestOf(exchange(runtime.challenges.issue('request', now, INSTANCE), withSession).request);
  const parsed = parseStep(tab, runtime.algorithms, false, headers);
  headers.keep(parsed);
  const bound = bindStep(parsed, tab, requirement, runtime, now);
  await authenticateStep(bound, runtime, keys, now);
}

function table(times) {
  const [plain, session] = times;
  const rows = {};
  for (const name of Object.keys(plain)) rows[name] = row(plain[name], session[name]);
  const rest = (each) => each['whole guard'].map((all, i) => all - each['its signature'][i]);
  rows['whole guard − its signature'] = row(rest(plain), rest(session));
  const worst = Math.max(median(rest(plain)), median(rest(session)));
  rows[`under ${LIMIT} µs`] = { 'µs, no session': worst < LIMIT ? 'yes' : 'NO' };
  return rows;
}

const row = (plain, session) => ({
  'µs, no session': round2(median(plain)),
  min: round2(Math.min(...plain)),
  'µs, session and credential': round2(median(session)),
  'min ': round2(Math.min(...session)),
});

async function profile(app) {
  const runtime = app.get(TabRuntime);
  const guard = app.get(TabGuard);
  for (let round = 0; round < 20 * (REQUESTS / BATCH); round += 1) {
    const nonce = runtime.challenges.issue('request', Math.floor(Date.now() / 1000), INSTANCE);
    const contexts = Array.from({ length: BATCH }, () => contextOf(Accounts, exchange(nonce, true)));
    for (const context of contexts) await guard.canActivate(context);
  }
}

export async function run(args = []) {
  const app = await application();
  try {
    if (args.includes('--profile')) return await profile(app);
    const spent = timeSignatures(app.get(TabRuntime).signatures);
    // Nothing here refuses a request without saying so: each guard call either is true or throws.
    return table([await breakdown(app, spent, Open, false), await breakdown(app, spent, Accounts, true)]);
  } finally {
    await app.close();
  }
}
