import { Subject } from 'rxjs';
import { compactVerify, createLocalJWKSet, decodeProtectedHeader } from 'jose';
import { describe, expect, it, vi } from 'vitest';
import type { PushFetch, SignalTransmitterOptions } from '../../../lib/signals/signals.types.js';
import { SignalTransmitter } from '../../../lib/signals/transmitter.js';
import { trustBreaks, type TrustBreak } from '../../../lib/signals/trust-break.js';
import type { TrustDecision } from '../../../lib/trust/trust-decision.js';
import {
  aSignalWorld,
  AUDIENCE,
  COMPLIANCE,
  idp,
  INSTANCE,
  ISS,
  KID,
  NOW,
  SESSION_ID,
  SESSION_REVOKED,
} from './fixture.js';

const URL_A = 'https://a.example/events';

/** A timer that only the test moves. */
class Timers {
  readonly #due: { milliseconds: number; callback: () => void }[] = [];
  readonly after = (milliseconds: number, callback: () => void) => {
    const entry = { milliseconds, callback };
    this.#due.push(entry);
    return () => void this.#due.splice(0, this.#due.length, ...this.#due.filter((each) => each !== entry));
  };
  get waiting(): number[] {
    return this.#due.map(({ milliseconds }) => milliseconds);
  }
  /** Fires the timer of this many milliseconds. */
  fire(milliseconds: number): void {
    const at = this.#due.findIndex((each) => each.milliseconds === milliseconds);
    expect(at).not.toBe(-1);
    this.#due.splice(at, 1)[0]?.callback();
  }
}

interface Sent {
  readonly url: string;
  readonly init: RequestInit;
  readonly jwt: string;
}

const TIMEOUT = 7777;
const aBreak = (change: Partial<TrustBreak> = {}): TrustBreak => ({
  instanceId: INSTANCE,
  action: 'suspend',
  threats: ['root'],
  at: NOW * 1000 + 900,
  ...change,
});

/** Lets everything run that waits for nothing outside. Signing takes the thread pool, so turns of the loop are needed. */
async function settled(until: () => boolean): Promise<void> {
  // By time, not by turns of the event loop: signing is done by other threads, which a busy machine keeps waiting.
  await vi.waitFor(() => expect(until()).toBe(true), { timeout: 10_000, interval: 1 });
}

function setUp(
  answer: (sent: Sent, count: number) => Response | Promise<Response>,
  change: Partial<SignalTransmitterOptions> = {},
) {
  const timers = new Timers();
  const sent: Sent[] = [];
  const warnings: string[] = [];
  const fetch: PushFetch = async (url, init) => {
    const each = { url, init, jwt: init.body as string };
    sent.push(each);
    return answer(each, sent.length);
  };
  const options: SignalTransmitterOptions = {
    iss: ISS,
    key: idp.privateKey,
    kid: KID,
    alg: 'ES256',
    receivers: [{ url: URL_A, audience: 'a', authorization: 'Bearer of-a' }],
    fetch,
    timeout: TIMEOUT,
    clock: () => NOW * 1000 + 999,
    after: timers.after,
    random: () => 0,
    ...change,
  };
  const transmitter = new SignalTransmitter(options, (message) => warnings.push(message));
  const counts = (index = 0) => transmitter.counts[index];
  const idle = () => settled(() => transmitter.counts.every(({ queued }) => queued === 0));
  return { transmitter, timers, sent, warnings, counts, idle };
}
const accepted = () => new Response(null, { status: 202 });

async function claimsOf(jwt: string) {
  const { payload } = await compactVerify(jwt, createLocalJWKSet(idp.jwks));
  return JSON.parse(new TextDecoder().decode(payload)) as Record<string, unknown>;
}

describe('what is sent', () => {
  it('is a signed token to the receiver, as RFC 8935 asks', async () => {
    const { transmitter, sent, idle, counts } = setUp(accepted);
    transmitter.emit(aBreak({ subject: 'alice', sessionId: SESSION_ID }));
    await idle();
    expect(sent).toHaveLength(1);
    const { url, init, jwt } = sent[0] as Sent;
    expect(url).toBe(URL_A);
    expect(init).toMatchObject({ method: 'POST', redirect: 'manual' });
    expect(init.headers).toEqual({
      'Content-Type': 'application/secevent+jwt',
      Accept: 'application/json',
      Authorization: 'Bearer of-a',
    });
    expect(decodeProtectedHeader(jwt)).toEqual({ typ: 'secevent+jwt', alg: 'ES256', kid: KID });
    expect(await claimsOf(jwt)).toEqual({
      iss: ISS,
      aud: 'a',
      iat: NOW,
      jti: expect.stringMatching(/^[A-Za-z0-9_-]{22}$/),
      sub_id: {
        format: 'complex',
        device: { format: 'opaque', id: INSTANCE },
        user: { format: 'opaque', id: 'alice' },
        session: { format: 'opaque', id: SESSION_ID },
      },
      events: {
        [COMPLIANCE]: {
          previous_status: 'compliant',
          current_status: 'not-compliant',
          event_timestamp: NOW,
          initiating_entity: 'policy',
          reason_admin: { en: 'trust broke: root' },
        },
      },
    });
    expect(counts()).toEqual({ host: 'a.example', queued: 0, delivered: 1, failed: 0, dropped: 0 });
  });

  it.each([
    ['suspend', COMPLIANCE],
    ['revoke-instance', COMPLIANCE],
    ['revoke-session', SESSION_REVOKED],
  ] as const)('for %s is %s', async (action, type) => {
    const { transmitter, sent, idle } = setUp(accepted);
    transmitter.emit(aBreak({ action, sessionId: SESSION_ID }));
    await idle();
    const { events } = await claimsOf(sent[0]?.jwt as string);
    expect(Object.keys(events as object)).toEqual([type]);
  });

  it('goes to every receiver, for it alone', async () => {
    const receivers = [
      { url: URL_A, audience: 'a' },
      { url: 'https://b.example/', audience: 'b' },
    ];
    const { transmitter, sent, idle } = setUp(accepted, { receivers });
    transmitter.emit(aBreak());
    await idle();
    const all = await Promise.all(sent.map(async ({ url, jwt }) => [url, await claimsOf(jwt)] as const));
    expect(all.map(([url, { aud }]) => `${url} ${String(aud)}`).toSorted()).toEqual([
      `${URL_A} a`,
      'https://b.example/ b',
    ]);
    expect(new Set(all.map(([, { jti }]) => jti)).size).toBe(2);
    expect(JSON.stringify(sent.map(({ init }) => init.headers))).not.toContain('Authorization');
  });

  it('is what our own receiver takes', async () => {
    const world = await aSignalWorld();
    const outcomes: string[] = [];
    const answer = async ({ jwt }: Sent) => {
      outcomes.push(await world.take(jwt));
      return accepted();
    };
    const { transmitter, idle } = setUp(answer, { receivers: [{ url: URL_A, audience: AUDIENCE }] });
    expect(transmitter.jwks.keys).toEqual([expect.objectContaining({ ...idp.jwks.keys[0], alg: 'ES256', use: 'sig' })]);
    expect(JSON.stringify(transmitter.jwks)).not.toContain('"d"');
    transmitter.emit(aBreak({ action: 'revoke-session', sessionId: SESSION_ID, subject: 'alice' }));
    transmitter.emit(aBreak({ subject: 'alice', sessionId: SESSION_ID }));
    await idle();
    expect(outcomes).toEqual(['acted', 'acted']);
    expect([await world.live(), await world.status()]).toEqual([[], 'suspended']);
  });
});

describe('an answer that may pass by itself', () => {
  it.each([500, 503, 429, 408])('%i is followed by the same token again', async (status) => {
    const { transmitter, sent, timers, idle, counts, warnings } = setUp((_sent, count) =>
      count < 3 ? new Response('x', { status }) : accepted(),
    );
    transmitter.emit(aBreak());
    await settled(() => timers.waiting.includes(1000));
    timers.fire(1000);
    await settled(() => timers.waiting.includes(2000));
    timers.fire(2000);
    await idle();
    expect(new Set(sent.map(({ jwt }) => jwt)).size).toBe(1);
    expect(counts()).toMatchObject({ delivered: 1, failed: 0 });
    expect(warnings).toEqual([]);
    expect(timers.waiting).toEqual([]);
  });

  it('waits twice as long each time, within the limit, and gives up', async () => {
    const { transmitter, timers, idle, counts, warnings, sent } = setUp(() => Promise.reject(new TypeError('secret')), {
      retry: { attempts: 5, baseDelay: 100, maxDelay: 300 },
    });
    transmitter.emit(aBreak());
    for (const delay of [100, 200, 300, 300]) {
      await settled(() => timers.waiting.includes(delay));
      timers.fire(delay);
    }
    await idle();
    expect(sent).toHaveLength(5);
    expect(counts()).toMatchObject({ delivered: 0, failed: 1 });
    expect(warnings).toEqual([expect.stringMatching(/not delivered: TypeError, attempt 5$/)]);
  });

  it('is spread by jitter, down to half', async () => {
    const { transmitter, timers } = setUp(() => new Response(null, { status: 500 }), { random: () => 0.5 });
    transmitter.emit(aBreak());
    await settled(() => timers.waiting.length === 1 && timers.waiting[0] !== TIMEOUT);
    expect(timers.waiting).toEqual([750]);
  });

  it('may ask for a longer wait, not for one without end', async () => {
    const retry = { maxDelay: 30_000 };
    const { transmitter, timers } = setUp(
      (_sent, count) => new Response(null, { status: 503, headers: { 'retry-after': count === 1 ? '5' : '999999' } }),
      { retry },
    );
    transmitter.emit(aBreak());
    await settled(() => timers.waiting.includes(5000));
    timers.fire(5000);
    await settled(() => timers.waiting.includes(30_000));
    expect(timers.waiting).toEqual([30_000]);
  });

  it('includes none at all, even when fetch does not heed its signal', async () => {
    const { transmitter, timers, sent } = setUp(() => new Promise<Response>(() => {}));
    transmitter.emit(aBreak());
    await settled(() => sent.length === 1);
    timers.fire(TIMEOUT);
    await settled(() => timers.waiting.includes(1000));
    expect(sent[0]?.init.signal?.aborted).toBe(true);
  });
});

describe('an answer that will stay', () => {
  it.each([400, 401, 403, 404, 413, 302, 307])('%i is not followed by another attempt', async (status) => {
    const body = JSON.stringify({ err: 'invalid_key', description: 'secret text' });
    const { transmitter, sent, idle, counts, warnings } = setUp(
      () => new Response(body, { status, headers: { location: 'https://evil.example/' } }),
    );
    transmitter.emit(aBreak());
    transmitter.emit(aBreak());
    await idle();
    expect(sent.map(({ url }) => url)).toEqual([URL_A, URL_A]);
    expect(counts()).toMatchObject({ failed: 2, delivered: 0 });
    expect(warnings[0]).toMatch(
      new RegExp(`^signal [\\w-]{22} for a.example not delivered: status ${status} invalid_key$`),
    );
  });

  it.each(['{"err":"Forged\\nline"}', '{"err":7}', 'null', 'not json', `{"err":"a","x":"${'x'.repeat(9000)}"}`])(
    'brings nothing of its own into the log: %.20s',
    async (body) => {
      const { transmitter, idle, warnings } = setUp(() => new Response(body, { status: 400 }));
      transmitter.emit(aBreak());
      await idle();
      expect(warnings[0]).toMatch(/status 400$/);
    },
  );
});

describe('the queue', () => {
  it('is bounded: the oldest are dropped, counted and told once', async () => {
    let release = (_response: Response) => {};
    const { transmitter, sent, counts, idle, warnings } = setUp(
      (_sent, count) => (count === 1 ? new Promise<Response>((resolve) => (release = resolve)) : accepted()),
      { queueLimit: 3 },
    );
    transmitter.emit(aBreak({ threats: ['t0'] }));
    await settled(() => sent.length === 1);
    for (let i = 1; i <= 10; i += 1) transmitter.emit(aBreak({ threats: [`t${i}`] }));
    expect(counts()).toMatchObject({ queued: 4, dropped: 7 });
    release(accepted());
    await idle();
    const reasons = await Promise.all(sent.map(async ({ jwt }) => JSON.stringify(await claimsOf(jwt))));
    expect(reasons.map((text) => /trust broke: (t\d+)/.exec(text)?.[1])).toEqual(['t0', 't8', 't9', 't10']);
    expect(counts()).toMatchObject({ queued: 0, delivered: 4, dropped: 7 });
    expect(warnings).toEqual([expect.stringMatching(/are dropped: 3 wait already/)]);
  });

  it('of one receiver does not wait for another', async () => {
    const receivers = [
      { url: URL_A, audience: 'a' },
      { url: 'https://b.example/', audience: 'b' },
    ];
    const { transmitter, counts } = setUp(({ url }) => (url === URL_A ? new Promise<Response>(() => {}) : accepted()), {
      receivers,
    });
    for (let i = 0; i < 5; i += 1) transmitter.emit(aBreak());
    await settled(() => counts(1)?.delivered === 5);
    expect(counts(0)).toMatchObject({ queued: 5, delivered: 0 });
  });

  it('is left alone by whoever emits: nothing is sent before the caller has gone on', () => {
    const { transmitter, sent } = setUp(accepted);
    transmitter.emit(aBreak());
    expect(sent).toEqual([]);
  });
});

describe('at shutdown', () => {
  it('what waits is delivered, and nothing more is taken', async () => {
    const { transmitter, sent, counts, timers } = setUp(accepted);
    for (let i = 0; i < 3; i += 1) transmitter.emit(aBreak());
    await transmitter.close();
    transmitter.emit(aBreak());
    expect(sent).toHaveLength(3);
    expect(counts()).toMatchObject({ queued: 0, delivered: 3, dropped: 1 });
    expect(timers.waiting).toEqual([]);
    await transmitter.close();
  });

  it('a wait is cut short for one last attempt', async () => {
    const { transmitter, sent, counts, timers } = setUp((_sent, count) =>
      count === 1 ? new Response(null, { status: 500 }) : accepted(),
    );
    transmitter.emit(aBreak());
    await settled(() => timers.waiting.includes(1000));
    await transmitter.close();
    expect(sent).toHaveLength(2);
    expect(counts()).toMatchObject({ delivered: 1 });
    expect(timers.waiting).toEqual([]);
  });

  it('a receiver that hangs is given up at the deadline', async () => {
    const { transmitter, sent, counts, timers, warnings } = setUp(() => new Promise<Response>(() => {}), {
      flushTimeout: 5000,
    });
    for (let i = 0; i < 3; i += 1) transmitter.emit(aBreak());
    await settled(() => sent.length === 1);
    const closed = transmitter.close();
    timers.fire(5000);
    await closed;
    expect(counts()).toMatchObject({ queued: 0, delivered: 0, failed: 1, dropped: 2 });
    expect(warnings).toHaveLength(2);
    expect(timers.waiting).toEqual([]);
  });
});

describe('trustBreaks', () => {
  const aDecision = (change: Partial<TrustDecision> = {}): TrustDecision => ({
    id: 'd',
    at: NOW * 1000,
    outcome: 'refused',
    enforced: true,
    category: 'invalid',
    method: 'GET',
    path: '/',
    instanceId: INSTANCE,
    sessionId: SESSION_ID,
    subject: 'alice',
    threats: ['root'],
    flags: [],
    watched: [],
    duration: 1,
    ...change,
  });

  it('are the decisions that ended or suspended something', async () => {
    const stream = new Subject<TrustDecision>();
    const { transmitter, sent, idle } = setUp(accepted);
    const breaks: TrustBreak[] = [];
    trustBreaks(stream).subscribe((each) => breaks.push(each));
    transmitter.follow(trustBreaks(stream));
    stream.next(aDecision());
    stream.next(aDecision({ action: 'reject' }));
    stream.next(aDecision({ action: 'suspend', instanceId: undefined }));
    stream.next(aDecision({ action: 'revoke-session', sessionId: undefined }));
    stream.next(aDecision({ action: 'suspend' }));
    stream.next(aDecision({ action: 'revoke-instance', sessionId: undefined, subject: undefined }));
    const about = { instanceId: INSTANCE, threats: ['root'], at: NOW * 1000 };
    expect(breaks).toEqual([
      { ...about, action: 'suspend', sessionId: SESSION_ID, subject: 'alice' },
      { ...about, action: 'revoke-instance' },
    ]);
    await idle();
    expect(sent).toHaveLength(2);
    await transmitter.close();
    expect(stream.observed).toBe(true);
    stream.next(aDecision({ action: 'suspend' }));
    await idle();
    expect(sent).toHaveLength(2);
  });
});
