import { describe, expect, it, vi } from 'vitest';
import { createDefender, memoryKeyStore, type DefenderOptions, type Probe } from '../../../lib/defender/index.js';
import { FakeServer, refusal, T0 } from './fake-server.js';
import { FakeClock, latch, meeting, optionsFor, settled, useHarness } from './harness.js';

const harness = useHarness();
const get = (override: Partial<DefenderOptions> = {}) => harness.defender(override).fetch(`${harness.server.origin}/a`);
const ATTESTATION = { 'WWW-Authenticate': 'TAB error="step_up_required", requirement="attestation", max_age=10' };
const SIGNATURE = { 'WWW-Authenticate': 'Bearer realm="x", TAB error="step_up_required", requirement="signature"' };

describe('one retry with a new token', () => {
  it('use_tab_nonce: with the challenge of that answer', async () => {
    const nonce = harness.server.issue();
    harness.server.answers = [refusal('use_tab_nonce', { 'TAB-Nonce': nonce })];
    expect((await get()).status).toBe(200);
    const [first, second] = harness.server.calls;
    expect(second?.claims.nonce).toBe(nonce);
    expect(second?.claims.jti).not.toBe(first?.claims.jti);
  });

  it('stale_token: with the skew of that answer, kept for later tokens', async () => {
    harness.server.answers = [refusal('stale_token', { 'TAB-Skew': '-3600' })];
    const defender = harness.defender();
    expect((await defender.fetch(`${harness.server.origin}/a`)).status).toBe(200);
    await defender.fetch(`${harness.server.origin}/a`);
    expect(harness.server.calls.map((call) => call.claims.iat)).toEqual([T0, T0 - 3600, T0 - 3600]);
    expect(harness.server.calls.map((call) => call.claims.rt.at)).toEqual([T0, T0 - 3600, T0 - 3600]);
  });

  it('stale_token: with evidence of probes that know of the skew', async () => {
    harness.server.answers = [refusal('stale_token', { 'TAB-Skew': '-3600' })];
    const seen: (readonly number[] | undefined)[] = [];
    const run: Probe['run'] = (_, facts) => {
      seen.push(facts?.serverSkews);
      return facts?.serverSkews.some((skew) => Math.abs(skew) > 60) ? 'found' : 'clear';
    };
    const defender = harness.defender({ probes: [{ name: 'time-spoof', run }], schedule: false });
    // Measured for the enrolment, and used for the first attempt.
    expect((await defender.fetch(`${harness.server.origin}/a`)).status).toBe(200);
    expect(seen).toEqual([[], [-3600]]);
    expect(harness.server.calls.map((call) => call.claims.rt.found)).toEqual([[], ['time-spoof']]);
  });

  it('stale_token: several stale answers do not add up', async () => {
    const defender = harness.defender();
    await defender.enrol();
    harness.server.gate = meeting(2);
    harness.server.answers = [
      refusal('stale_token', { 'TAB-Skew': '100' }),
      refusal('stale_token', { 'TAB-Skew': '100' }),
    ];
    await Promise.all([1, 2].map(() => defender.fetch(`${harness.server.origin}/a`)));
    expect(harness.server.calls.map((call) => call.claims.iat)).toEqual([T0, T0, T0 + 100, T0 + 100]);
  });

  it.each([
    ['unknown_instance', {}],
    ['step_up_required', ATTESTATION],
  ])('%s: after a new enrolment', async (code, headers) => {
    harness.server.answers = [refusal(code, headers)];
    expect((await get()).status).toBe(200);
    expect(harness.server.enrolments).toHaveLength(2);
    expect(harness.server.calls).toHaveLength(2);
  });

  it('step_up_required, signature: signed with the instance key', async () => {
    harness.server.answers = [refusal('step_up_required', SIGNATURE)];
    expect((await get()).status).toBe(200);
    expect(harness.server.enrolments).toHaveLength(1);
    expect(harness.server.calls).toHaveLength(2);
  });

  it.each([
    ['use_tab_nonce', () => ({ 'TAB-Nonce': harness.server.issue() })],
    ['stale_token', () => ({ 'TAB-Skew': '10' })],
    ['unknown_instance', () => ({})],
    ['step_up_required', () => ATTESTATION],
    ['step_up_required', () => SIGNATURE],
  ] as const)('%s: a second refusal is the answer', async (code, headers) => {
    harness.server.answers = [refusal(code, headers()), refusal(code, headers()), refusal(code, headers())];
    const response = await get();
    expect(response.headers.get('TAB-Error')).toBe(code);
    expect(await response.json()).toEqual({ code });
    expect(harness.server.calls).toHaveLength(2);
  });

  it('two different refusals are one retry', async () => {
    harness.server.answers = [
      refusal('use_tab_nonce', { 'TAB-Nonce': harness.server.issue() }),
      refusal('unknown_instance'),
    ];
    expect((await get()).headers.get('TAB-Error')).toBe('unknown_instance');
    expect(harness.server.calls).toHaveLength(2);
    expect(harness.server.enrolments).toHaveLength(1);
  });
});

describe('no retry', () => {
  it.each([
    ['replayed_token', {}, 401],
    ['replayed_token', { 'TAB-Nonce': 'n'.repeat(32) }, 401],
    ['missing_token', {}, 401],
    ['malformed_token', {}, 401],
    ['request_mismatch', {}, 401],
    ['bad_signature', {}, 401],
    ['invalid_session', {}, 401],
    ['insufficient_trust', {}, 403],
    ['instance_suspended', {}, 403],
    ['instance_revoked', {}, 403],
    ['rate_limited', { 'Retry-After': '1' }, 429],
    ['store_unavailable', { 'Retry-After': '1' }, 503],
    ['use_tab_nonce', {}, 401],
    ['use_tab_nonce', { 'TAB-Nonce': 'too-short' }, 401],
    ['use_tab_nonce', { 'TAB-Nonce': 'n'.repeat(32) }, 403],
    ['stale_token', {}, 401],
    ['stale_token', { 'TAB-Skew': '1e3' }, 401],
    ['stale_token', { 'TAB-Skew': '0x10' }, 401],
    ['step_up_required', {}, 401],
    ['step_up_required', { 'WWW-Authenticate': 'TAB error="step_up_required", requirement="other"' }, 401],
    ['unknown_instance', {}, 403],
  ])('%s %o %i', async (code, headers, status) => {
    harness.server.answers = [refusal(code, headers as Record<string, string>, status)];
    const response = await get();
    expect(response.status).toBe(status);
    expect(response.headers.get('TAB-Error')).toBe(code);
    expect(harness.server.calls).toHaveLength(1);
    expect(harness.server.enrolments).toHaveLength(1);
  });

  it('an accepted answer with an error code in it', async () => {
    harness.server.answers = [
      { status: 200, headers: { 'TAB-Error': 'use_tab_nonce', 'TAB-Nonce': harness.server.issue() } },
    ];
    expect((await get()).status).toBe(200);
    expect(harness.server.calls).toHaveLength(1);
  });

  it.each(['use_tab_nonce', 'stale_token', 'unknown_instance'])('monitor mode: %s was carried out', async (code) => {
    const headers = { 'TAB-Monitor': code, 'TAB-Nonce': harness.server.issue(), 'TAB-Skew': '50' };
    harness.server.answers = [{ status: 200, headers }];
    const defender = harness.defender();
    await defender.fetch(`${harness.server.origin}/a`);
    expect(harness.server.calls).toHaveLength(1);
    await defender.fetch(`${harness.server.origin}/b`);
    expect(harness.server.calls[1]?.claims.iat).toBe(code === 'stale_token' ? T0 + 50 : T0);
  });
});

describe('monitor mode: unknown_instance', () => {
  const monitored = { status: 200, headers: { 'TAB-Monitor': 'unknown_instance' } };

  it('enrols beside the request, which has passed', async () => {
    const defender = harness.defender();
    await defender.enrol();
    harness.server.answers = [monitored];
    const challenge = latch();
    harness.server.onChallenge = () => {
      challenge.open();
      return undefined;
    };
    expect((await defender.fetch(`${harness.server.origin}/a`)).status).toBe(200);
    await challenge.opened;
    await vi.waitFor(() => expect(harness.server.enrolments).toHaveLength(2));
    expect(harness.server.calls).toHaveLength(1);
  });

  it('at most once per hour', async () => {
    const defender = harness.defender();
    await defender.enrol();
    for (let index = 0; index < 3; index += 1) {
      harness.server.answers = [monitored];
      await defender.fetch(`${harness.server.origin}/a`);
      await vi.waitFor(() => expect(harness.server.enrolments).toHaveLength(2));
    }
    await settled();
    expect(harness.server.challengesAsked).toBe(2);
  });

  it('fails no request when it fails', async () => {
    const defender = harness.defender();
    await defender.enrol();
    harness.server.onEnrol = () => refusal('attestation_rejected', {}, 403);
    harness.server.answers = [monitored];
    expect((await defender.fetch(`${harness.server.origin}/a`)).status).toBe(200);
    await vi.waitFor(() => expect(defender.status).toBe('refused'));
    expect((await defender.fetch(`${harness.server.origin}/a`)).status).toBe(200);
  });
});

/** Status and `iat`s when a server at `api` says that the first token was stale. */
const answer = async (api: string) => {
  const server = new FakeServer(api);
  server.challenges = 'none';
  server.answers = [refusal('stale_token', { 'TAB-Skew': '100' })];
  const clock = new FakeClock();
  const options = optionsFor(api, { fetch: server.fetch, clock: clock.read, allowPlainHttp: true });
  const response = await createDefender(options).fetch(`${api}/a`);
  expect(server.problems).toEqual([]);
  return { status: response.status, iats: server.calls.map((call) => call.claims.iat) };
};

describe('the skew is believed', () => {
  it.each([
    'https://api.example.com',
    'http://localhost:8080',
    'http://api.localhost',
    'http://127.1.2.3',
    'http://[::1]:81',
  ])('over %s', async (api) => {
    expect(await answer(api)).toEqual({ status: 200, iats: [T0, T0 + 100] });
  });

  it.each([
    'http://api.example.com',
    'http://127.0.0.1.example.com',
    'http://10.0.0.1',
    'http://localhost.example.com',
  ])('not over %s', async (api) => {
    expect(await answer(api)).toEqual({ status: 401, iats: [T0] });
  });

  it('only when a token was stale', async () => {
    harness.server.answers = [{ status: 200, headers: { 'TAB-Skew': '100' } }];
    const defender = harness.defender();
    await defender.fetch(`${harness.server.origin}/a`);
    await defender.fetch(`${harness.server.origin}/a`);
    expect(harness.server.calls[1]?.claims.iat).toBe(T0);
  });
});

describe('enrolling again', () => {
  it('is done once per hour', async () => {
    const defender = harness.defender();
    const call = async () => {
      harness.server.answers = [refusal('unknown_instance')];
      return (await defender.fetch(`${harness.server.origin}/a`)).status;
    };
    expect(await call()).toBe(200);
    harness.clock.advance(3599);
    expect(await call()).toBe(401);
    harness.clock.advance(1);
    expect(await call()).toBe(200);
    expect(harness.server.enrolments).toHaveLength(3);
  });

  it('is done once per hour across restarts', async () => {
    const keyStore = memoryKeyStore();
    for (const status of [200, 401]) {
      harness.server.answers = [refusal('unknown_instance')];
      expect((await get({ keyStore })).status).toBe(status);
    }
    expect(harness.server.enrolments).toHaveLength(2);
  });

  it('is done once for many requests, and all of them are tried again', async () => {
    const defender = harness.defender();
    await defender.fetch(`${harness.server.origin}/a`);
    harness.server.answers = Array.from({ length: 20 }, () => refusal('unknown_instance'));
    harness.server.gate = meeting(20);
    const responses = await Promise.all(Array.from({ length: 20 }, () => defender.fetch(`${harness.server.origin}/a`)));
    expect(responses.map((response) => response.status)).toEqual(Array.from({ length: 20 }, () => 200));
    expect(harness.server.enrolments).toHaveLength(2);
  });

  it('serves requests that are told only after it', async () => {
    const defender = harness.defender();
    await defender.enrol();
    const door = latch();
    harness.server.gate = ({ target }) => (target === '/late' ? door.opened : Promise.resolve());
    const late = defender.fetch(`${harness.server.origin}/late`);
    harness.server.answers = [refusal('unknown_instance')];
    await defender.fetch(`${harness.server.origin}/a`);
    harness.server.answers = [refusal('unknown_instance')];
    door.open();
    expect((await late).status).toBe(200);
    expect(harness.server.enrolments).toHaveLength(2);
  });

  it('waits a random part of the bound, and gives up with the caller', async () => {
    const abort = new AbortController();
    const random = () => {
      abort.abort(new Error('no more'));
      return 0.9999;
    };
    const defender = harness.defender({ reenrolWait: 30_000, random });
    await defender.enrol();
    harness.server.answers = [refusal('unknown_instance')];
    await expect(defender.fetch(`${harness.server.origin}/a`, { signal: abort.signal })).rejects.toThrow('no more');
    expect(harness.server.enrolments).toHaveLength(1);
    await defender.close();
  });

  it('tells why it failed', async () => {
    const defender = harness.defender();
    await defender.enrol();
    harness.server.onEnrol = () => refusal('attestation_rejected', {}, 403);
    harness.server.answers = [refusal('unknown_instance')];
    const refused = { code: 'enrolment_refused', tabError: 'attestation_rejected', status: 403 };
    await expect(defender.fetch(`${harness.server.origin}/a`)).rejects.toMatchObject(refused);
    expect(harness.server.calls).toHaveLength(1);
  });
});
