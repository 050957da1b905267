import { inspect } from 'node:util';
import { describe, expect, it, vi } from 'vitest';
import type { DefenderDecision, DefenderOptions } from '../../../lib/defender/index.js';
import { problem, refusal, type Answer } from './fake-server.js';
import { failure, settled, useHarness } from './harness.js';

const harness = useHarness();
const recorder = () => {
  const told: DefenderDecision[] = [];
  return { told, onDecision: (decision: DefenderDecision) => void told.push(decision) };
};

/** What is told of one request, the enrolment left out. */
async function toldOf(answers: Answer[], path = '/a', override: Partial<DefenderOptions> = {}) {
  const { told, onDecision } = recorder();
  const defender = harness.defender({ onDecision, ...override });
  await defender.enrol();
  harness.server.answers = [...answers];
  const response = await defender.fetch(harness.server.origin + path);
  const text = await response.text();
  await vi.waitFor(() => expect(told).toHaveLength(answers.length + 1));
  return { told: told.slice(1), text };
}

describe('onDecision', () => {
  it('is told of the enrolment and of the request', async () => {
    const { told, onDecision } = recorder();
    await harness.defender({ onDecision }).fetch(`${harness.server.origin}/a?q=1#f`, { method: 'PUT', body: 'x' });
    const { origin } = harness.server;
    const durationMs = expect.any(Number) as number;
    expect(told).toEqual([
      { url: `${origin}/tab/instances`, method: 'POST', attempt: 1, status: 201, outcome: 'accepted', durationMs },
      { url: `${origin}/a`, method: 'PUT', attempt: 1, status: 200, outcome: 'accepted', durationMs },
    ]);
    expect(told.every((each) => each.durationMs >= 0)).toBe(true);
  });

  it.each<[string, Answer, Partial<DefenderDecision>]>([
    ['accepted', {}, { status: 200, outcome: 'accepted' }],
    ['of the application', { status: 404 }, { status: 404, outcome: 'accepted' }],
    [
      'monitored',
      { headers: { 'TAB-Monitor': 'insufficient_trust' } },
      { status: 200, outcome: 'monitored', code: 'insufficient_trust' },
    ],
    [
      'refused',
      problem('insufficient_trust', 403, { decision: 'd-1' }),
      { status: 403, outcome: 'refused', code: 'insufficient_trust', decision: 'd-1' },
    ],
    ['refused with nothing to quote', problem('insufficient_trust', 403), { code: 'insufficient_trust' }],
    [
      'refused with a strange id',
      problem('insufficient_trust', 403, { decision: { a: 1 } }),
      { code: 'insufficient_trust' },
    ],
    [
      'refused with a long id',
      problem('insufficient_trust', 403, { decision: 'x'.repeat(200) }),
      { code: 'insufficient_trust' },
    ],
    ['refused with a strange code', refusal('<b>Insufficient</b>', {}, 403), { status: 403, outcome: 'refused' }],
  ])('%s', async (_, answer, expected) => {
    const { told, text } = await toldOf([answer]);
    expect(told[0]).toMatchObject(expected);
    expect(told[0]?.decision).toBe(expected.decision);
    expect(told[0]?.code).toBe(expected.code);
    // The caller reads the whole answer, whatever has been read for the hook.
    expect(text).toBe(answer.body ?? '');
  });

  it('is told of both attempts', async () => {
    const nonce = harness.server.issue();
    const { told } = await toldOf([refusal('use_tab_nonce', { 'TAB-Nonce': nonce }), {}]);
    expect(told).toMatchObject([
      { attempt: 1, outcome: 'refused', code: 'use_tab_nonce', status: 401 },
      { attempt: 2, outcome: 'accepted', status: 200 },
    ]);
  });

  it('gets the id of a refusal whose content is thrown away for a retry', async () => {
    const first = problem('use_tab_nonce', 401, { decision: 'd-2' });
    const headers = { ...first.headers, 'TAB-Nonce': harness.server.issue() };
    const { told } = await toldOf([{ ...first, headers }, {}]);
    expect(told.find((each) => each.attempt === 1)?.decision).toBe('d-2');
  });

  it.each<[string, Answer]>([
    ['of another type', { ...problem('x', 403, { decision: 'd' }), headers: { 'TAB-Error': 'x' } }],
    ['too large', problem('x', 403, { decision: 'd', detail: 'x'.repeat(9000) })],
    [
      'of unknown length',
      {
        status: 403,
        headers: { 'TAB-Error': 'x', 'Content-Type': 'application/problem+json' },
        stream: (reply) => void reply.end('{"decision":"d"}'),
        body: undefined,
      },
    ],
    ['not JSON', { ...problem('x', 403), body: '{"decision":'.padEnd(80) }],
  ])('does not look into a document that is %s', async (kind, answer) => {
    const headers = { ...answer.headers };
    if (kind === 'not JSON') headers['Content-Length'] = '80';
    const { told } = await toldOf([{ ...answer, headers }]);
    expect(told[0]).toMatchObject({ status: 403, outcome: 'refused', code: 'x' });
    expect(told[0]).not.toHaveProperty('decision');
  });

  it('does not keep an answer whose document never ends', async () => {
    const headers = { 'TAB-Error': 'insufficient_trust', 'Content-Type': 'application/problem+json' };
    const stream: Answer['stream'] = (reply) => reply.flushHeaders();
    harness.server.answers = [{ status: 403, headers: { ...headers, 'Content-Length': '50' }, stream }];
    const defender = harness.defender({ onDecision: () => undefined });
    expect((await defender.fetch(`${harness.server.origin}/a`)).status).toBe(403);
    const retried = { ...headers, 'TAB-Error': 'use_tab_nonce', 'TAB-Nonce': harness.server.issue() };
    harness.server.answers = [{ status: 401, headers: { ...retried, 'Content-Length': '50' }, stream }];
    expect((await defender.fetch(`${harness.server.origin}/a`)).status).toBe(200);
  });

  it('may throw or reject', async () => {
    const hooks: DefenderOptions['onDecision'][] = [
      () => {
        throw new Error('mine');
      },
      () => Promise.reject(new Error('mine')) as never,
    ];
    for (const onDecision of hooks) {
      harness.server.answers = [problem('insufficient_trust', 403, { decision: 'd' })];
      const response = await harness.defender({ onDecision }).fetch(`${harness.server.origin}/a`);
      expect(response.status).toBe(403);
    }
    await settled();
  });

  it('is told of a refused enrolment and of the retirement', async () => {
    const { told, onDecision } = recorder();
    const defender = harness.defender({ onDecision });
    harness.server.onEnrol = () => problem('attestation_rejected', 403, { decision: 'd-3' });
    await failure(defender.enrol());
    await vi.waitFor(() => expect(told).toHaveLength(1));
    harness.server.onEnrol = () => undefined;
    await defender.enrol();
    await defender.retire();
    expect(told).toMatchObject([
      { outcome: 'refused', code: 'attestation_rejected', decision: 'd-3', status: 403 },
      { outcome: 'accepted', status: 201 },
      { url: `${harness.server.origin}/tab/instances/self`, method: 'DELETE', outcome: 'accepted', status: 204 },
    ]);
  });

  it('holds no token, challenge, session, credential or query', async () => {
    const { told, onDecision } = recorder();
    const defender = harness.defender({ onDecision });
    const sid = 'S'.repeat(22);
    const nonce = harness.server.issue();
    harness.server.answers = [
      { ...problem('use_tab_nonce', 401, { decision: 'd' }) },
      { headers: { 'TAB-Session': `${sid}; expires=${1_900_000_000}` } },
    ];
    Object.assign(harness.server.answers[0]?.headers ?? {}, { 'TAB-Nonce': nonce });
    const headers = { authorization: 'Bearer CREDENTIAL' };
    await defender.fetch(`${harness.server.origin}/a?SECRET-QUERY`, { method: 'POST', body: 'BODY', headers });
    await vi.waitFor(() => expect(told).toHaveLength(3));
    const text = inspect(told, { depth: 10, showHidden: true });
    const tokens = harness.server.calls.flatMap((call) => [call.token, String(call.claims.nonce)]);
    for (const secret of [...tokens, nonce, sid, 'CREDENTIAL', 'SECRET-QUERY', 'BODY'])
      expect(text).not.toContain(secret);
  });
});
