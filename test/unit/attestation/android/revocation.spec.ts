import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { androidRevocation, type AndroidRevocationOptions } from '../../../../lib/attestation/android/revocation.js';
import { readStatusList } from '../../../../lib/attestation/android/status-list.js';
import { TabConfigError } from '../../../../lib/errors/tab-error.js';
import { fakeClock } from '../../../../lib/testing/fake-clock.js';

const LIST = { entries: { abc: { status: 'REVOKED', reason: 'KEY_COMPROMISE' } } };
const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** A server that answers as told, and counts. */
async function serve(listener: RequestListener): Promise<{ url: string; requests: () => number }> {
  let count = 0;
  const server = createServer((request, response) => {
    count += 1;
    listener(request, response);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/status`, requests: () => count };
}

const sends =
  (headers: Record<string, string> = {}, content: unknown = LIST, status = 200): RequestListener =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof content === 'string' ? content : JSON.stringify(content));
  };

function aSource(url: string, options: AndroidRevocationOptions = {}) {
  const warnings: string[] = [];
  const clock = fakeClock();
  const revocation = androidRevocation({
    url,
    clock: clock.now,
    onWarning: (message) => warnings.push(message),
    ...options,
  });
  return { revocation, warnings, clock };
}

/** Waits for what happens in the background, by what it does. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

describe('the status list', () => {
  const revoked = readStatusList(
    JSON.stringify({
      entries: {
        abc: { status: 'REVOKED' },
        '00DEF': { status: 'SUSPENDED' },
        '6681152659205225093': { status: 'REVOKED', reason: 'KEY_COMPROMISE' },
        '12': { status: 'OK' },
        '13': { status: 'WITHDRAWN' },
      },
    }),
  );

  it.each([
    ['abc', true],
    ['0abc', true],
    ['ABC', true],
    ['def', true],
    [6681152659205225093n.toString(16), true],
    ['6681152659205225093', true],
    ['12', false],
    ['c', false],
    ['13', true],
    ['d', true],
    ['1', false],
    ['abcd', false],
    ['', true],
    ['xyz', true],
  ])('serial %s: %s', (serial, expected) => expect(revoked(serial)).toBe(expected));

  it.each([
    '',
    'null',
    '[]',
    '{}',
    '{"entries":[]}',
    '{"entries":{"a":1}}',
    '{"entries":{"a":{}}}',
    '{"entries":{"a":{"status":1}}}',
    '<html>',
  ])('is not %s', (text) => expect(() => readStatusList(text)).toThrow(Error));

  it('is not confused by names of Object.prototype', () => {
    expect(readStatusList('{"entries":{"__proto__":{"status":"REVOKED"}}}')('1')).toBe(false);
  });
});

describe('androidRevocation', () => {
  it('fetches once for all who ask at once, and keeps the list as long as it is told to', async () => {
    const { url, requests } = await serve(sends({ 'cache-control': 'public, max-age=600' }));
    const { revocation, clock, warnings } = aSource(url);
    const lists = await Promise.all(Array.from({ length: 20 }, () => revocation.load()));
    expect(lists.every((isRevoked) => isRevoked('abc') && !isRevoked('abd'))).toBe(true);
    clock.advance(400);
    await revocation.load();
    expect(requests()).toBe(1);
    clock.advance(201);
    await revocation.load();
    expect([requests(), warnings]).toEqual([2, []]);
  });

  it('renews in the background before the list is stale, without anybody waiting', async () => {
    let list: unknown = LIST;
    const { url, requests } = await serve((request, response) =>
      sends({ 'cache-control': 'max-age=1000' }, list)(request, response),
    );
    const { revocation, clock } = aSource(url);
    await revocation.load();
    list = { entries: {} };
    clock.advance(900);
    expect((await revocation.load())('abc')).toBe(true);
    await until(() => requests() === 2);
    let isRevoked = await revocation.load();
    while (isRevoked('abc')) {
      await new Promise((resolve) => setImmediate(resolve));
      isRevoked = await revocation.load();
    }
    expect(requests()).toBe(2);
  });

  it('asks whether it has changed, by its ETag', async () => {
    const seen: (string | undefined)[] = [];
    const { url } = await serve((request, response) => {
      seen.push(request.headers['if-none-match']);
      if (request.headers['if-none-match'] === '"one"')
        sends({ 'cache-control': 'max-age=300' }, '', 304)(request, response);
      else sends({ etag: '"one"', 'cache-control': 'max-age=100' })(request, response);
    });
    const { revocation, clock } = aSource(url);
    await revocation.load();
    clock.advance(101);
    expect((await revocation.load())('abc')).toBe(true);
    clock.advance(200);
    await revocation.load();
    expect(seen).toEqual([undefined, '"one"']);
  });

  it.each<[string, Record<string, string>, number, number]>([
    ['max-age, less the age', { 'cache-control': 'max-age=700', age: '600' }, 79, 101],
    ['Expires against Date', { expires: at(500), date: at(0) }, 399, 501],
    ['no-store: at least a minute', { 'cache-control': 'no-store' }, 47, 61],
    ['an Expires that is no time: likewise', { expires: '0' }, 47, 61],
    ['nothing: an hour', {}, 2879, 3601],
    ['a year: at most a day', { 'cache-control': 'max-age=31536000' }, 69_119, 86_401],
  ])('takes from the headers %s', async (_what, headers, kept, stale) => {
    const { url, requests } = await serve(sends(headers));
    const { revocation, clock } = aSource(url);
    await revocation.load();
    clock.advance(kept);
    await revocation.load();
    expect(requests()).toBe(1);
    clock.advance(stale - kept);
    await revocation.load();
    expect(requests()).toBe(2);
  });

  it('is never older than maxAge, whatever its headers say', async () => {
    const { url, requests } = await serve(sends({ 'cache-control': 'max-age=86400' }));
    const { revocation, clock } = aSource(url, { maxAge: 300 });
    await revocation.load();
    clock.advance(301);
    await revocation.load();
    expect(requests()).toBe(2);
  });

  it('outlives an outage with the last good list, up to an age, and tells of every failure', async () => {
    let listener = sends({ 'cache-control': 'max-age=60' });
    const { url, requests } = await serve((request, response) => listener(request, response));
    const { revocation, clock, warnings } = aSource(url, { maxAge: 3600 });
    await revocation.load();
    listener = sends({}, 'down', 500);
    clock.advance(61);
    expect((await revocation.load())('abc')).toBe(true);
    expect(warnings).toEqual([expect.stringContaining('status 500')]);
    // No flood: the next attempt comes after a rest.
    await revocation.load();
    expect(requests()).toBe(2);
    clock.advance(3400);
    expect((await revocation.load())('abc')).toBe(true);
    await until(() => warnings.length === 2);
    clock.advance(140);
    await expect(revocation.load()).rejects.toMatchObject({ code: 'store_unavailable', hints: { retryAfter: 10 } });
    expect(warnings).toHaveLength(3);
    listener = sends();
    clock.advance(11);
    expect((await revocation.load())('abc')).toBe(true);
  });

  it('keeps nobody waiting for a source that is known to be down, as long as there is a copy', async () => {
    let listener = sends({ 'cache-control': 'max-age=60' });
    const { url, requests } = await serve((request, response) => listener(request, response));
    const { revocation, clock } = aSource(url, { maxAge: 3600 });
    await revocation.load();
    listener = sends({}, 'down', 500);
    clock.advance(61);
    await revocation.load();
    let answer: (() => void) | undefined;
    listener = (request, response) => {
      answer = () => sends({}, { entries: { def: { status: 'REVOKED' } } })(request, response);
    };
    clock.advance(11);
    // Nothing has answered yet, and nobody has waited.
    expect((await revocation.load())('abc')).toBe(true);
    expect((await revocation.load())('abc')).toBe(true);
    await until(() => answer !== undefined);
    expect(requests()).toBe(3);
    answer?.();
    let list = await revocation.load();
    while (!list('def')) {
      await new Promise((resolve) => setImmediate(resolve));
      list = await revocation.load();
    }
    expect(list('abc')).toBe(false);
    expect(requests()).toBe(3);
  });

  it.each<[string, RequestListener]>([
    ['an error', sends({}, LIST, 500)],
    ['not found', sends({}, LIST, 404)],
    ['a 304 that nobody asked for', sends({}, '', 304)],
    ['a partial answer', sends({}, LIST, 206)],
    ['a redirect', sends({ location: '/other' }, LIST, 302)],
    ['another media type', sends({ 'content-type': 'text/html' })],
    ['no JSON', sends({}, '<html>')],
    ['no list', sends({}, { keys: [] })],
    ['an entry without a status', sends({}, { entries: { a: 'REVOKED' } })],
    ['9 MB', sends({}, `{"entries":{}}${' '.repeat(9 * 1024 * 1024)}`)],
    ['an answer that never comes', () => undefined],
    [
      'content that never ends',
      (_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.write('{"entries":{');
      },
    ],
    ['a connection that breaks', (request) => request.socket.destroy()],
    [
      'content that breaks off',
      (request, response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
        response.write('{"entries":{');
        setImmediate(() => request.socket.destroy());
      },
    ],
  ])('refuses %s: closed by default, open with a warning where configured', async (_what, listener) => {
    const { url } = await serve(listener);
    const closed = aSource(url, { timeout: 0.25 });
    await expect(closed.revocation.load()).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(closed.warnings).toHaveLength(1);
    const open = aSource(url, { timeout: 0.25, onUnavailable: 'open' });
    expect((await open.revocation.load())('abc')).toBe(false);
    expect(open.warnings).toEqual([
      expect.stringContaining('could not be fetched'),
      expect.stringContaining('let through'),
    ]);
  });

  it('does not keep a list that it cannot read in place of the one it has', async () => {
    let listener = sends({ 'cache-control': 'max-age=60' });
    const { url } = await serve((request, response) => listener(request, response));
    const { revocation, clock } = aSource(url);
    await revocation.load();
    listener = sends({}, { entries: null });
    clock.advance(61);
    expect((await revocation.load())('abc')).toBe(true);
  });

  it('asks again when the clock has gone back', async () => {
    const { url, requests } = await serve(sends());
    const { revocation, clock } = aSource(url);
    await revocation.load();
    clock.advance(-3600);
    await revocation.load();
    expect(requests()).toBe(2);
  });

  it.each<[string, unknown]>([
    ['null', null],
    ['a relative address', { url: '/status' }],
    ['http to another host', { url: 'http://mirror.example/status' }],
    ['user info', { url: 'https://user:pass@mirror.example/status' }],
    ['a fragment', { url: 'https://mirror.example/status#a' }],
    ['no timeout', { timeout: 0 }],
    ['a long one', { timeout: 31 }],
    ['no maxAge', { maxAge: 0 }],
    ['half open', { onUnavailable: 'half' }],
    ['a fetch that is none', { fetch: 'fetch' }],
    ['an onWarning that is none', { onWarning: 'log' }],
  ])('refuses options: %s', (_what, options) =>
    expect(() => androidRevocation(options as AndroidRevocationOptions)).toThrow(TabConfigError),
  );
});

function at(seconds: number): string {
  return new Date(Date.UTC(2026, 0, 1) + seconds * 1000).toUTCString();
}
