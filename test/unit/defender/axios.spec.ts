import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import axios, { AxiosError, type AxiosInstance, type AxiosRequestConfig } from 'axios';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  attachDefender,
  type AttachOptions,
  type AxiosConfigLike,
  type AxiosLike,
} from '../../../lib/defender/axios.js';
import type { DefenderOptions } from '../../../lib/defender/index.js';
import { b64u, problem, refusal, T0 } from './fake-server.js';
import { failure, latch, useHarness } from './harness.js';

const harness = useHarness();

/** An axios instance with a Defender, for the fake server. */
function client(
  config: AxiosRequestConfig = {},
  { defender: override = {}, attach }: { defender?: Partial<DefenderOptions>; attach?: AttachOptions } = {},
) {
  const instance = axios.create({ baseURL: harness.server.origin, ...config });
  const defender = harness.defender(override);
  const eject = attachDefender(instance, defender, attach);
  return { instance, defender, eject };
}

const form = () => {
  const data = new FormData();
  data.set('amount', '12');
  data.set('file', new Blob(['abc'], { type: 'text/plain' }), 'a.txt');
  return data;
};

describe('axios: what is signed is what is sent', () => {
  it.each<[string, () => unknown, string, string | undefined]>([
    ['an object', () => ({ amount: '12 €' }), '{"amount":"12 €"}', 'application/json'],
    ['a string', () => 'a=b', 'a=b', 'application/x-www-form-urlencoded'],
    [
      'URLSearchParams',
      () => new URLSearchParams({ a: 'ü' }),
      'a=%C3%BC',
      'application/x-www-form-urlencoded;charset=utf-8',
    ],
    ['a Buffer', () => Buffer.from('abc'), 'abc', 'application/x-www-form-urlencoded'],
    ['nothing', () => undefined, '', undefined],
  ])('%s', async (_, data, sent, type) => {
    const { instance } = client();
    expect((await instance.post('/pay', data())).status).toBe(200);
    const [call] = harness.server.calls;
    expect(call?.body.toString()).toBe(sent);
    if (type !== undefined) expect(call?.headers['content-type']).toBe(type);
  });

  it.each<[string, (instance: AxiosInstance) => Promise<unknown>]>([
    ['a form', (instance) => instance.post('/pay', form())],
    [
      'a form with its type',
      (instance) => instance.post('/pay', form(), { headers: { 'Content-Type': 'multipart/form-data' } }),
    ],
    ['an object as a form', (instance) => instance.postForm('/pay', { amount: '12', file: new Blob(['abc']) })],
  ])('%s, with the boundary that its header names', async (_, send) => {
    await send(client().instance);
    const [call] = harness.server.calls;
    const boundary = /^multipart\/form-data; ?boundary=(.+)$/.exec(call?.headers['content-type'] ?? '')?.[1];
    expect(call?.body.includes(`--${boundary}--`)).toBe(true);
    expect(call?.body.toString()).toContain('name="amount"\r\n\r\n12\r\n');
    expect(call?.claims.hd).toHaveProperty('content-type');
  });

  it('baseURL, params, auth, headers and transformRequest', async () => {
    const { instance } = client({ baseURL: `${harness.server.origin}/v1/` });
    await instance.put(
      'pay',
      { a: 1 },
      {
        params: { q: 'ü x', list: [1, 2] },
        auth: { username: 'u', password: 'p' },
        headers: { 'X-A': '1' },
        transformRequest: (data: unknown) => `<${JSON.stringify(data)}>`,
      },
    );
    const [call] = harness.server.calls;
    expect(call?.target).toBe('/v1/pay?q=%C3%BC+x&list%5B%5D=1&list%5B%5D=2');
    expect(call?.headers).toMatchObject({ authorization: `Basic ${btoa('u:p')}`, 'x-a': '1' });
    expect(call?.body.toString()).toBe('<{"a":1}>');
    expect(call?.claims.ath).toBeDefined();
  });

  it('a retry of the Defender sends the same again', async () => {
    harness.server.answers = [refusal('use_tab_nonce', { 'TAB-Nonce': harness.server.issue() })];
    await client().instance.post('/pay', { a: 1 });
    expect(harness.server.calls.map((call) => call.body.toString())).toEqual(['{"a":1}', '{"a":1}']);
    expect(harness.server.calls[0]?.token).not.toBe(harness.server.calls[1]?.token);
  });

  it.each(['get', 'delete', 'head', 'options', 'patch'] as const)('%s', async (method) => {
    await client().instance.request({ method, url: '/a' });
    expect(harness.server.calls[0]?.method).toBe(method.toUpperCase());
  });

  it('an adapter of the instance does not go around the Defender', async () => {
    const adapter = () => Promise.reject(new Error('not this one'));
    expect((await client({ adapter }).instance.get('/a')).status).toBe(200);
    expect((await client({ adapter: 'http' }).instance.get('/a')).status).toBe(200);
    expect(harness.server.calls).toHaveLength(2);
  });

  it('a global axios works too', async () => {
    const eject = attachDefender(axios, harness.defender());
    try {
      expect((await axios.get(`${harness.server.origin}/a`)).status).toBe(200);
    } finally {
      eject();
    }
    expect(harness.server.calls).toHaveLength(1);
  });
});

describe('axios: answers', () => {
  it.each<['json' | 'text' | 'arraybuffer', unknown]>([
    ['json', { a: 1 }],
    ['text', '{"a":1}'],
    ['arraybuffer', new TextEncoder().encode('{"a":1}').buffer],
  ])('as %s', async (responseType, expected) => {
    harness.server.answers = [{ headers: { 'content-type': 'application/json' }, body: '{"a":1}' }];
    const { data } = await client().instance.get('/a', { responseType });
    expect(data).toEqual(expected);
  });

  it('as a stream, while it comes', async () => {
    const read = latch();
    harness.server.answers = [
      {
        stream: (reply) => {
          reply.write('first');
          void read.opened.then(() => reply.end());
        },
      },
    ];
    const { data } = await client().instance.get<ReadableStream<Uint8Array>>('/a', { responseType: 'stream' });
    const reader = data.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe('first');
    read.open();
    expect((await reader.read()).done).toBe(true);
  });

  it('a refusal is an AxiosError with its answer', async () => {
    harness.server.answers = [problem('insufficient_trust', 403, { decision: 'd' })];
    const error = await failure(client().instance.get('/a'));
    expect(error).toBeInstanceOf(AxiosError);
    expect(error).toMatchObject({ response: { status: 403, data: { code: 'insufficient_trust', decision: 'd' } } });
    expect((error as AxiosError).response?.headers['tab-error']).toBe('insufficient_trust');
  });

  it('validateStatus decides', async () => {
    harness.server.answers = [{ status: 418 }];
    expect((await client().instance.get('/a', { validateStatus: () => true })).status).toBe(418);
  });

  it('redirects are followed within the api, unless maxRedirects is 0', async () => {
    const redirect = { status: 302, headers: { location: '/b' } };
    harness.server.answers = [redirect, { body: '"there"' }, redirect];
    const { instance } = client();
    expect((await instance.get('/a')).data).toBe('there');
    await expect(instance.get('/a', { maxRedirects: 0 })).rejects.toMatchObject({ response: { status: 302 } });
    expect(harness.server.calls.map((call) => call.target)).toEqual(['/a', '/b', '/a']);
  });
});

describe('axios: ends', () => {
  it('timeout', async () => {
    harness.server.gate = () => new Promise(() => undefined);
    const { instance, defender } = client();
    await defender.enrol();
    await expect(instance.get('/a', { timeout: 1 })).rejects.toMatchObject({ code: 'ETIMEDOUT' });
  });

  it('signal', async () => {
    const abort = new AbortController();
    harness.server.gate = async () => abort.abort();
    await expect(client().instance.get('/a', { signal: abort.signal })).rejects.toMatchObject({ code: 'ERR_CANCELED' });
    expect(harness.server.calls).toHaveLength(1);
  });

  it('a network that fails', async () => {
    const cause = new TypeError('fetch failed');
    const gone: typeof fetch = (input, init) =>
      String(input).endsWith('/a') ? Promise.reject(cause) : fetch(input, init);
    const error = await failure(client({}, { defender: { fetch: gone } }).instance.get('/a'));
    expect(error).toMatchObject({ code: 'ERR_NETWORK', cause: { code: 'unreachable', cause } });
  });

  it('an error of the Defender', async () => {
    harness.server.onEnrol = () => refusal('attestation_rejected', {}, 403);
    const error = await failure(client().instance.get('/a'));
    expect(error).toBeInstanceOf(AxiosError);
    expect(error).toMatchObject({ code: 'enrolment_refused', cause: { tabError: 'attestation_rejected' } });
  });

  it('ejecting takes it away', async () => {
    harness.strict = false;
    const { instance, eject } = client();
    await instance.get('/a');
    eject();
    await instance.get('/b', { validateStatus: () => true });
    expect(harness.server.calls.map((call) => call.token !== '')).toEqual([true, false]);
  });
});

describe('axios: nothing goes without a token', () => {
  /** What a request to `url` is given for its adapter. */
  const given = (url: string) => {
    let config: AxiosConfigLike = {};
    const use = (change: (config: AxiosConfigLike) => AxiosConfigLike) => void (config = change({}));
    const defender = harness.defender();
    attachDefender(
      { getUri: () => url, interceptors: { request: { use, eject: () => undefined } } } as never,
      defender,
    );
    return { config, defender };
  };

  // Axios takes it out of the URL, and sends it as Basic credentials: those are then bound.
  it.each(['baseURL', 'url'])('with userinfo in %s', async (place) => {
    const api = harness.server.origin.replace('//', '//user:secret@');
    const { instance, defender } = client(place === 'baseURL' ? { baseURL: api } : {});
    expect(defender.covers(`${api}/a`)).toBe(true);
    await instance.get(place === 'url' ? `${api}/a` : '/a');
    const [call] = harness.server.calls;
    expect(call?.headers.authorization).toBe(`Basic ${btoa('user:secret')}`);
    expect(call?.claims.ath).toBe(b64u(btoa('user:secret')));
  });

  it('userinfo that an axios leaves in the URL is refused, and nothing is sent', async () => {
    const url = `${harness.server.origin.replace('//', '//user:secret@')}/a`;
    const { config, defender } = given(url);
    expect(config).toMatchObject({ adapter: 'fetch' });
    const env = config.env as { Request: typeof Request; fetch: typeof fetch };
    expect(() => new env.Request(url)).toThrow(TypeError);
    await expect(env.fetch(url)).rejects.toThrow(TypeError);
    await expect(defender.fetch(new URL(url))).rejects.toThrow(TypeError);
    expect([harness.server.challengesAsked, harness.server.calls]).toEqual([0, []]);
  });

  it("an adapter that takes the platform's own fetch or Request fails", async () => {
    const url = `${harness.server.origin}/a`;
    const init = given(url).config.fetchOptions as RequestInit;
    expect(() => new Request(url, init)).toThrow(TypeError);
    await expect(fetch(url, init)).rejects.toThrow(TypeError);
    expect(harness.server.calls).toEqual([]);
  });

  it.each(['0.27.2', '1.7.9', '1.11.0'])('axios %s is refused at once', (VERSION) => {
    const uses: unknown[] = [];
    const interceptors = { request: { use: (...args: unknown[]) => uses.push(args), eject: () => undefined } };
    const old = { VERSION, getUri: () => '', interceptors } as unknown as AxiosLike;
    expect(() => attachDefender(old, harness.defender())).toThrow(/1\.12/);
    expect(uses).toEqual([]);
  });

  it.each(['1.12.0', '1.21.1', '2.0.0'])('axios %s is not', (VERSION) => {
    attachDefender(Object.assign(axios.create(), { VERSION }), harness.defender());
  });
});

describe('axios: elsewhere', () => {
  let other: Server;
  let origin: string;
  const seen: { url: string; headers: object }[] = [];

  beforeEach(async () => {
    seen.length = 0;
    other = createServer((message, reply) => {
      seen.push({ url: message.url ?? '', headers: message.headers });
      reply.end('"other"');
    });
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    origin = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    other.closeAllConnections();
    await new Promise((resolve) => other.close(resolve));
  });

  it("goes by axios's own adapter, without a token", async () => {
    const { instance } = client();
    const { data, request } = await instance.get(`${origin}/x`);
    expect(data).toBe('other');
    // Node's own adapter, not the one of fetch.
    expect(request).toHaveProperty('socket');
    expect(seen).toMatchObject([{ url: '/x' }]);
    expect(seen[0]?.headers).not.toHaveProperty('tab-token');
    expect(harness.server.challengesAsked).toBe(0);
  });

  it('fails with onlyApis: false, before anything is sent', async () => {
    const { instance } = client({}, { attach: { onlyApis: false } });
    await expect(instance.get(`${origin}/x`)).rejects.toMatchObject({ code: 'foreign_origin' });
    expect(seen).toEqual([]);
  });

  it('gets no token by an interceptor that changes the URL afterwards', async () => {
    const instance = axios.create();
    instance.interceptors.request.use((config) => ({ ...config, url: `${origin}/x` }));
    // Runs first, since it was added last.
    attachDefender(instance, harness.defender());
    await expect(instance.get(`${harness.server.origin}/a`)).rejects.toMatchObject({ code: 'foreign_origin' });
    expect(seen).toEqual([]);
  });

  it('gets no token by a redirect', async () => {
    harness.server.answers = [{ status: 307, headers: { location: `${origin}/x` } }];
    await expect(client().instance.post('/a', { a: 1 })).rejects.toMatchObject({ response: { status: 307 } });
    expect(seen).toEqual([]);
  });

  it('keeps a session to its api', async () => {
    harness.server.answers = [{ headers: { 'TAB-Session': `${'S'.repeat(22)}; expires=${T0 + 60}` } }];
    const { instance, defender } = client();
    await instance.get('/a');
    expect(defender.session?.id).toBe('S'.repeat(22));
  });
});
