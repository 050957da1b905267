import { describe, expect, it, vi } from 'vitest';
import { memoryKeyStore, type Defender } from '../../../lib/defender/index.js';
import { refusal, T0, type Answer } from './fake-server.js';
import { latch, settled, useHarness } from './harness.js';

const harness = useHarness();
const SID = 'S'.repeat(22);
const NONCE = 'n'.repeat(22);
const SESSION = { 'TAB-Session': `${SID}; expires=${T0 + 600}`, 'TAB-Nonce': NONCE };

/** A Defender whose answer from `/late` has left the server, and is held back until `door` opens. */
async function scene(answer: Answer) {
  const [door, left] = [latch(), latch()];
  const held: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    if (!String(input).endsWith('/late')) return response;
    left.open();
    await door.opened;
    return response;
  };
  // Of this server a client has no challenge, unless it took the one of the late answer.
  harness.server.challenges = 'none';
  const defender = harness.defender({ fetch: held });
  harness.server.answers = [answer];
  const late = defender.fetch(`${harness.server.origin}/late`);
  await left.opened;
  const arrive = async () => {
    door.open();
    return (await late).status;
  };
  return { defender, arrive, before: defender.instanceId, url: `${harness.server.origin}/a` };
}

const ENDS: [string, (defender: Defender) => Promise<void>][] = [
  ['retire()', (defender) => defender.retire()],
  ['forget()', (defender) => defender.forget()],
];
const ANSWERS: [string, Answer][] = [
  ['a session and a challenge', { headers: SESSION }],
  ['a skew', refusal('stale_token', { ...SESSION, 'TAB-Skew': '-3600' })],
  ['a skew in monitor mode', { headers: { ...SESSION, 'TAB-Monitor': 'stale_token', 'TAB-Skew': '-3600' } }],
  ['a revocation', refusal('instance_revoked', SESSION, 403)],
  ['an unknown instance', refusal('unknown_instance', SESSION)],
];
const CASES = ENDS.flatMap(([name, end]) => ANSWERS.map(([what, answer]) => [name, what, end, answer] as const));

describe('an answer to a token of a key that has been given up', () => {
  it.each(CASES)('after %s: %s is ignored, before there is a new key', async (_, __, end, answer) => {
    const { defender, arrive, before, url } = await scene(answer);
    await end(defender);
    expect(await arrive()).toBe(answer.status ?? 200);
    expect([defender.status, defender.session]).toEqual(['new', undefined]);
    await defender.fetch(url);
    expect(defender.instanceId).not.toBe(before);
    expectUntouched(defender);
  });

  it.each(CASES)('after %s: %s is ignored, beside a new key', async (_, __, end, answer) => {
    const { defender, arrive, before, url } = await scene(answer);
    await end(defender);
    await defender.enrol();
    expect(defender.instanceId).not.toBe(before);
    expect(await arrive()).toBe(answer.status ?? 200);
    await defender.fetch(url);
    expectUntouched(defender);
  });
});

/** The newest request is of an instance that has learned nothing but its own enrolment. */
function expectUntouched(defender: Defender): void {
  const { server } = harness;
  expect([defender.status, defender.session]).toEqual(['ready', undefined]);
  expect(server.enrolments).toHaveLength(2);
  expect(server.calls.map(({ target }) => target)).toEqual(['/late', '/a']);
  expect(server.calls[1]?.header.kid).toBe(defender.instanceId);
  expect(server.calls[1]?.claims.iat).toBe(T0);
  expect(server.calls[1]?.claims).not.toHaveProperty('sid');
  expect(server.calls[1]?.claims).not.toHaveProperty('nonce');
}

describe('a write under way when the key is retired', () => {
  /** A Defender with a session, whose write waits, and the store behind it. */
  const writing = async (outcome: () => Promise<void>) => {
    const inner = memoryKeyStore();
    const [door, begun] = [latch(), latch()];
    let isSlow = false;
    const keyStore: typeof inner = {
      ...inner,
      saveState: async (state) => {
        if (isSlow) {
          isSlow = false;
          begun.open();
          await door.opened;
          await outcome();
        }
        await inner.saveState(state);
      },
    };
    const defender = harness.defender({ keyStore });
    await defender.enrol();
    await settled();
    isSlow = true;
    harness.server.answers = [{ headers: SESSION }];
    await defender.fetch(`${harness.server.origin}/a`);
    await begun.opened;
    return { inner, door, defender, before: defender.instanceId };
  };

  const outcomes: [string, () => Promise<void>][] = [
    ['succeeds', () => Promise.resolve()],
    ['fails', () => Promise.reject(new Error('full'))],
  ];

  it.each(outcomes)('leaves nothing of it in the store, when it %s', async (_, outcome) => {
    const { inner, door, defender, before } = await writing(outcome);
    const key = await inner.loadKey();
    const retired = defender.retire();
    // Given up here, while the write of it is still under way.
    await vi.waitFor(() => expect(defender.instanceId).toBeUndefined());
    await settled();
    door.open();
    await retired;
    await settled();
    expect(harness.server.retirements).toHaveLength(1);
    expect(await inner.loadState()).toBeUndefined();
    expect(await inner.loadKey()).not.toBe(key);
    expect(await defender.ready()).not.toBe(before);
    await defender.close();
  });

  it.each(outcomes)('puts nothing of it beside the next key, when it %s', async (_, outcome) => {
    const { inner, door, defender, before } = await writing(outcome);
    const forgotten = defender.forget();
    const next = defender.fetch(`${harness.server.origin}/b`);
    door.open();
    await Promise.all([forgotten, next]);
    await defender.close();
    const state = await inner.loadState();
    expect(state?.instanceId).toBe(defender.instanceId);
    expect(state?.instanceId).not.toBe(before);
    expect(JSON.stringify(state)).not.toContain(SID);
    expect(harness.server.calls.at(-1)?.claims).not.toHaveProperty('sid');
  });
});

describe('an abort while the content is being read', () => {
  it.each(['init', 'Request'])('settles at once, and cancels its source (signal of %s)', async (from) => {
    const abort = new AbortController();
    const reason = new Error('no more');
    const stalled = latch();
    const cancelled: unknown[] = [];
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new Uint8Array(3)),
      pull: () => {
        stalled.open();
        return new Promise<void>(() => undefined);
      },
      cancel: (why) => void cancelled.push(why),
    });
    const url = `${harness.server.origin}/a`;
    const init = { method: 'POST', body, duplex: 'half', signal: abort.signal } as RequestInit;
    const defender = harness.defender();
    const sent = from === 'init' ? defender.fetch(url, init) : defender.fetch(new Request(url, init));
    const rejected = expect(sent).rejects.toBe(reason);
    await stalled.opened;
    await settled();
    abort.abort(reason);
    await rejected;
    await settled();
    expect(cancelled).toEqual([reason]);
    expect(harness.server.challengesAsked).toBe(0);
  });
});
