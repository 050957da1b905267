import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { defenderEventSource, type DefenderEventSourceOptions } from '../../../lib/defender/event-source.js';
import { memoryKeyStore, type DefenderOptions } from '../../../lib/defender/index.js';
import { refusal, type Answer } from './fake-server.js';
import { useHarness } from './harness.js';

const harness = useHarness();
const open: { close(): void }[] = [];
const replies: ServerResponse[] = [];
afterEach(() => {
  for (const source of open.splice(0)) source.close();
  replies.length = 0;
});

/** A stream that sends these lines and stays open; `retry` makes a reconnection come at once. */
const events = (...lines: string[]): Answer => ({
  headers: { 'content-type': 'text/event-stream' },
  stream: (reply) => {
    replies.push(reply);
    reply.write(`retry: 1\n\n${lines.map((line) => `${line}\n\n`).join('')}`);
  },
});

function listen(override: Partial<DefenderOptions> = {}, options: DefenderEventSourceOptions = {}) {
  const defender = harness.defender(override);
  const source = defenderEventSource(defender, `${harness.server.origin}/feed?x=1`, options);
  open.push(source);
  const seen: string[] = [];
  const errors: (number | undefined)[] = [];
  source.addEventListener('message', ({ data }) => seen.push(String(data)));
  source.addEventListener('error', ({ code }) => errors.push(code));
  return { source, seen, errors, defender };
}

describe('an event source', () => {
  it('receives events as they come', async () => {
    harness.server.answers = [events('data: one')];
    const { seen } = listen();
    await vi.waitFor(() => expect(seen).toEqual(['one']));
    replies[0]?.write('data: two\n\n');
    await vi.waitFor(() => expect(seen).toEqual(['one', 'two']));
    expect(harness.server.calls).toHaveLength(1);
  });

  it('reconnects with another token, and says what it has seen', async () => {
    harness.server.answers = [events('id: 7\ndata: one'), events('data: two')];
    const { seen } = listen({ boundHeaders: ['Last-Event-ID'] });
    await vi.waitFor(() => expect(seen).toEqual(['one']));
    replies[0]?.end();
    await vi.waitFor(() => expect(seen).toEqual(['one', 'two']));
    const [first, second] = harness.server.calls;
    expect(second?.token).not.toBe(first?.token);
    expect(second?.claims.jti).not.toBe(first?.claims.jti);
    expect(first?.claims).not.toHaveProperty('hd');
    expect(second?.headers['last-event-id']).toBe('7');
    expect(Object.keys(second?.claims.hd)).toEqual(['last-event-id']);
  });

  it('reconnects when the connection breaks', async () => {
    harness.server.answers = [events('data: one'), events('data: two')];
    const { seen } = listen();
    await vi.waitFor(() => expect(seen).toEqual(['one']));
    replies[0]?.destroy();
    await vi.waitFor(() => expect(seen).toEqual(['one', 'two']));
  });

  it('asks for headers at every connection, and binds the credential', async () => {
    let count = 0;
    harness.server.answers = [events('data: one'), events('data: two')];
    const headers = async () => ({ authorization: `Bearer token-${(count += 1)}`, accept: 'mine' });
    const { seen } = listen({}, { headers });
    await vi.waitFor(() => expect(seen).toEqual(['one']));
    replies[0]?.end();
    await vi.waitFor(() => expect(seen).toEqual(['one', 'two']));
    const sent = harness.server.calls.map((call) => call.headers);
    expect(sent.map(({ authorization, accept }) => [authorization, accept])).toEqual([
      ['Bearer token-1', 'text/event-stream'],
      ['Bearer token-2', 'text/event-stream'],
    ]);
    expect(harness.server.calls.every((call) => call.claims.ath !== undefined)).toBe(true);
  });

  it('close() ends it, and the connection', async () => {
    harness.server.answers = [events('data: one')];
    const { source, seen } = listen();
    await vi.waitFor(() => expect(seen).toEqual(['one']));
    const closed = new Promise((resolve) => replies[0]?.on('close', resolve));
    source.close();
    await closed;
    expect(source.readyState).toBe(source.CLOSED);
    expect(harness.server.calls).toHaveLength(1);
  });

  it.each([
    ['insufficient_trust', 403],
    ['invalid_session', 401],
  ])('%s ends it, told once', async (code, status) => {
    harness.server.answers = [refusal(code, {}, status)];
    const { source, errors } = listen();
    await vi.waitFor(() => expect(errors).toEqual([status]));
    expect(source.readyState).toBe(source.CLOSED);
  });

  it.each<[string, number, () => Partial<DefenderOptions>]>([
    [
      'a refused enrolment',
      403,
      () => {
        harness.server.onEnrol = () => refusal('instance_revoked', {}, 403);
        return {};
      },
    ],
    [
      'a key store that fails',
      403,
      () => ({ keyStore: { ...memoryKeyStore(), loadKey: () => Promise.reject(new Error('disk')) } }),
    ],
  ])('%s ends it too', async (_, status, arrange) => {
    const { source, errors } = listen(arrange());
    await vi.waitFor(() => expect(errors).toEqual([status]));
    expect(source.readyState).toBe(source.CLOSED);
  });

  it('a server that has no time is tried again', async () => {
    harness.server.onChallenge = () => refusal('rate_limited', { 'Retry-After': '1' }, 429);
    const { source, errors } = listen();
    await vi.waitFor(() => expect(errors).toEqual([undefined]));
    expect(source.readyState).toBe(source.CONNECTING);
  });

  it('a server that is away is tried again', async () => {
    const failing: typeof fetch = () => Promise.reject(new TypeError('fetch failed'));
    const { source, errors } = listen({ fetch: failing });
    await vi.waitFor(() => expect(errors).toEqual([undefined]));
    expect(source.readyState).toBe(source.CONNECTING);
  });

  it('goes nowhere but to a configured api', () => {
    expect(() => defenderEventSource(harness.defender(), 'https://evil.example/feed')).toThrow(
      expect.objectContaining({ code: 'foreign_origin' }),
    );
  });
});
