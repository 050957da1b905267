import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { b64u } from './fake-server.js';
import { latch, useHarness } from './harness.js';

const harness = useHarness();
const bytes = randomBytes(5000);
const form = () => {
  const data = new FormData();
  data.set('amount', '12');
  data.set('file', new File([bytes], 'a.bin', { type: 'application/x-bin' }));
  return data;
};
const stream = () =>
  new ReadableStream({
    start(controller) {
      controller.enqueue(bytes.subarray(0, 10));
      controller.enqueue(bytes.subarray(10));
      controller.close();
    },
  });

describe('what is hashed is what is sent', () => {
  it.each<[string, () => BodyInit, Buffer | undefined, string | undefined]>([
    ['a string', () => 'zwölf €', Buffer.from('zwölf €'), 'text/plain;charset=UTF-8'],
    [
      'URLSearchParams',
      () => new URLSearchParams({ a: 'ü 1' }),
      Buffer.from('a=%C3%BC+1'),
      'application/x-www-form-urlencoded;charset=UTF-8',
    ],
    ['an ArrayBuffer', () => new Uint8Array(bytes).buffer, bytes, undefined],
    ['a view', () => new Uint8Array(bytes).subarray(7, 99), bytes.subarray(7, 99), undefined],
    ['a DataView', () => new DataView(new Uint8Array(bytes).buffer, 3, 5), bytes.subarray(3, 8), undefined],
    ['a typed Blob', () => new Blob([bytes], { type: 'Image/PNG; x=1' }), bytes, 'image/png; x=1'],
    ['a Blob without type', () => new Blob([bytes]), bytes, undefined],
    ['FormData', form, undefined, 'multipart/form-data; boundary='],
    ['a stream', stream, bytes, undefined],
  ])('%s', async (_, body, sent, type) => {
    const response = await harness
      .defender()
      .fetch(`${harness.server.origin}/pay?x=1`, { method: 'POST', body: body() });
    const [call] = harness.server.calls;
    expect(response.status).toBe(200);
    expect(call?.claims.bh).toBeDefined();
    if (sent) expect(call?.body.equals(sent)).toBe(true);
    expect(call?.headers['content-type']?.startsWith(type ?? '-')).toBe(type === undefined ? undefined : true);
  });

  it('a form keeps the boundary that its header names, on the retry too', async () => {
    harness.server.challenges = 'single-use';
    harness.server.answers = [
      { status: 401, headers: { 'TAB-Error': 'use_tab_nonce', 'TAB-Nonce': harness.server.issue() } },
    ];
    await harness.defender().fetch(`${harness.server.origin}/pay`, { method: 'POST', body: form() });
    const [first, second] = harness.server.calls;
    const boundary = /boundary=(.+)$/.exec(second?.headers['content-type'] ?? '')?.[1];
    expect(second?.body.includes(`--${boundary}--`)).toBe(true);
    expect(second?.body.equals(first?.body ?? Buffer.alloc(0))).toBe(true);
  });

  it.each<[string, RequestInit | undefined, string]>([
    ['with its own body', undefined, 'abc'],
    ['with a body from init', { body: 'new' }, 'new'],
  ])('a Request %s', async (_, init, sent) => {
    const input = new Request(`${harness.server.origin}/pay`, { method: 'PUT', body: 'abc', headers: { 'x-a': '1' } });
    await harness.defender().fetch(input, init);
    expect(harness.server.calls[0]).toMatchObject({ method: 'PUT', headers: { 'x-a': '1' } });
    expect(harness.server.calls[0]?.body.toString()).toBe(sent);
  });

  it('empty content is no content', async () => {
    await harness.defender().fetch(`${harness.server.origin}/pay`, { method: 'POST', body: '' });
    expect(harness.server.calls[0]?.claims).not.toHaveProperty('bh');
    expect(harness.server.calls[0]?.claims).not.toHaveProperty('ct');
  });

  it.each(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'PATCH', 'QUERY'])('%s without content', async (method) => {
    await harness.defender().fetch(new URL(`${harness.server.origin}/a`), { method });
    expect(harness.server.calls[0]?.method).toBe(method);
    expect(harness.server.calls[0]?.claims).not.toHaveProperty('bh');
  });

  it.each([
    '/a b?x y#f',
    '/x?#f',
    '/x?a\'b"<>|{}^`é',
    '/x^|{}`é/%7e/;a=1//c/%2f',
    '?q=1',
    '/%2e%2e/a/./b',
    '/a?b?c=%20+',
  ])('the target of %s', async (path) => {
    await harness.defender().fetch(harness.server.origin + path);
    expect(harness.server.calls).toHaveLength(1);
  });

  it('binds the credential, whatever its scheme', async () => {
    const defender = harness.defender();
    for (const authorization of ['Bearer abc.def', 'Basic  dXNlcg==', 'Bearer t\u00e9']) {
      await defender.fetch(`${harness.server.origin}/a`, { headers: { authorization } });
    }
    expect(harness.server.calls.every((call) => typeof call.claims.ath === 'string')).toBe(true);
  });

  it.each([
    ['session=abc', 'abc'],
    ['theme=dark; session= a=b ; x', 'a=b'],
    ['session=', undefined],
    ['xsession=abc; session2=d; session', undefined],
    ['theme=dark', undefined],
  ])('binds the credential cookie in "%s"', async (cookie, value) => {
    // The fake server knows of Authorization only.
    harness.strict = value === undefined;
    await harness
      .defender({ credentialCookie: 'session' })
      .fetch(`${harness.server.origin}/a`, { headers: { cookie } });
    expect(harness.server.calls[0]?.headers.cookie).toBe(cookie);
    expect(harness.server.calls[0]?.claims.ath).toBe(value && b64u(value));
  });

  it('binds no cookie unless it is configured, and Authorization before it', async () => {
    const headers = { cookie: 'session=abc' };
    await harness.defender().fetch(`${harness.server.origin}/a`, { headers });
    expect(harness.server.calls[0]?.claims).not.toHaveProperty('ath');
    const both = { ...headers, authorization: 'Bearer xyz' };
    await harness.defender({ credentialCookie: 'session' }).fetch(`${harness.server.origin}/a`, { headers: both });
    expect(harness.server.calls[1]?.claims.ath).toBe(b64u('xyz'));
  });

  it('binds the configured headers that a request has', async () => {
    const defender = harness.defender({ boundHeaders: ['Idempotency-Key', 'x-absent', 'Content-Type'] });
    const headers = { 'idempotency-key': '  k 1 ' };
    await defender.fetch(`${harness.server.origin}/a`, { method: 'POST', body: 'x', headers });
    expect(Object.keys(harness.server.calls[0]?.claims.hd).toSorted()).toEqual(['content-type', 'idempotency-key']);
  });

  it("replaces a token of the caller's own", async () => {
    await harness.defender().fetch(`${harness.server.origin}/a`, { headers: { 'tab-token': 'mine' } });
    expect(harness.server.calls).toHaveLength(1);
  });

  it('keeps its headers in mode no-cors', async () => {
    await harness
      .defender()
      .fetch(`${harness.server.origin}/a`, { mode: 'no-cors', headers: { authorization: 'Bearer a' } });
    expect(harness.server.calls[0]?.headers.authorization).toBe('Bearer a');
  });
});

describe('answers', () => {
  it.each([200, 204, 304, 403, 404, 500, 503])('returns %i as it is, after one attempt', async (status) => {
    harness.server.answers = [{ status, headers: { 'x-own': 'y' } }];
    const response = await harness.defender().fetch(`${harness.server.origin}/a`);
    expect(response.status).toBe(status);
    expect(response.headers.get('x-own')).toBe('y');
    expect(harness.server.calls).toHaveLength(1);
  });

  it('does not repeat a request whose connection broke', async () => {
    let attempts = 0;
    const cause = new TypeError('fetch failed');
    const broken: typeof fetch = async (input, init) => {
      if (!String(input).endsWith('/a')) return fetch(input, init);
      attempts += 1;
      throw cause;
    };
    await expect(harness.defender({ fetch: broken }).fetch(`${harness.server.origin}/a`)).rejects.toMatchObject({
      code: 'unreachable',
      cause,
    });
    expect(attempts).toBe(1);
  });
});

describe('content of answers', () => {
  it('is handed over as it comes', async () => {
    const read = latch();
    const stream = (reply: ServerResponse) => {
      reply.write('first');
      void read.opened.then(() => reply.end('last'));
    };
    harness.server.answers = [{ stream }];
    const response = await harness.defender({ onDecision: () => undefined }).fetch(`${harness.server.origin}/a`);
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    // The server writes the rest only when the first part has been read.
    expect((await reader?.read())?.value).toBe('first');
    read.open();
    expect((await reader?.read())?.value).toBe('last');
    expect((await reader?.read())?.done).toBe(true);
  });

  it('is that of the platform: nothing is copied', async () => {
    const own = new Response('x');
    const defender = harness.defender({
      onDecision: () => undefined,
      fetch: (input, init) => (String(input).endsWith('/a') ? Promise.resolve(own) : fetch(input, init)),
    });
    expect(await defender.fetch(`${harness.server.origin}/a`)).toBe(own);
    expect(own.bodyUsed).toBe(false);
    expect(await own.text()).toBe('x');
  });
});

describe('other origins', () => {
  it.each(['https://evil.example/a', 'http://127.0.0.1:1/a', 'http://localhost/a', 'http://127.0.0.1.evil.example/a'])(
    'sends nothing to %s',
    async (url) => {
      const sent: unknown[] = [];
      const spy: typeof fetch = async (input) => {
        sent.push(input);
        return new Response();
      };
      const defender = harness.defender({ fetch: spy });
      await expect(defender.fetch(url)).rejects.toMatchObject({ name: 'DefenderError', code: 'foreign_origin' });
      await expect(defender.fetch(new Request(url))).rejects.toMatchObject({ code: 'foreign_origin' });
      await expect(defender.token({ method: 'GET', url })).rejects.toMatchObject({ code: 'foreign_origin' });
      await expect(defender.enrol(url)).rejects.toMatchObject({ code: 'foreign_origin' });
      expect(sent).toEqual([]);
    },
  );

  it('does not take a path prefix for another', async () => {
    const defender = harness.defender({ api: `${harness.server.origin}/gw` });
    for (const path of ['/a', '/gwx/a', '/gw/../a', '/gw/%2e%2e/a']) {
      expect(defender.covers(harness.server.origin + path)).toBe(false);
      await expect(defender.fetch(harness.server.origin + path)).rejects.toMatchObject({ code: 'foreign_origin' });
    }
    expect(harness.server.challengesAsked).toBe(0);
  });
});

describe('covers', () => {
  it.each([
    ['/gw', true],
    ['/gw/', true],
    ['/gw/a?b#c', true],
    ['', false],
    ['/gw2', false],
  ])('%s: %s', (path, expected) => {
    const defender = harness.defender({ api: `${harness.server.origin}/gw` });
    expect(defender.covers(harness.server.origin + path)).toBe(expected);
    expect(defender.covers(new URL(harness.server.origin + path))).toBe(expected);
  });

  it.each(['/gw/a', 'gw/a', '', 'http://', 'https://evil.example/gw'])('%s: false', (url) => {
    expect(harness.defender({ api: `${harness.server.origin}/gw` }).covers(url)).toBe(false);
  });
});

describe('abort', () => {
  it('sends nothing when already aborted', async () => {
    const signal = AbortSignal.abort(new Error('no more'));
    await expect(harness.defender().fetch(`${harness.server.origin}/a`, { signal })).rejects.toThrow('no more');
    expect(harness.server.challengesAsked).toBe(0);
  });

  it.each(['init', 'Request'])('ends a request under way (signal of %s)', async (from) => {
    const abort = new AbortController();
    harness.server.gate = async () => abort.abort(new Error('no more'));
    const url = `${harness.server.origin}/a`;
    const { signal } = abort;
    const defender = harness.defender();
    const sent = from === 'init' ? defender.fetch(url, { signal }) : defender.fetch(new Request(url, { signal }));
    await expect(sent).rejects.toThrow();
    expect(signal.aborted).toBe(true);
    expect(harness.server.calls).toHaveLength(1);
  });

  it('gives up waiting for an enrolment that others still wait for', async () => {
    const abort = new AbortController();
    const defender = harness.defender();
    harness.server.onChallenge = () => {
      abort.abort(new Error('no more'));
      return undefined;
    };
    const aborted = defender.fetch(`${harness.server.origin}/a`, { signal: abort.signal });
    const other = defender.fetch(`${harness.server.origin}/b`);
    await expect(aborted).rejects.toThrow('no more');
    expect((await other).status).toBe(200);
    expect(harness.server.calls.map((call) => call.target)).toEqual(['/b']);
  });
});
