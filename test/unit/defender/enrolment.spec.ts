import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { memoryKeyStore, type AttestInput, type ClientAttester, type KeyStore } from '../../../lib/defender/index.js';
import { refusal, T0, type Exchange } from './fake-server.js';
import { failure, useHarness } from './harness.js';

const harness = useHarness();
const accepted = (instanceId: unknown, status = 201) => ({
  status,
  body: JSON.stringify({ instanceId, assurance: 'none', attestation: { format: 'none', at: T0, expiresAt: T0 + 1 } }),
});

describe('enrolment', () => {
  it('sends what section 5 asks for', async () => {
    const defender = harness.defender();
    const enrolment = await defender.enrol();
    const [sent] = harness.server.enrolments;
    expect(JSON.parse(sent?.body.toString() ?? '')).toEqual({
      app: { id: 'bank', ver: '1.2.3', platform: 'node' },
      attestation: { format: 'none' },
    });
    expect(sent?.claims.rt).toEqual({ at: T0, found: [], clear: ['root'], sdk: 'nestjs-tab/0.1.0' });
    expect(sent?.claims).not.toHaveProperty('sid');
    expect(enrolment).toMatchObject({ instanceId: defender.instanceId, assurance: 'none' });
  });

  it('happens once for 100 requests at once', async () => {
    const defender = harness.defender();
    const fetches = Array.from({ length: 100 }, () => defender.fetch(`${harness.server.origin}/a`));
    expect((await Promise.all(fetches)).every((response) => response.status === 200)).toBe(true);
    expect(harness.server.enrolments).toHaveLength(1);
    expect(harness.server.challengesAsked).toBe(1);
  });

  it('does not happen again after a restart', async () => {
    const keyStore = memoryKeyStore();
    await harness.defender({ keyStore }).fetch(`${harness.server.origin}/a`);
    await harness.defender({ keyStore }).fetch(`${harness.server.origin}/a`);
    expect(harness.server.enrolments).toHaveLength(1);
  });

  it('happens again for another key, whatever the state says', async () => {
    const old = memoryKeyStore();
    await harness.defender({ keyStore: old }).enrol();
    const keyStore: KeyStore = { ...memoryKeyStore(), loadState: () => old.loadState() };
    await harness.defender({ keyStore }).fetch(`${harness.server.origin}/a`);
    expect(harness.server.enrolments).toHaveLength(2);
  });

  it('takes 200 for a known key', async () => {
    harness.server.onEnrol = ({ header }: Exchange) => {
      const { x, y } = header.jwk as Record<string, string>;
      const id = createHash('sha256').update(`{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`).digest('base64url');
      return accepted(id, 200);
    };
    expect(await harness.defender().enrol()).toMatchObject({ assurance: 'none' });
  });

  it('uses prefix and gateway path, and binds the attestation to the bare origin', async () => {
    const seen: string[] = [];
    const inputs: AttestInput[] = [];
    const attester: ClientAttester = { format: 'x', attest: (input) => void inputs.push(input) };
    const spy: typeof fetch = async (input) => {
      seen.push(String(input));
      return Response.json({ challenge: 'c'.repeat(30), expiresIn: 300 }, { status: seen.length === 1 ? 201 : 500 });
    };
    const defender = harness.defender({
      api: 'https://API.example.com:443/gw/',
      prefix: '/trust',
      fetch: spy,
      attester,
    });
    await expect(defender.enrol()).rejects.toMatchObject({ code: 'enrolment_refused', status: 500 });
    expect(seen).toEqual(['https://api.example.com/gw/trust/challenge', 'https://api.example.com/gw/trust/instances']);
    const lines = ['tab-enroll-v1', 'https://api.example.com', 'c'.repeat(30), 'bank', defender.instanceId];
    const binding = createHash('sha256').update(lines.join('\n')).digest();
    expect(Buffer.from(inputs[0]?.binding ?? []).equals(binding)).toBe(true);
    expect(inputs[0]).toMatchObject({ challenge: 'c'.repeat(30), thumbprint: defender.instanceId });
  });

  it('sends the statement of the attester', async () => {
    const attester: ClientAttester = { format: 'jwt', attest: async () => ({ jwt: 'abc' }) };
    await harness.defender({ attester }).enrol();
    const { attestation } = JSON.parse(harness.server.enrolments[0]?.body.toString() ?? '');
    expect(attestation).toEqual({ format: 'jwt', statement: { jwt: 'abc' } });
  });

  it('sends nothing when the attester fails', async () => {
    const cause = new Error('no hardware');
    const attester: ClientAttester = { format: 'jwt', attest: () => Promise.reject(cause) };
    await expect(harness.defender({ attester }).enrol()).rejects.toMatchObject({ code: 'attester_failed', cause });
    expect(harness.server.enrolments).toHaveLength(0);
  });

  it('is for the server of the request only', async () => {
    const other = 'https://other.example.com';
    const defender = harness.defender({ api: [other, harness.server.origin] });
    await defender.fetch(`${harness.server.origin}/a`);
    expect(harness.server.enrolments).toHaveLength(1);
  });

  it('takes no cookies along, which would have to be bound', async () => {
    const inits: (RequestInit | undefined)[] = [];
    const spy: typeof fetch = (input, init) => {
      inits.push(init);
      return fetch(input, init);
    };
    await harness.defender({ fetch: spy }).enrol();
    const fixed = { method: 'POST', credentials: 'omit', redirect: 'manual' };
    expect(inits).toMatchObject([fixed, fixed]);
  });

  it('measures anew', async () => {
    let runs = 0;
    const defender = harness.defender({ probes: [{ name: 'root', run: () => (++runs > 0 ? 'clear' : 'found') }] });
    await defender.enrol();
    await defender.enrol();
    expect(runs).toBe(2);
  });
});

describe('a refused enrolment', () => {
  it.each(['use_tab_nonce', 'stale_token'])('%s is repaired once, with a new challenge', async (code) => {
    let refusals = 1;
    harness.server.onEnrol = () => (refusals-- > 0 ? refusal(code, { 'TAB-Skew': '77' }) : undefined);
    await harness.defender().enrol();
    const [first, second] = harness.server.enrolments;
    expect(second?.claims.nonce).not.toBe(first?.claims.nonce);
    expect(second?.claims.iat).toBe(code === 'stale_token' ? T0 + 77 : T0);
    refusals = 5;
    await expect(harness.defender().enrol()).rejects.toMatchObject({ tabError: code });
    expect(harness.server.enrolments).toHaveLength(4);
  });

  it.each([
    ['attestation_rejected', 403],
    ['instance_revoked', 403],
    ['rate_limited', 429],
    ['unknown_instance', 401],
  ])('%s is told and nothing is sent', async (code, status) => {
    harness.server.onEnrol = () => refusal(code, { 'Retry-After': '7' }, status);
    const error = await failure(harness.defender().fetch(`${harness.server.origin}/a`));
    expect(error).toMatchObject({ code: 'enrolment_refused', tabError: code, status, retryAfter: 7 });
    expect(harness.server.enrolments).toHaveLength(1);
    expect(harness.server.calls).toHaveLength(0);
  });

  it('is tried again by the next request', async () => {
    harness.server.onChallenge = () => ({ status: 503 });
    const defender = harness.defender();
    await expect(defender.fetch(`${harness.server.origin}/a`)).rejects.toMatchObject({ status: 503 });
    harness.server.onChallenge = () => undefined;
    expect((await defender.fetch(`${harness.server.origin}/a`)).status).toBe(200);
  });

  it.each([
    ['no JSON', '{"challenge":"secret-challenge-value-x'],
    ['another type', '"secret-challenge-value-x"'],
    ['a challenge of another form', '{"challenge":"secret-challenge value x"}'],
    ['no challenge', '{}'],
    ['null', 'null'],
  ])('%s for a challenge', async (_, body) => {
    harness.server.onChallenge = () => ({ status: 201, body });
    const error = await failure(harness.defender().enrol());
    expect(error).toMatchObject({ code: 'unexpected_answer', status: 201 });
    expect(inspectAll(error)).not.toContain('secret');
  });

  it('an answer for another key is not taken', async () => {
    harness.server.onEnrol = () => accepted('x'.repeat(43));
    const defender = harness.defender();
    await expect(defender.enrol()).rejects.toMatchObject({ code: 'enrolment_failed' });
    harness.server.onEnrol = () => undefined;
    await defender.fetch(`${harness.server.origin}/a`);
    expect(harness.server.enrolments).toHaveLength(2);
  });

  it('a redirect is not followed', async () => {
    harness.server.onChallenge = () => ({ status: 302, headers: { location: `${harness.server.origin}/a` } });
    await expect(harness.defender().enrol()).rejects.toMatchObject({ code: 'unexpected_answer', status: 302 });
    expect(harness.server.calls).toHaveLength(0);
  });

  it('a server that hangs is given up, also for those who wait', async () => {
    const defender = harness.defender({ fetch: () => new Promise(() => undefined), enrolTimeout: 1 });
    const errors = await Promise.all([1, 2].map(() => failure(defender.fetch(`${harness.server.origin}/a`))));
    expect(errors).toMatchObject([{ code: 'enrolment_failed' }, { code: 'enrolment_failed' }]);
  });
});

describe('retiring', () => {
  it('deletes the instance, then the key; the next request is a new instance', async () => {
    const defender = harness.defender();
    const before = (await defender.enrol()).instanceId;
    await defender.retire();
    expect(harness.server.retirements[0]?.header.kid).toBe(before);
    expect(defender.instanceId).toBeUndefined();
    await defender.fetch(`${harness.server.origin}/a`);
    expect(defender.instanceId).not.toBe(before);
  });

  it('sends nothing where nothing is enrolled', async () => {
    const defender = harness.defender();
    await defender.retire();
    expect(harness.server.retirements).toHaveLength(0);
    expect(harness.server.challengesAsked).toBe(0);
  });

  it.each([
    ['unknown_instance', 401],
    ['instance_revoked', 403],
  ])('%s is as good, and never enrols', async (code, status) => {
    const defender = harness.defender();
    await defender.enrol();
    harness.server.onRetire = () => refusal(code, {}, status);
    await defender.retire();
    expect(defender.instanceId).toBeUndefined();
    expect(harness.server.enrolments).toHaveLength(1);
  });

  it('keeps the key when the server does not confirm', async () => {
    const defender = harness.defender();
    const { instanceId } = await defender.enrol();
    harness.server.onRetire = () => refusal('store_unavailable', { 'Retry-After': '3' }, 503);
    await expect(defender.retire()).rejects.toMatchObject({ code: 'retire_refused', status: 503, retryAfter: 3 });
    expect(defender.instanceId).toBe(instanceId);
  });
});

describe('closing', () => {
  it('ends an enrolment under way and refuses what comes later', async () => {
    const defender = harness.defender({ fetch: () => new Promise(() => undefined) });
    const pending = failure(defender.fetch(`${harness.server.origin}/a`));
    await defender.ready();
    await defender.close();
    expect(await pending).toMatchObject({ code: 'closed' });
    for (const call of [
      () => defender.fetch(`${harness.server.origin}/a`),
      () => defender.enrol(),
      () => defender.ready(),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: 'closed' });
    }
  });
});

function inspectAll(error: unknown): string {
  return error instanceof Error ? `${error.message} ${error.stack} ${inspectAll(error.cause)}` : String(error);
}
