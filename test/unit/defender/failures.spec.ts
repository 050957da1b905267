import { describe, expect, it } from 'vitest';
import { createDefender, memoryKeyStore, type DefenderOptions } from '../../../lib/defender/index.js';
import { FakeServer, refusal, T0, type Answer } from './fake-server.js';
import { failure, FakeClock, optionsFor, useHarness } from './harness.js';

const API = 'https://api.example.com';
const html = (status = 200): Answer => ({
  status,
  headers: { 'content-type': 'text/html; charset=utf-8' },
  body: '<!doctype html><title>Sign in to the airport</title>',
});

/** A Defender, the server behind a `fetch` that records, and what was sent without a token beside asking for challenges. */
function scene(override: Partial<DefenderOptions> = {}, api = API) {
  const server = new FakeServer(api);
  const sent: { url: string; hasToken: boolean; isChallenge: boolean }[] = [];
  /** Replaces the answer to a URL that ends so. */
  const instead = new Map<string, (init?: RequestInit) => Promise<Response>>();
  const spy: typeof fetch = async (input, init) => {
    const request = new Request(input, init);
    const path = new URL(request.url).pathname;
    const isChallenge = path === '/tab/challenge' && request.method === 'POST' && request.body === null;
    sent.push({ url: path, hasToken: request.headers.has('tab-token'), isChallenge });
    return (await instead.get(path)?.(init)) ?? server.fetch(input, init);
  };
  const clock = new FakeClock();
  const defender = createDefender(
    optionsFor(api, { fetch: spy, clock: clock.read, allowPlainHttp: true, ...override }),
  );
  return {
    server,
    sent,
    instead,
    clock,
    defender,
    unsigned: () => sent.filter((one) => !one.hasToken && !one.isChallenge),
  };
}

const CAUSE = new TypeError('Failed to fetch');
const offline = () => Promise.reject(CAUSE);
const answering = (answer: Answer) => () =>
  Promise.resolve(new Response(answer.body ?? null, { status: answer.status ?? 200, headers: answer.headers }));
const broken = () => Promise.reject(new DOMException('blocked', 'SecurityError'));

type Failing = [string, () => ReturnType<typeof scene>, object];

const FAILURES: Failing[] = [
  ['no network at the challenge', () => failing('/tab/challenge', offline), { code: 'enrolment_failed', cause: CAUSE }],
  ['no network at the enrolment', () => failing('/tab/instances', offline), { code: 'enrolment_failed', cause: CAUSE }],
  ['no network at the request', () => failing('/a', offline), { code: 'unreachable', cause: CAUSE }],
  [
    'a portal at the challenge',
    () => failing('/tab/challenge', answering(html())),
    { code: 'unexpected_answer', status: 200 },
  ],
  [
    'a portal with 201',
    () => failing('/tab/challenge', answering(html(201))),
    { code: 'unexpected_answer', status: 201 },
  ],
  [
    'a portal with 511',
    () => failing('/tab/challenge', answering(html(511))),
    { code: 'unexpected_answer', status: 511 },
  ],
  [
    'a portal at the enrolment',
    () => failing('/tab/instances', answering(html())),
    { code: 'unexpected_answer', status: 200 },
  ],
  [
    'a login page with 403',
    () => failing('/tab/instances', answering(html(403))),
    { code: 'unexpected_answer', status: 403 },
  ],
  [
    'a redirecting portal',
    () => failing('/tab/challenge', answering({ status: 302 })),
    { code: 'unexpected_answer', status: 302 },
  ],
  ['an opaque redirect', () => failing('/tab/challenge', opaque), { code: 'unexpected_answer', status: 0 }],
  [
    'an opaque redirect at the enrolment',
    () => failing('/tab/instances', opaque),
    { code: 'unexpected_answer', status: 0 },
  ],
  [
    'no content',
    () => failing('/tab/challenge', answering({ status: 204 })),
    { code: 'unexpected_answer', status: 204 },
  ],
  ['JSON of something else', () => failing('/tab/instances', answering({ body: '[]' })), { code: 'enrolment_failed' }],
  [
    'endless JSON',
    () => failing('/tab/challenge', answering({ status: 201, body: '"'.padEnd(70_000) })),
    { code: 'unexpected_answer' },
  ],
  [
    'a gateway without its server',
    () => failing('/tab/challenge', answering({ status: 502 })),
    { code: 'enrolment_refused', status: 502 },
  ],
  [
    'a refusal',
    () => failing('/tab/instances', answering(refusal('rate_limited', {}, 429))),
    { code: 'enrolment_refused', status: 429 },
  ],
  [
    'a key store without the key',
    () => scene({ keyStore: { ...memoryKeyStore(), loadKey: broken } }),
    { code: 'key_store' },
  ],
  [
    'a key store without the state',
    () => scene({ keyStore: { ...memoryKeyStore(), loadState: broken } }),
    { code: 'key_store' },
  ],
  ['an attester that fails', () => scene({ attester: { format: 'x', attest: broken } }), { code: 'attester_failed' }],
  ['a key that cannot sign', () => scene({ keyStore: unusable() }), { code: 'enrolment_failed' }],
  ['too many bound headers', () => scene({ boundHeaders: MANY }), { code: 'token_too_large' }],
];

function failing(path: string, answer: () => Promise<Response>) {
  const made = scene();
  made.instead.set(path, answer);
  return made;
}

function opaque() {
  return Promise.resolve(Object.defineProperty(Response.error(), 'type', { value: 'opaqueredirect' }));
}

function unusable() {
  const store = memoryKeyStore();
  const loadKey = async () => {
    const { algorithm, publicKey } = await store.loadKey();
    return { algorithm, publicKey, sign: broken };
  };
  return { ...store, loadKey };
}

const MANY = Array.from({ length: 80 }, (_, index) => `x-bound-${index}`);
const headers = Object.fromEntries(MANY.map((name) => [name, '1']));

describe('no failure sends anything unsigned', () => {
  it.each(FAILURES)('%s', async (_, make, expected) => {
    const { defender, unsigned } = make();
    const error = await failure(defender.fetch(`${API}/a`, { method: 'POST', body: 'x', headers }));
    expect(error).toMatchObject({ name: 'DefenderError', ...expected });
    expect(unsigned()).toEqual([]);
  });

  it('a new attempt gets through when the failure is over', async () => {
    const { defender, instead } = failing('/tab/challenge', answering(html()));
    await failure(defender.fetch(`${API}/a`));
    expect(defender.status).toBe('degraded');
    instead.clear();
    expect((await defender.fetch(`${API}/a`)).status).toBe(200);
    expect(defender.status).toBe('ready');
  });

  it('a page of a portal in answer to the request itself is returned: it had a token', async () => {
    const { defender, unsigned } = failing('/a', answering(html()));
    expect((await defender.fetch(`${API}/a`)).headers.get('content-type')).toContain('html');
    expect(unsigned()).toEqual([]);
  });

  it('100 at once share one failure, and the next one tries again', async () => {
    const { defender, instead, sent, server } = failing('/tab/instances', answering(refusal('rate_limited', {}, 429)));
    const errors = await Promise.all(Array.from({ length: 100 }, () => failure(defender.fetch(`${API}/a`))));
    expect(new Set(errors).size).toBe(1);
    expect(errors[0]).toMatchObject({ code: 'enrolment_refused', tabError: 'rate_limited', status: 429 });
    expect(sent.map((one) => one.url)).toEqual(['/tab/challenge', '/tab/instances']);
    instead.clear();
    expect((await defender.fetch(`${API}/a`)).status).toBe(200);
    expect(server.enrolments).toHaveLength(1);
  });
});

describe('a clock that is a day off', () => {
  const DAY = 86_400;
  const stale = (skew: number) => refusal('stale_token', { 'TAB-Skew': String(skew) });

  it.each([DAY, -DAY])('is repaired at the enrolment (%i s)', async (off) => {
    const { defender, server, clock } = scene();
    clock.advance(-off);
    server.onEnrol = ({ claims }) => (claims.iat === T0 ? undefined : stale(T0 - claims.iat));
    expect((await defender.fetch(`${API}/a`)).status).toBe(200);
    expect(server.enrolments.map(({ claims }) => claims.iat)).toEqual([T0 - off, T0]);
    expect(server.calls.map(({ claims }) => [claims.iat, claims.rt.at])).toEqual([[T0, T0]]);
  });

  it.each([DAY, -DAY])('is repaired at the request (%i s)', async (off) => {
    const { defender, server, clock } = scene();
    await defender.enrol();
    clock.advance(-off);
    server.answers = [stale(off)];
    expect((await defender.fetch(`${API}/a`)).status).toBe(200);
    expect(server.calls.map(({ claims }) => claims.iat)).toEqual([T0 - off, T0]);
  });

  it('is not repaired by somebody on the way: the enrolment is refused', async () => {
    const { defender, server, unsigned } = scene({}, 'http://api.example.com');
    server.onEnrol = () => stale(DAY);
    const expected = { code: 'enrolment_refused', tabError: 'stale_token', status: 401 };
    await expect(defender.fetch('http://api.example.com/a')).rejects.toMatchObject(expected);
    expect(server.enrolments).toHaveLength(1);
    expect(unsigned()).toEqual([]);
  });

  it('is not repaired by somebody on the way: the refusal is returned', async () => {
    const { defender, server } = scene({}, 'http://api.example.com');
    server.answers = [stale(DAY)];
    const response = await defender.fetch('http://api.example.com/a');
    expect([response.status, response.headers.get('tab-error')]).toEqual([401, 'stale_token']);
    expect(server.calls).toHaveLength(1);
  });
});

const harness = useHarness();
const read = async (stream: ReadableStream) => {
  const reader = stream.getReader();
  await reader.read();
  reader.releaseLock();
  return stream;
};
const stream = () => new Blob(['abc', 'def']).stream();
const post = (body: BodyInit) => new Request(`${harness.server.origin}/a`, { method: 'POST', body });

describe('content that cannot be read whole', () => {
  it.each<[string, () => Promise<[RequestInfo, RequestInit?]>]>([
    [
      'a Request that has been read',
      async () => {
        const request = post('x');
        await request.text();
        return [request];
      },
    ],
    [
      'a Request that is being read',
      async () => {
        const request = post('x');
        request.body?.getReader();
        return [request];
      },
    ],
    [
      'a stream that is being read',
      async () => {
        const body = stream();
        body.getReader();
        return [`${harness.server.origin}/a`, { method: 'POST', body }];
      },
    ],
    [
      'a stream that has been read in part',
      async () => [`${harness.server.origin}/a`, { method: 'POST', body: await read(stream()) }],
    ],
  ])('%s', async (_, make) => {
    const [input, init] = await make();
    const defender = harness.defender();
    await expect(defender.fetch(input, init)).rejects.toMatchObject({ code: 'body_used' });
    expect(harness.server.challengesAsked).toBe(0);
  });

  it('a stream that breaks is told as it is, and nothing is sent', async () => {
    const mine = new Error('disk');
    const body = new ReadableStream({ pull: (controller) => controller.error(mine) });
    await expect(harness.defender().fetch(`${harness.server.origin}/a`, { method: 'POST', body })).rejects.toBe(mine);
    expect(harness.server.challengesAsked).toBe(0);
  });

  it('a used Request with new content is sent', async () => {
    const request = post('old');
    await request.text();
    await harness.defender().fetch(request, { body: 'new' });
    expect(harness.server.calls[0]?.body.toString()).toBe('new');
  });

  it('a Request with a stream is read, once', async () => {
    const request = new Request(`${harness.server.origin}/a`, {
      method: 'POST',
      body: stream(),
      duplex: 'half',
    } as RequestInit);
    const defender = harness.defender();
    await defender.fetch(request);
    expect(harness.server.calls[0]?.body.toString()).toBe('abcdef');
    await expect(defender.fetch(request)).rejects.toMatchObject({ code: 'body_used' });
  });
});

describe('the reason of the caller', () => {
  it.each([new Error('no more'), 'no more', new DOMException('late', 'TimeoutError'), undefined])(
    '%s passes through untouched',
    async (reason) => {
      const abort = new AbortController();
      const defender = harness.defender();
      await defender.enrol();
      harness.server.gate = async () => abort.abort(reason);
      const error = await failure(defender.fetch(`${harness.server.origin}/a`, { signal: abort.signal }));
      expect(error).toBe(abort.signal.reason);
      expect(defender.status).toBe('ready');
    },
  );

  it('an AbortError of the platform passes through too', async () => {
    const { defender, instead } = scene();
    const aborted = new DOMException('The page is gone', 'AbortError');
    instead.set('/a', () => Promise.reject(aborted));
    expect(await failure(defender.fetch(`${API}/a`))).toBe(aborted);
  });
});
