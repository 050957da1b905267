import { FastifyAdapter } from '@nestjs/platform-fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApp, toldBy, writesOf, type TestApp } from '../utils/http/app.js';
import type { Call, Device } from '../utils/http/client.js';
import { expectAccepted, expectRefusal, expectRefusalHeaders } from '../utils/http/expectations.js';
import { digest } from '../utils/http/keys.js';
import { PLATFORMS } from '../utils/http/platforms.js';
import { OpenController } from './controllers.js';

type Row = readonly [title: string, call: Call];

const signedAs = (target: string, wire: string): Call => ({ target, wire: { target: wire } });

const REFUSED: readonly Row[] = [
  ['the method in lower case', { claims: { htm: 'get' } }],
  ['another method', { claims: { htm: 'POST' } }],
  ['HEAD signed for a GET', { claims: { htm: 'HEAD' } }],
  ['another path', signedAs('/open/cached', '/open')],
  ['the path in another case', signedAs('/open/items/a', '/open/items/A')],
  ['a slash more', signedAs('/open/files/a', '/open/files/a/')],
  ['a path encoded by the way', signedAs('/open/items/a', '/open/items/%61')],
  ['a path decoded by the way', signedAs('/open/items/%61', '/open/items/a')],
  ['percent signs in another case', signedAs('/open/items/%c3%a4', '/open/items/%C3%A4')],
  ['a double slash', signedAs('/open/files/a', '/open/files//a')],
  ['a dot segment', { target: '/open/files/./a' }],
  ['a double dot segment', { target: '/open/files/../files/a' }],
  ['a trailing dot segment', { target: '/open/files/.' }],
  ['an encoded dot segment', { target: '/open/files/%2e/a' }],
  ['an encoded double dot segment', { target: '/open/files/%2E%2e/files/a' }],
  ['a half encoded double dot segment', { target: '/open/files/.%2e/files/a' }],
  ['a fragment', { target: '/open#x' }],
  ['a fragment after the query', { target: '/open?a=1#x' }],
  ['a backslash', { target: '/open/files/a\\b' }],
  ['absolute form, signed in origin form', { target: '/open', wire: { target: 'http://127.0.0.1/open' } }],
  ['a query reordered', signedAs('/open?a=1&b=2', '/open?b=2&a=1')],
  ['a query added', signedAs('/open', '/open?admin=1')],
  ['a query removed', signedAs('/open?a=1', '/open')],
  ['a query encoded otherwise', signedAs('/open?a=%2f', '/open?a=%2F')],
  ['a query with a plus for a space', signedAs('/open?a=b%20c', '/open?a=b+c')],
  ['a qsh of nothing', { claims: { qsh: digest('') } }],
  ['a qsh missing', { target: '/open?a=1', claims: { qsh: undefined } }],
  ['a bh without a body', { claims: { bh: digest('') } }],
  ['a ct without a body', { claims: { ct: 'application/json' } }],
  ['an ath without a credential', { claims: { ath: digest('x') } }],
  ['a credential without ath', { credential: 'access', claims: { ath: undefined } }],
  ['another credential', { credential: 'access', claims: { ath: digest('other') } }],
  ['the scheme in ath', { credential: 'access', claims: { ath: digest('Bearer access') } }],
  ['two Authorization headers', { credential: 'access', headers: [['Authorization', 'Bearer other']] }],
  ['the same Authorization header twice', { credential: 'access', headers: [['Authorization', 'Bearer access']] }],
  ['an Authorization header without a credential', { headers: [['Authorization', 'Bearer']] }],
  ['an hd of another value', { headers: [['X-Amount', '2']], claims: { hd: { 'x-amount': digest('1') } } }],
  ['an hd of an absent header', { claims: { hd: { 'x-amount': digest('1') } } }],
  [
    'an hd of a header that came twice',
    {
      headers: [
        ['X-Amount', '1'],
        ['X-Amount', '2'],
      ],
      claims: { hd: { 'x-amount': digest('1') } },
    },
  ],
  ['a required hd missing', { method: 'POST', target: '/open/idempotent', headers: [['Idempotency-Key', 'k']] }],
  ['another app', { claims: { app: { id: 'com.example.other', ver: '2.1.0' } } }],
];

/** What goes onto the wire, where one character is one octet. */
const JOSE = Buffer.from('Jos\u00e9', 'latin1');

const ACCEPTED: readonly Row[] = [
  ['a query', { target: '/open?a=1&a=2' }],
  ['a query of a question mark', { target: '/open??' }],
  ['an empty query', { target: '/open?' }],
  ['a path as encoded as it was signed', { target: '/open/items/%c3%A4' }],
  ['dots that are no segment', { target: '/open/files/a..b/.c/...' }],
  ['dot segments in the query', { target: '/open?next=/../a' }],
  ['a credential', { credential: 'access' }],
  ['a credential of another scheme', { headers: [['Authorization', 'Basic   dTpw']], claims: { ath: digest('dTpw') } }],
  ['an hd that is right', { headers: [['X-Amount', '1']], claims: { hd: { 'x-amount': digest('1') } } }],
  [
    'a required hd',
    {
      method: 'POST',
      target: '/open/idempotent',
      headers: [['Idempotency-Key', 'k']],
      claims: { hd: { 'idempotency-key': digest('k') } },
    },
  ],
  ['an override header that nothing reads', { method: 'POST', headers: [['X-HTTP-Method-Override', 'DELETE']] }],
  ['an hd of octets outside ASCII', { headers: [['X-Name', 'Jos\u00e9']], claims: { hd: { 'x-name': digest(JOSE) } } }],
  [
    'a credential of octets outside ASCII',
    { headers: [['Authorization', 'Bearer Jos\u00e9']], claims: { ath: digest(JOSE) } },
  ],
  ['every method of a handler', { method: 'OPTIONS', target: '/open/any' }],
];

describe.each(PLATFORMS)('a request on $name', (platform) => {
  let app: TestApp;
  let device: Device;

  beforeAll(async () => {
    const overriding = (base: { origins: string | readonly string[] }) => ({
      origins: String(base.origins).replace('127.0.0.1', 'localhost'),
    });
    app = await startApp(platform, { controllers: [OpenController], tab: overriding });
    device = await app.device({ origin: app.origin.replace('127.0.0.1', 'localhost') }).enrolled();
  });
  afterAll(() => app.stop());

  it.each(REFUSED)('is refused with %s', async (_title, call) => {
    const before = writesOf(app);
    const answer = await device.send(call);
    expectRefusal(answer, 'request_mismatch');
    // All but the app, which is fresh state, is compared before the signature.
    if (call.claims?.['app'] === undefined) expect(writesOf(app)).toEqual(before);
  });

  it.each(ACCEPTED)('is accepted with %s', async (_title, call) => {
    expectAccepted(await device.send(call));
  });

  it.each([
    ['the host', (htu: string) => htu.replace('localhost', 'LocalHost')],
    ['the scheme', (htu: string) => htu.replace('http:', 'HTTP:')],
  ])('is accepted with %s of htu in another case', async (_title, change) => {
    expectAccepted(await device.send({ claims: { htu: change(`http://localhost:${app.port}/open`) } }));
  });

  it.each([
    ['another host', (origin: string) => origin.replace('localhost', '127.0.0.1')],
    ['another scheme', (origin: string) => origin.replace('http:', 'https:')],
    ['another port', (origin: string) => origin.replace(/\d+$/, '1')],
    ['userinfo', (origin: string) => origin.replace('//', '//u@')],
    ['a host that only begins alike', (origin: string) => origin.replace('localhost', 'localhost.evil.example')],
    ['no scheme', (origin: string) => origin.replace('http:', '')],
  ])('is refused with %s in htu', async (_title, change) => {
    const answer = await device.send({ claims: { htu: `${change(`http://localhost:${app.port}`)}/open` } });
    expectRefusal(answer, 'request_mismatch');
  });

  it.each(['#', '?', '?a=1', '/', '/../open'])('is refused with an htu that goes on with %s', async (suffix) => {
    const htu = `http://localhost:${app.port}/open${suffix}`;
    expectRefusal(await device.send({ claims: { htu } }), 'request_mismatch');
    expectRefusal(await device.send({ target: '/open?a=1', claims: { htu, qsh: undefined } }), 'request_mismatch');
    expectRefusal(await device.send({ target: '/open?a=1', claims: { htu } }), 'request_mismatch');
  });

  it('in absolute form is refused whatever was signed', async () => {
    const absolute = `http://localhost:${app.port}/open`;
    expectRefusal(await device.send({ wire: { target: absolute } }), 'request_mismatch');
    expectRefusal(await device.send({ target: absolute, claims: { htu: absolute } }), 'request_mismatch');
  });

  it('with octets above 0x7E in its target is never accepted, and never a fault', async () => {
    const answer = await device.send({ target: '/open/items/\u00e4' });
    if (answer.status === 400) expect(answer.header('tab-error')).toBeUndefined();
    else expectRefusal(answer, 'request_mismatch');
  });

  it('HEAD runs the GET handler for a token made for HEAD', async () => {
    const answer = await device.send({ method: 'HEAD' });
    expectAccepted(answer);
    expect(answer.body).toHaveLength(0);
    expectRefusalHeaders(await device.send({ method: 'HEAD', claims: { htm: 'GET' } }), 'request_mismatch');
    expectRefusalHeaders(await device.send({ method: 'HEAD', tokens: () => [] }), 'missing_token');
  });

  it('says why in the record, and no more than the path', async () => {
    const answer = await device.send({ target: '/open?iban=DE00', claims: { htm: 'POST' } });
    const record = app.decisions.find(({ id }) => id === answer.json()['decision']);
    expect(record).toMatchObject({
      outcome: 'refused',
      code: 'request_mismatch',
      method: 'GET',
      path: '/open',
      enforced: true,
    });
    expect(toldBy(app)).not.toContain('DE00');
  });
});

describe.each(PLATFORMS)('a method override on $name', (platform) => {
  let app: TestApp;
  let device: Device;

  beforeAll(async () => {
    app = await startApp(platform, {
      controllers: [OpenController],
      configure: (nest) =>
        nest.use((request: { method: string; headers: Record<string, string> }, _reply: unknown, next: () => void) => {
          request.method = request.headers['x-http-method-override'] ?? request.method;
          next();
        }),
    });
    device = await app.device().enrolled();
  });
  afterAll(() => app.stop());

  it.each(['POST', 'DELETE'])('does not reach another handler with a token for %s', async (htm) => {
    const answer = await device.send({
      method: 'POST',
      headers: [['X-HTTP-Method-Override', 'DELETE']],
      claims: { htm },
    });
    expectRefusal(answer, 'request_mismatch');
  });

  it('leaves other requests alone', async () => {
    const answer = await device.send({ method: 'POST' });
    expectAccepted(answer);
    expect(answer.json()['handler']).toBe('write');
  });
});

describe.each(PLATFORMS)('a target rewritten on $name', (platform) => {
  let app: TestApp;
  let device: Device;

  beforeAll(async () => {
    const rewrite = (url = '') => url.replace(/^\/old/, '/open');
    app = await startApp(platform, {
      controllers: [OpenController],
      adapter:
        platform.name === 'fastify'
          ? new FastifyAdapter({ rewriteUrl: (request: { url?: string }) => rewrite(request.url) })
          : undefined,
      configure: (nest) => {
        if (platform.name !== 'express') return;
        nest.use((request: { url: string; originalUrl: string }, _reply: unknown, next: () => void) => {
          request.url = request.originalUrl = rewrite(request.url);
          next();
        });
      },
    });
    device = await app.device().enrolled();
  });
  afterAll(() => app.stop());

  it('is the one that the socket received', async () => {
    const answer = await device.send({ target: '/old?a=1' });
    expectAccepted(answer);
    expect(answer.json()['handler']).toBe('read');
    expectRefusal(await device.send({ target: '/open?a=1', wire: { target: '/old?a=1' } }), 'request_mismatch');
  });
});
