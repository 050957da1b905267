import { describe, expect, it } from 'vitest';
import type { DefenderOptions } from '../../../lib/defender/index.js';
import { T0, type Answer } from './fake-server.js';
import { useHarness } from './harness.js';

const harness = useHarness();
const to = (location: string, status = 307, headers: Record<string, string> = {}): Answer => ({
  status,
  headers: { location, ...headers },
});

async function send(answers: Answer[], init: RequestInit = {}, override: Partial<DefenderOptions> = {}) {
  harness.server.answers = answers;
  const response = await harness.defender(override).fetch(`${harness.server.origin}/a?x=1`, init);
  return { response, calls: harness.server.calls };
}

describe('a redirect within the api', () => {
  it.each(['/b?y=2', 'b?y=2#f', '?y=2', ''])('to "%s" is followed with a token of its own', async (location) => {
    const target = location === '' ? '/b' : location;
    const { response, calls } = await send([to(target), { body: 'there' }]);
    expect(await response.text()).toBe('there');
    expect(calls).toHaveLength(2);
    expect(calls[1]?.target).toBe(location === '' ? '/b' : location.startsWith('?') ? '/a?y=2' : '/b?y=2');
    expect(calls[1]?.claims.jti).not.toBe(calls[0]?.claims.jti);
  });

  it('to its absolute URL is followed', async () => {
    const { calls } = await send([to(`${harness.server.origin}/b`)]);
    expect(calls.map((call) => call.target)).toEqual(['/a?x=1', '/b']);
  });

  it.each([
    [301, 'POST', 'GET'],
    [302, 'POST', 'GET'],
    [303, 'POST', 'GET'],
    [303, 'PUT', 'GET'],
    [303, 'DELETE', 'GET'],
    [303, 'GET', 'GET'],
    [303, 'HEAD', 'HEAD'],
    [301, 'PUT', 'PUT'],
    [302, 'PUT', 'PUT'],
    [302, 'HEAD', 'HEAD'],
    [307, 'POST', 'POST'],
    [308, 'POST', 'POST'],
    [308, 'PATCH', 'PATCH'],
  ])('%i turns %s into %s', async (status, method, then) => {
    const content = ['GET', 'HEAD'].includes(method) ? {} : { body: '{"amount":1}' };
    const headers = {
      'content-type': 'application/json',
      'content-language': 'de',
      authorization: 'Bearer a',
      'x-a': '1',
    };
    const { calls } = await send([to('/b', status)], { method, headers, ...content });
    const kept = then === method;
    expect(calls[1]?.method).toBe(then);
    expect(calls[1]?.body.toString()).toBe(kept ? (content.body ?? '') : '');
    expect(calls[1]?.headers['content-type']).toBe(kept ? 'application/json' : undefined);
    expect(calls[1]?.headers['content-language']).toBe(kept ? 'de' : undefined);
    expect(calls[1]?.headers).toMatchObject({ authorization: 'Bearer a', 'x-a': '1' });
  });

  it('of a Request is followed too', async () => {
    harness.server.answers = [to('/b')];
    const request = new Request(`${harness.server.origin}/a`, { method: 'POST', body: 'x', redirect: 'follow' });
    await harness.defender().fetch(request);
    expect(harness.server.calls.map((call) => call.body.toString())).toEqual(['x', 'x']);
  });

  it('is followed five times', async () => {
    const { response, calls } = await send(Array.from({ length: 6 }, (_, index) => to(`/${index}`)));
    expect(response.status).toBe(307);
    expect(response.headers.get('location')).toBe('/5');
    expect(calls.map((call) => call.target)).toEqual(['/a?x=1', '/0', '/1', '/2', '/3', '/4']);
  });

  it('keeps what its answers say of the session and of challenges', async () => {
    const nonce = harness.server.issue();
    const sid = 'S'.repeat(22);
    const { calls } = await send([
      to('/b', 302, { 'TAB-Session': `${sid}; expires=${T0 + 60}`, 'TAB-Nonce': nonce }),
      { status: 401, headers: { 'TAB-Error': 'use_tab_nonce', 'TAB-Nonce': harness.server.issue() } },
    ]);
    expect(calls).toHaveLength(3);
    expect(calls[1]?.claims).toMatchObject({ sid, nonce });
  });
});

describe('any other redirect is the answer', () => {
  it.each([
    'https://evil.example/b',
    '//evil.example/b',
    'http://user:secret@HOST/b',
    'http://user@HOST/b',
    'https://HOST/b',
    'javascript:alert(1)',
    'data:,x',
    'http://[',
    '/tab/instances/self',
    '/x/../TAB//instances/self',
    '/t%61b/instances/self',
    '/tab%2finstances/self',
    '/TAB%2Finstances%2Fself',
    '/a/../tab/instances/self',
    '/a/%2e%2e/tab/instances/self',
    '/x/..%2ftab/instances/self',
    '/x/..%5ctab/instances/self',
    '/x%2f..%2ftab/instances/self',
    '/x/%252e%252e/tab/instances/self',
    '/tab%252finstances/self',
    '//HOST/tab/instances/self',
    '/tab',
    '/%zz',
  ])('to %s', async (location) => {
    const place = location.replace('HOST', new URL(harness.server.origin).host);
    const { response, calls } = await send([to(place)], { method: 'DELETE' });
    expect(response.status).toBe(307);
    expect(calls).toHaveLength(1);
    expect(harness.server.retirements).toHaveLength(0);
  });

  it('out of the api, on the same origin', async () => {
    // The fake server knows no gateway and expects targets without its prefix.
    harness.strict = false;
    harness.server.answers = [to('/gw2/b'), to('/gw/../b')];
    const api = `${harness.server.origin}/gw`;
    const defender = harness.defender({ api, fetch: atRoot });
    for (const path of ['/gw/a', '/gw/b'])
      expect((await defender.fetch(harness.server.origin + path)).status).toBe(307);
    expect(harness.server.calls.map((call) => call.target)).toEqual(['/gw/a', '/gw/b']);
  });

  it('to another configured api', async () => {
    const api = [harness.server.origin, `${harness.server.origin}/other`, 'https://other.example'];
    for (const place of ['/other/b', 'https://other.example/b']) {
      const { response } = await send([to(place)], {}, { api });
      expect(response.status).toBe(307);
    }
    expect(harness.server.calls).toHaveLength(2);
  });

  it.each([
    [304, { location: '/b' }],
    [300, { location: '/b' }],
    [201, { location: '/b' }],
    [302, {}],
  ])('status %i with %o', async (status, headers) => {
    const { response, calls } = await send([{ status, headers: headers as Record<string, string> }]);
    expect(response.status).toBe(status);
    expect(calls).toHaveLength(1);
  });

  it.each([{ redirect: 'manual' }, { redirect: 'manual', method: 'POST', body: 'x' }] as const)(
    'when the caller asks for it: %o',
    async (init) => {
      const { response, calls } = await send([to('/b')], init);
      expect(response.status).toBe(307);
      expect(calls).toHaveLength(1);
    },
  );

  it('where it is opaque, as in browsers', async () => {
    const opaque = Object.defineProperty(Response.error(), 'type', { value: 'opaqueredirect' });
    const browser: typeof fetch = (input, init) =>
      String(input).endsWith('/a') ? Promise.resolve(opaque) : fetch(input, init);
    const defender = harness.defender({ fetch: browser });
    expect(await defender.fetch(`${harness.server.origin}/a`)).toBe(opaque);
    await expect(defender.fetch(`${harness.server.origin}/a`, { redirect: 'error' })).rejects.toThrow(TypeError);
  });
});

describe("redirect: 'error'", () => {
  it.each([301, 302, 303, 307, 308])('fails with %i, wherever it leads', async (status) => {
    await expect(send([to('/b', status)], { redirect: 'error' })).rejects.toThrow(TypeError);
    expect(harness.server.calls).toHaveLength(1);
  });

  it('lets other answers through', async () => {
    const { response } = await send([{ status: 404 }], { redirect: 'error' });
    expect(response.status).toBe(404);
  });
});

/** The fake server has its endpoints at the root; a gateway would strip the prefix of these. */
const atRoot: typeof fetch = (input, init) => fetch(String(input).replace('/gw/tab/', '/tab/'), init);
