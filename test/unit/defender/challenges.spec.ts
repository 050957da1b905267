import { describe, expect, it } from 'vitest';
import { Challenges } from '../../../lib/defender/challenges.js';
import { useHarness } from './harness.js';

const harness = useHarness();
const nonces = () => harness.server.calls.map((call) => call.claims.nonce);

describe('challenges of requests', () => {
  it('starts with the one of the enrolment and keeps it while it lasts', async () => {
    const defender = harness.defender();
    for (const path of ['/a', '/b', '/a']) await defender.fetch(harness.server.origin + path);
    expect(new Set(nonces()).size).toBe(1);
    expect(nonces()[0]).toBeDefined();
  });

  it('goes on with a newer one', async () => {
    const newer = harness.server.issue();
    harness.server.answers = [{ headers: { 'TAB-Nonce': newer } }];
    const defender = harness.defender();
    for (const path of ['/a', '/a', '/b']) await defender.fetch(harness.server.origin + path);
    expect(nonces()[0]).not.toBe(newer);
    expect(nonces().slice(1)).toEqual([newer, newer]);
  });

  it('sends none when it has none, and is told', async () => {
    harness.server.onEnrol = () => undefined;
    const defender = harness.defender();
    await defender.fetch(`${harness.server.origin}/a`);
    harness.server.answers = [{ status: 401, headers: { 'TAB-Error': 'use_tab_nonce' } }];
    expect((await defender.fetch(`${harness.server.origin}/a`)).status).toBe(401);
    expect((await defender.fetch(`${harness.server.origin}/a`)).status).toBe(200);
    expect(nonces()[2]).toBeUndefined();
    expect(nonces()[3]).toBeDefined();
  });

  it('needs one request each on a single-use route, one after the other', async () => {
    harness.server.challenges = 'single-use';
    const defender = harness.defender();
    for (let index = 0; index < 5; index += 1) {
      expect((await defender.fetch(`${harness.server.origin}/pay`, { method: 'POST', body: `${index}` })).status).toBe(
        200,
      );
    }
    expect(new Set(nonces()).size).toBe(5);
    expect(harness.server.calls).toHaveLength(5);
  });

  it.each(['single-use', 'recent', 'none'] as const)('all of 50 requests at once succeed (%s)', async (mode) => {
    harness.server.challenges = mode;
    const defender = harness.defender();
    const responses = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        defender.fetch(`${harness.server.origin}/pay`, { method: 'POST', body: `${index}` }),
      ),
    );
    expect(responses.every((response) => response.status === 200)).toBe(true);
  });

  it('puts no challenge into two tokens of a route known to be single-use', async () => {
    harness.server.challenges = 'single-use';
    const defender = harness.defender();
    await defender.fetch(`${harness.server.origin}/pay`);
    const before = harness.server.calls.length;
    const responses = await Promise.all(
      Array.from({ length: 20 }, () => defender.fetch(`${harness.server.origin}/pay`)),
    );
    const used = nonces()
      .slice(before)
      .filter((nonce) => nonce !== undefined);
    expect(responses.every((response) => response.status === 200)).toBe(true);
    expect(used).toHaveLength(20);
    expect(new Set(used).size).toBe(used.length);
  });
});

describe('the store of challenges', () => {
  it('shares on ordinary routes', () => {
    const challenges = new Challenges();
    challenges.add('a');
    expect([challenges.take('r'), challenges.take('s'), challenges.take('r')]).toEqual(['a', 'a', 'a']);
  });

  it('never gives the shared one to a single-use route', () => {
    const challenges = new Challenges();
    challenges.add('a');
    challenges.superseded('pay', challenges.take('pay'));
    challenges.add('b');
    expect(challenges.take('r')).toBe('b');
    expect(challenges.take('pay')).toBeUndefined();
  });

  it('never shares what a single-use route has taken', () => {
    const challenges = new Challenges();
    challenges.superseded('pay', 'x');
    challenges.add('b');
    expect(challenges.take('pay')).toBe('b');
    expect(challenges.take('r')).toBeUndefined();
  });

  it('shares it once it is known to be unspent', () => {
    const challenges = new Challenges();
    challenges.superseded('pay', 'x');
    challenges.accepted('pay', 'b');
    expect([challenges.take('pay'), challenges.take('r')]).toEqual(['b', 'b']);
  });

  it('forgets everything that a refusal makes doubtful', () => {
    const challenges = new Challenges();
    challenges.add('a');
    challenges.take('r');
    challenges.add('b');
    challenges.refused();
    expect(challenges.take('r')).toBeUndefined();
  });

  it('is bounded', () => {
    const challenges = new Challenges();
    for (let index = 0; index < 1000; index += 1) {
      challenges.superseded(`route ${index}`, undefined);
      challenges.add(`${index}`);
    }
    const left = Array.from({ length: 20 }, () => challenges.take('route 999'));
    expect(left.filter((value) => value !== undefined)).toHaveLength(16);
    challenges.add('last');
    expect([challenges.take('route 0'), challenges.take('route 1')]).toEqual(['last', 'last']);
  });
});
