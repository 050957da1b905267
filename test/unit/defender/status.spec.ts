import { describe, expect, it } from 'vitest';
import { DefenderError, memoryKeyStore, type Defender, type DefenderStatus } from '../../../lib/defender/index.js';
import { StatusBoard } from '../../../lib/defender/status.js';
import { refusal, type Answer } from './fake-server.js';
import { failure, useHarness } from './harness.js';

const A = 'https://a.example';
const B = 'https://b.example';
type Event = (board: StatusBoard) => void;

const enrolled: Event = (board) => board.enrolled(A);
const enrolledAtB: Event = (board) => board.enrolled(B);
const retired: Event = (board) => board.retired();
const measured =
  (impaired: boolean): Event =>
  (board) =>
    board.measured(impaired);
const answer =
  (status: number, code?: string, base = A): Event =>
  (board) =>
    board.answered(base, { status, code });
const monitored =
  (code: string): Event =>
  (board) =>
    board.answered(A, { status: 200, monitored: code });
const failed =
  (code: DefenderError['code'], facts: { status?: number; tabError?: string } = {}): Event =>
  (board) =>
    board.failed(A, new DefenderError(code, 'x', facts));

describe('the rules of the status', () => {
  it.each<[string, Event[], DefenderStatus]>([
    ['nothing has happened', [], 'new'],
    ['only measured', [measured(true)], 'new'],
    ['enrolled', [enrolled], 'ready'],
    ['accepted', [enrolled, answer(200)], 'ready'],
    ['redirected', [enrolled, answer(302)], 'ready'],
    ['not found', [enrolled, answer(404)], 'ready'],
    ['an error of the application', [enrolled, answer(500)], 'ready'],
    ['a refusal of the request alone', [enrolled, answer(401, 'replayed_token')], 'ready'],
    ['more is asked for', [enrolled, answer(401, 'step_up_required')], 'ready'],
    ['evidence is fine', [enrolled, measured(false)], 'ready'],
    ['a threat, or a probe that could not look', [enrolled, measured(true)], 'degraded'],
    ['… which was known before', [measured(true), enrolled], 'degraded'],
    ['… and is over', [enrolled, measured(true), measured(false)], 'ready'],
    ['not reached', [enrolled, failed('unreachable')], 'degraded'],
    ['not reached at all yet', [failed('enrolment_failed')], 'degraded'],
    ['a captive portal', [failed('unexpected_answer')], 'degraded'],
    ['… gone', [enrolled, failed('unreachable'), answer(200)], 'ready'],
    ['503', [enrolled, answer(503, 'store_unavailable')], 'degraded'],
    ['503 of something else', [enrolled, answer(503)], 'degraded'],
    ['429', [enrolled, answer(429, 'rate_limited')], 'degraded'],
    ['429 at the enrolment', [failed('enrolment_refused', { status: 429, tabError: 'rate_limited' })], 'degraded'],
    ['… gone', [enrolled, answer(503), answer(401, 'use_tab_nonce')], 'ready'],
    ['suspended', [enrolled, answer(403, 'instance_suspended')], 'refused'],
    ['not trusted', [enrolled, answer(403, 'insufficient_trust')], 'refused'],
    ['attestation', [failed('enrolment_refused', { status: 403, tabError: 'attestation_rejected' })], 'refused'],
    ['… and an opaque redirect', [enrolled, answer(403, 'insufficient_trust'), answer(0)], 'refused'],
    ['… and an error of something else', [enrolled, answer(403, 'instance_suspended'), answer(502)], 'refused'],
    ['… and not reached', [enrolled, answer(403, 'instance_suspended'), failed('unreachable')], 'refused'],
    ['… and accepted', [enrolled, answer(403, 'insufficient_trust'), answer(200)], 'ready'],
    ['… and enrolled again', [enrolled, answer(403, 'instance_suspended'), enrolled], 'ready'],
    ['… and monitored', [enrolled, answer(403, 'instance_suspended'), monitored('x')], 'refused'],
    ['monitored', [enrolled, monitored('instance_suspended')], 'ready'],
    ['unknown to the server', [enrolled, answer(401, 'unknown_instance')], 'new'],
    ['revoked', [enrolled, answer(403, 'instance_revoked')], 'revoked'],
    [
      'revoked at the enrolment',
      [failed('enrolment_refused', { status: 403, tabError: 'instance_revoked' })],
      'revoked',
    ],
    ['… and accepted', [answer(403, 'instance_revoked'), answer(200), enrolled], 'revoked'],
    ['… and unknown', [answer(403, 'instance_revoked'), answer(401, 'unknown_instance')], 'revoked'],
    ['… and suspended', [answer(403, 'instance_revoked'), answer(403, 'instance_suspended')], 'revoked'],
    ['… and retired', [answer(403, 'instance_revoked'), retired], 'new'],
    ['retired, and enrolled with another key', [answer(403, 'instance_revoked'), retired, enrolled], 'ready'],
    ['of two, one is revoked', [enrolled, enrolledAtB, answer(403, 'instance_revoked', B)], 'revoked'],
    ['of two, one refuses', [enrolled, enrolledAtB, answer(403, 'insufficient_trust', B), answer(200)], 'refused'],
    ['of two, one is away', [enrolled, enrolledAtB, answer(503, undefined, B), answer(200)], 'degraded'],
    ['of two, one is not known', [enrolled, answer(401, 'unknown_instance', B)], 'ready'],
    ['what is no matter of a server', [enrolled, failed('attester_failed'), failed('key_store')], 'ready'],
  ])('%s', (_, events, status) => {
    const board = new StatusBoard();
    for (const event of events) event(board);
    expect(board.status).toBe(status);
  });
});

describe('listeners', () => {
  it('are told of changes, after them, and of nothing else', () => {
    const board = new StatusBoard();
    const told: [DefenderStatus, DefenderStatus][] = [];
    board.subscribe((status) => void told.push([status, board.status]));
    for (const event of [enrolled, answer(200), measured(true), measured(true), answer(403, 'instance_revoked')])
      event(board);
    expect(told).toEqual([
      ['ready', 'ready'],
      ['degraded', 'degraded'],
      ['revoked', 'revoked'],
    ]);
  });

  it('that throw, or reject, stop no other', async () => {
    const board = new StatusBoard();
    const told: DefenderStatus[] = [];
    board.subscribe(() => {
      throw new Error('mine');
    });
    board.subscribe(() => Promise.reject(new Error('mine too')) as never);
    board.subscribe((status) => void told.push(status));
    enrolled(board);
    await new Promise((resolve) => setImmediate(resolve));
    expect(told).toEqual(['ready']);
  });

  it('end one by one, also the same one added twice', () => {
    const board = new StatusBoard();
    let calls = 0;
    const listener = () => void (calls += 1);
    const [first, second] = [board.subscribe(listener), board.subscribe(listener)];
    first();
    first();
    enrolled(board);
    expect(calls).toBe(1);
    second();
    retired(board);
    expect(calls).toBe(1);
  });

  it('added by a listener miss the change under way', () => {
    const board = new StatusBoard();
    const late: DefenderStatus[] = [];
    board.subscribe(() => void board.subscribe((status) => void late.push(status)));
    enrolled(board);
    expect(late).toEqual([]);
    retired(board);
    expect(late).toEqual(['new']);
  });
});

const harness = useHarness();
const get = (defender: Defender) => defender.fetch(`${harness.server.origin}/a`);

describe('the status of a Defender', () => {
  it('follows a life', async () => {
    const defender = harness.defender();
    const told: DefenderStatus[] = [];
    const end = defender.onStatus((status) => void told.push(status));
    expect(defender.status).toBe('new');
    harness.server.onChallenge = () => ({ status: 503 });
    await failure(get(defender));
    harness.server.onChallenge = () => undefined;
    const answers: Answer[] = [
      {},
      refusal('insufficient_trust', {}, 403),
      {},
      refusal('rate_limited', { 'Retry-After': '1' }, 429),
      {},
      refusal('instance_revoked', {}, 403),
      {},
    ];
    for (const scripted of answers) {
      harness.server.answers = [scripted];
      await get(defender);
    }
    harness.server.onRetire = () => refusal('instance_revoked', {}, 403);
    await defender.retire();
    await get(defender);
    end();
    await defender.retire();
    const life = ['degraded', 'ready', 'refused', 'ready', 'degraded', 'ready', 'revoked', 'new', 'ready'];
    expect(told).toEqual(life);
    expect(defender.status).toBe('new');
  });

  it('is ready when the stored state says enrolled, and new for another key', async () => {
    const keyStore = memoryKeyStore();
    await harness.defender({ keyStore }).enrol();
    const restarted = harness.defender({ keyStore });
    await restarted.ready();
    expect(restarted.status).toBe('ready');
    const other = harness.defender({ keyStore: { ...memoryKeyStore(), loadState: () => keyStore.loadState() } });
    await other.ready();
    expect(other.status).toBe('new');
  });

  it('takes no notice of a stored server that is no longer configured', async () => {
    const keyStore = memoryKeyStore();
    await harness.defender({ keyStore }).enrol();
    const moved = harness.defender({ keyStore, api: 'https://new.example' });
    await moved.ready();
    expect(moved.status).toBe('new');
  });

  it.each(['found', 'unknown'] as const)('is degraded by a probe that says %s', async (result) => {
    const defender = harness.defender({ probes: [{ name: 'root', run: () => result }] });
    await get(defender);
    expect(defender.status).toBe('degraded');
  });

  it('is refused by a rejected attestation, until it is accepted', async () => {
    harness.server.onEnrol = () => refusal('attestation_rejected', {}, 403);
    const defender = harness.defender();
    await failure(get(defender));
    expect(defender.status).toBe('refused');
    harness.server.onEnrol = () => undefined;
    await get(defender);
    expect(defender.status).toBe('ready');
  });
});
