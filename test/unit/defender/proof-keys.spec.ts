import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Defender, DefenderDecision, DefenderOptions } from '../../../lib/defender/index.js';
import { FakeServer, refusal, T0, type Answer } from './fake-server.js';
import type { Grant } from './fake-proof-keys.js';
import { latch, settled, useHarness } from './harness.js';

const harness = useHarness();
const SIGNATURE = refusal('step_up_required', {
  'WWW-Authenticate': 'TAB error="step_up_required", requirement="signature"',
});
const SESSION = { headers: { 'TAB-Session': `${'S'.repeat(22)}; expires=${T0 + 9_000}` } };

const call = (defender: Defender, path = '/a', init?: RequestInit) =>
  defender.fetch(`${harness.server.origin}${path}`, init);
/** What the calls since `from` were made with. */
const algs = (from = 0) => harness.server.calls.slice(from).map(({ header }) => header.alg);
const kids = (from = 0) => harness.server.calls.slice(from).map(({ header }) => String(header.kid));
const statusesOf = (defender: Defender) => {
  const statuses: string[] = [];
  defender.onStatus((status) => statuses.push(status));
  return statuses;
};
const asked = () => harness.server.proofKeyRequests.length;

/** What opens a key, in the last step; the platform does it in a thread of its own. */
const unwrap = vi.spyOn(crypto.subtle, 'unwrapKey');
beforeEach(() => void unwrap.mockClear());
afterAll(() => unwrap.mockRestore());

/** Waits until so many keys are there. */
async function granted(count: number): Promise<void> {
  const done = () => unwrap.mock.settledResults.filter(({ type }) => type === 'fulfilled');
  await vi.waitFor(() => expect(done()).toHaveLength(count));
  await settled();
}

/** Waits until the server has given so many keys, whatever becomes of them. */
async function given(count: number): Promise<void> {
  await vi.waitFor(() => expect(harness.server.proofKeys.size).toBe(count));
  await settled();
  await settled();
}

/** A Defender with a proof key, and nothing on record at the server. */
async function withKey(override: Partial<DefenderOptions> = {}, wish: Grant = {}): Promise<Defender> {
  harness.server.onProofKey = () => wish;
  const defender = harness.defender({ proofKeys: true, schedule: false, ...override });
  await call(defender);
  await granted(1);
  harness.server.calls = [];
  return defender;
}

describe('proof keys', () => {
  it('are asked for beside the first request, which is signed, and used from then on', async () => {
    harness.server.onProofKey = () => ({});
    const defender = harness.defender({ proofKeys: true });
    expect((await call(defender)).status).toBe(200);
    await granted(1);
    for (let i = 0; i < 3; i += 1) expect((await call(defender)).status).toBe(200);
    expect(algs()).toEqual(['ES256', 'HS256', 'HS256', 'HS256']);
    expect(new Set(kids(1)).size).toBe(1);
    expect(kids(1)[0]).toMatch(new RegExp(`^${defender.instanceId}~`));
    expect(asked()).toBe(1);
    const [request] = harness.server.proofKeyRequests;
    expect(request?.claims).toMatchObject({ ct: 'application/json', nonce: expect.any(String) as string });
    expect(request?.headers).not.toHaveProperty('cookie');
  });

  it('keep no request waiting', async () => {
    const door = latch();
    harness.server.onProofKey = async () => {
      await door.opened;
      return {};
    };
    const defender = harness.defender({ proofKeys: true });
    for (let i = 0; i < 3; i += 1) expect((await call(defender)).status).toBe(200);
    await vi.waitFor(() => expect(asked()).toBe(1));
    expect((await call(defender)).status).toBe(200);
    expect([algs(), asked()]).toEqual([['ES256', 'ES256', 'ES256', 'ES256'], 1]);
    door.open();
    await granted(1);
    await call(defender);
    expect(algs().at(-1)).toBe('HS256');
  });

  it('are, unless told otherwise, for the requests of a session', async () => {
    harness.server.onProofKey = () => ({});
    const defender = harness.defender();
    await call(defender);
    await call(defender);
    await settled();
    expect([algs(), asked()]).toEqual([['ES256', 'ES256'], 0]);
    harness.server.answers = [SESSION];
    await call(defender, '/login');
    await call(defender);
    await granted(1);
    await call(defender);
    expect(algs(2)).toEqual(['ES256', 'ES256', 'HS256']);
    await defender.forgetSession();
    await call(defender, '/login');
    expect(algs(5)).toEqual(['ES256']);
  });

  it('are never used where they are not wanted', async () => {
    harness.server.onProofKey = () => ({});
    harness.server.answers = [SESSION];
    const defender = harness.defender({ proofKeys: false });
    await call(defender);
    await call(defender);
    await settled();
    expect([algs(), asked()]).toEqual([['ES256', 'ES256'], 0]);
  });

  it('are renewed when two thirds of their life are over, while the old one is used', async () => {
    const defender = await withKey();
    harness.clock.advance(199);
    await call(defender);
    await settled();
    expect(asked()).toBe(1);
    const before = kids()[0];
    harness.clock.advance(1);
    await call(defender);
    expect(kids()[1]).toBe(before);
    await granted(2);
    await call(defender);
    expect(kids()[2]).not.toBe(before);
    expect(algs()).toEqual(['HS256', 'HS256', 'HS256']);
    expect(asked()).toBe(2);
  });

  it('are not used in the last seconds of their life', async () => {
    const defender = await withKey();
    harness.server.onProofKey = () => refusal('rate_limited', { 'Retry-After': '1' }, 429);
    harness.clock.advance(294);
    await call(defender);
    harness.clock.advance(1);
    await call(defender);
    expect(algs()).toEqual(['HS256', 'ES256']);
  });

  it('are not used when the clock went back', async () => {
    const defender = await withKey();
    harness.clock.advance(-1);
    await call(defender);
    expect(algs()).toEqual(['ES256']);
  });

  it('are not for the tokens of other transports, which nobody could mend', async () => {
    const defender = await withKey();
    const token = await defender.token({ method: 'GET', url: `${harness.server.origin}/a` });
    expect(JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString())).toMatchObject({ alg: 'ES256' });
  });

  it('bind content and headers as ever', async () => {
    const defender = await withKey({ boundHeaders: ['idempotency-key'] });
    const headers = { 'content-type': 'text/plain', 'idempotency-key': 'k' };
    await call(defender, '/a?b=c', { method: 'POST', body: 'text', headers });
    expect(algs()).toEqual(['HS256']);
    expect(Object.keys(harness.server.calls[0]?.claims ?? {})).toEqual(
      expect.arrayContaining(['qsh', 'bh', 'ct', 'hd', 'nonce']),
    );
  });
});

describe('a refused proof key', () => {
  it.each<[string, Answer]>([
    ['a signature is asked for', SIGNATURE],
    ['the server has no proof keys any more', refusal('unsupported_alg')],
    ['the server derives another key', refusal('bad_signature')],
  ])('is mended by a signature: %s', async (_what, answer) => {
    const decisions: DefenderDecision[] = [];
    const defender = await withKey({ onDecision: (decision) => decisions.push(decision) });
    decisions.length = 0;
    harness.server.answers = [answer];
    const response = await call(defender, '/a', { method: 'POST', body: 'once more' });
    expect(response.status).toBe(200);
    expect(algs()).toEqual(['HS256', 'ES256']);
    expect(harness.server.calls.map(({ body }) => body.toString())).toEqual(['once more', 'once more']);
    const [first, second] = harness.server.calls;
    expect(second?.claims.jti).not.toBe(first?.claims.jti);
    expect(decisions.map(({ attempt, outcome }) => [attempt, outcome])).toEqual([
      [1, 'refused'],
      [2, 'accepted'],
    ]);
  });

  it('is mended once', async () => {
    const defender = await withKey();
    harness.server.answers = [SIGNATURE, SIGNATURE];
    const response = await call(defender);
    expect([response.status, algs()]).toEqual([401, ['HS256', 'ES256']]);
  });

  it('keeps the challenge that was not spent, and takes the one that came', async () => {
    const defender = await withKey();
    harness.server.answers = [SIGNATURE];
    await call(defender);
    const [first, second] = harness.server.calls;
    expect(second?.claims.nonce).toBe(first?.claims.nonce);
    const nonce = harness.server.issue();
    harness.server.answers = [{ ...SIGNATURE, headers: { ...SIGNATURE.headers, 'TAB-Nonce': nonce } }];
    await call(defender, '/b');
    expect(harness.server.calls[3]?.claims.nonce).toBe(nonce);
  });

  it('is not used again for that route, and for none after another key was refused there too', async () => {
    const defender = await withKey();
    harness.server.answers = [SIGNATURE];
    await call(defender, '/transfers');
    await call(defender, '/transfers');
    await call(defender, '/accounts');
    expect(algs()).toEqual(['HS256', 'ES256', 'ES256', 'HS256']);
    harness.clock.advance(200);
    await call(defender, '/accounts');
    await granted(2);
    harness.server.answers = [SIGNATURE];
    await call(defender, '/transfers');
    expect(algs(5)).toEqual(['HS256', 'ES256']);
    harness.clock.advance(200);
    await call(defender, '/accounts');
    await granted(3);
    await call(defender, '/transfers');
    expect(algs(7)).toEqual(['HS256', 'ES256']);
  });

  it('is learned from in monitor mode, where the request passed', async () => {
    const defender = await withKey();
    harness.server.answers = [{ headers: { 'TAB-Monitor': 'step_up_required' } }];
    await call(defender);
    await call(defender);
    expect(algs()).toEqual(['HS256', 'ES256']);
  });

  it('of a server without proof keys is not asked for again for a while', async () => {
    const defender = await withKey();
    harness.server.answers = [refusal('unsupported_alg')];
    await call(defender);
    await call(defender);
    harness.clock.advance(299);
    await call(defender);
    await settled();
    expect([algs(1), asked()]).toEqual([['ES256', 'ES256', 'ES256'], 1]);
    harness.clock.advance(1);
    await call(defender);
    await granted(2);
    expect(asked()).toBe(2);
  });

  it('does not take the one retry from what else is mended, which is then signed', async () => {
    const defender = await withKey();
    harness.server.answers = [refusal('use_tab_nonce', { 'TAB-Nonce': harness.server.issue() })];
    expect((await call(defender)).status).toBe(200);
    expect(algs()).toEqual(['HS256', 'ES256']);
  });

  it('an attestation that is asked for is not the key’s fault', async () => {
    const attestation = { 'WWW-Authenticate': 'TAB error="step_up_required", requirement="attestation"' };
    const defender = await withKey();
    harness.server.answers = [refusal('step_up_required', attestation)];
    expect((await call(defender)).status).toBe(200);
    await call(defender);
    expect(algs()).toEqual(['HS256', 'ES256', 'HS256']);
    expect(harness.server.enrolments).toHaveLength(2);
  });
});

describe('a server that gives no proof key', () => {
  it('and has none is asked once', async () => {
    const defender = harness.defender({ proofKeys: true });
    for (let i = 0; i < 3; i += 1) {
      expect((await call(defender)).status).toBe(200);
      await settled();
      harness.clock.advance(4000);
    }
    expect([algs(), asked()]).toEqual([['ES256', 'ES256', 'ES256'], 1]);
    expect(defender.status).toBe('ready');
  });

  it.each<[string, Answer]>([
    ['a refusal', refusal('insufficient_trust', {}, 403)],
    ['a limit', refusal('rate_limited', { 'Retry-After': '1' }, 429)],
    ['an outage', { status: 503 }],
    ['a page', { status: 200, body: '<p>Sign in</p>' }],
    ['a redirect', { status: 307, headers: { Location: '/elsewhere' } }],
    ['no JSON', { status: 201, body: '<p>' }],
    ['no object', { status: 201, body: 'null' }],
    ['too much', { status: 201, body: JSON.stringify({ filler: 'x'.repeat(5000) }) }],
  ])('%s: signs, and asks again after a while', async (_what, answer) => {
    harness.server.onProofKey = () => ({ status: 200, ...answer });
    const defender = harness.defender({ proofKeys: true });
    const statuses = statusesOf(defender);
    for (let i = 0; i < 3; i += 1) expect((await call(defender)).status).toBe(200);
    await vi.waitFor(() => expect(asked()).toBeGreaterThan(0));
    for (let i = 0; i < 3; i += 1) expect((await call(defender)).status).toBe(200);
    // Neither refused nor degraded, at any time.
    expect([new Set(algs()), asked(), statuses]).toEqual([new Set(['ES256']), 1, ['ready']]);
    harness.clock.advance(300);
    await call(defender);
    await vi.waitFor(() => expect(asked()).toBe(2));
  });

  it.each<[string, Grant]>([
    ['another instance’s key', { kid: `${'i'.repeat(43)}~${'p'.repeat(34)}` }],
    ['a key that names no instance', { kid: 'p'.repeat(78) }],
    ['another algorithm', { alg: 'HS512' }],
    ['no life', { expiresIn: 0 }],
    ['a life too short to be of use', { expiresIn: 14 }],
    ['too long a life', { expiresIn: 901 }],
    ['part of a second', { expiresIn: 299.5 }],
    ['a life in words', { expiresIn: '300' }],
    ['another instance in the JWE', { apu: 'i'.repeat(43) }],
    ['another recipient in the JWE', { apv: 'i'.repeat(43) }],
    ['a short key', { key: Buffer.alloc(16) }],
  ])('but %s: signs', async (_what, wish) => {
    harness.server.onProofKey = () => wish;
    const defender = harness.defender({ proofKeys: true });
    await call(defender);
    await given(1);
    // As many as it takes for a key to be there that should not be.
    for (let i = 0; i < 20; i += 1) await call(defender);
    expect([new Set(algs()), asked(), unwrap.mock.calls.length]).toEqual([new Set(['ES256']), 1, 0]);
  });

  it('for want of a network: signs, and the status is that of the application’s own requests', async () => {
    let failures = 0;
    const fetch: typeof globalThis.fetch = async (input, init) => {
      if (!String(input).endsWith('/proof-keys')) return globalThis.fetch(input, init);
      failures += 1;
      throw new TypeError('offline');
    };
    const defender = harness.defender({ proofKeys: true, fetch });
    const statuses = statusesOf(defender);
    await call(defender);
    await vi.waitFor(() => expect(failures).toBe(1));
    await call(defender);
    expect([algs(), statuses, failures]).toEqual([['ES256', 'ES256'], ['ready'], 1]);
  });

  it('is mended like any request: a challenge first', async () => {
    let challenged = false;
    harness.server.onProofKey = () => {
      if (challenged) return {};
      challenged = true;
      return refusal('use_tab_nonce', { 'TAB-Nonce': harness.server.issue() }) as never;
    };
    const defender = harness.defender({ proofKeys: true });
    await call(defender);
    await granted(1);
    expect(asked()).toBe(2);
    await call(defender);
    expect(algs().at(-1)).toBe('HS256');
  });
});

describe('a proof key goes', () => {
  it.each(['instance_revoked', 'instance_suspended'])('with %s', async (code) => {
    const defender = await withKey();
    harness.server.answers = [refusal(code, {}, 403)];
    await call(defender);
    await call(defender);
    expect(algs()).toEqual(['HS256', 'ES256']);
  });

  it('when the instance is forgotten, and is never another’s', async () => {
    const defender = await withKey();
    const before = defender.instanceId!;
    await defender.forget();
    await call(defender);
    await granted(2);
    await call(defender);
    expect(algs()).toEqual(['ES256', 'HS256']);
    for (const kid of kids()) expect(kid.startsWith(before)).toBe(false);
  });

  it('also one that comes after the instance was forgotten', async () => {
    const door = latch();
    harness.server.onProofKey = async () => {
      await door.opened;
      return {};
    };
    const defender = harness.defender({ proofKeys: true });
    await call(defender);
    await vi.waitFor(() => expect(asked()).toBe(1));
    await defender.forget();
    door.open();
    await granted(1);
    await call(defender);
    expect(algs()).toEqual(['ES256', 'ES256']);
  });

  it('when the key is retired, which is signed', async () => {
    const defender = await withKey();
    await defender.retire();
    expect(harness.server.retirements.map(({ header }) => header.alg)).toEqual(['ES256']);
    await call(defender);
    expect(algs()).toEqual(['ES256']);
  });

  it('when the Defender is closed, and a request for one ends', async () => {
    harness.server.onProofKey = () => new Promise(() => undefined);
    const defender = harness.defender({ proofKeys: true });
    await call(defender);
    await vi.waitFor(() => expect(asked()).toBe(1));
    await defender.close();
    await settled();
  });
});

describe('several servers', () => {
  it('have a key each', async () => {
    const other = await new FakeServer().start();
    try {
      for (const server of [harness.server, other]) server.onProofKey = () => ({});
      const api = [harness.server.origin, other.origin];
      const defender = harness.defender({ api, proofKeys: true });
      for (let round = 0; round < 2; round += 1) {
        for (const origin of api) await defender.fetch(`${origin}/a`);
        await granted(2);
      }
      expect([...algs(), ...other.calls.map(({ header }) => header.alg)]).toEqual(['ES256', 'HS256', 'ES256', 'HS256']);
      expect(other.problems).toEqual([]);
    } finally {
      await other.stop();
    }
  });
});
