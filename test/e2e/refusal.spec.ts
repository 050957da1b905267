import { Catch, Controller, Get, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { APP_FILTER, HttpAdapterHost } from '@nestjs/core';
import { RequireTrust, TabDecisions } from 'nestjs-tab';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startApp, toldBy, type TestApp } from '../utils/http/app.js';
import type { Call, Device } from '../utils/http/client.js';
import { expectAccepted, expectRefusal, expectRefusalHeaders } from '../utils/http/expectations.js';
import { digest } from '../utils/http/keys.js';
import { PLATFORMS } from '../utils/http/platforms.js';
import { exchange } from '../utils/http/wire.js';
import { OpenController } from './controllers.js';

/** What many applications have: everything becomes an answer of their own. */
@Catch()
class ForeignFilter implements ExceptionFilter {
  readonly #host: HttpAdapterHost;

  constructor(host: HttpAdapterHost) {
    this.#host = host;
  }

  catch(error: { getStatus?: () => number }, host: ArgumentsHost): void {
    this.#host.httpAdapter.reply(host.switchToHttp().getResponse(), { oops: true }, error.getStatus?.() ?? 500);
  }
}

@RequireTrust({ session: 'none', runtime: { maxAge: 60 } })
@Controller('fresh')
class FreshController {
  @Get()
  read(): object {
    return {};
  }

  @RequireTrust({ headers: ['accept'] })
  @Get('failing')
  failing(): never {
    throw new Error('handler failed');
  }
}

const CODES: readonly (readonly [code: string, call: Call])[] = [
  ['missing_token', { tokens: () => [] }],
  ['malformed_token', { tokens: () => ['x'] }],
  ['unsupported_alg', { header: { alg: 'none' } }],
  ['stale_token', { claims: { iat: 1, rt: { at: 1, found: [], clear: [], sdk: 'x' } } }],
  ['request_mismatch', { claims: { htm: 'PUT' } }],
  ['use_tab_nonce', { claims: { nonce: undefined } }],
  ['insufficient_trust', { target: '/open', claims: { app: { id: 'com.example.bank', ver: '0.9.0' } } }],
];

describe.each(PLATFORMS)('a refusal on $name', (platform) => {
  let app: TestApp;
  let device: Device;

  beforeAll(async () => {
    const apps = [{ id: 'com.example.bank', platform: 'android', allowUnattested: true, minVersion: '1.0.0' }];
    app = await startApp(platform, { controllers: [OpenController, FreshController], tab: { apps } });
    device = await app.device().enrolled();
  });
  afterAll(() => app.stop());

  it.each(CODES)('with %s has status, headers and problem document of its own', async (code, call) => {
    expectRefusal(await device.send(call), code);
  });

  it.each(CODES)('with %s can be looked up by its decision id', async (code, call) => {
    const answer = await device.send(call);
    const found = await app.nest.get(TabDecisions, { strict: false }).find(answer.json()['decision'] as string);
    expect(found).toMatchObject({ code, outcome: 'refused', enforced: true, method: 'GET', path: '/open' });
    expect(found?.detail).toMatch(/./);
    expect(answer.body.toString()).not.toContain(found?.detail);
  });

  it('for old evidence says how fresh it has to be', async () => {
    const rt = { at: device.now - 61, found: [], clear: [], sdk: 'x/1' };
    const answer = await device.send({ target: '/fresh', claims: { rt } });
    expectRefusal(answer, 'insufficient_trust');
    expect(answer.header('www-authenticate')).toBe('TAB error="insufficient_trust", max_age=60');
  });

  it('never tells what the policy is', async () => {
    const answer = await device.send({ claims: { rt: { at: device.now, found: ['root'], clear: [], sdk: 'x/1' } } });
    expectRefusal(answer, 'insufficient_trust');
    expect(answer.body.toString()).not.toContain('root');
  });

  it('is not what a handler failure looks like, which keeps its own answer', async () => {
    const answer = await device.send({
      target: '/fresh/failing',
      headers: [['Accept', 'text/html']],
      claims: { hd: { accept: digest('text/html') } },
    });
    expect(answer.status).toBe(500);
    expect(answer.header('tab-error')).toBeUndefined();
    expect(answer.header('cache-control')).toBe('private, no-store');
  });

  it('is private and not stored when accepted, unless the handler says otherwise', async () => {
    expectAccepted(await device.send());
    expect((await device.send({ target: '/open/cached' })).header('cache-control')).toBe('private, max-age=5');
  });

  it('sets none of its headers on accepted answers', async () => {
    const answer = await device.send();
    for (const name of ['tab-error', 'tab-skew', 'tab-monitor', 'tab-session', 'www-authenticate', 'retry-after']) {
      expect(answer.header(name)).toBeUndefined();
    }
  });
});

describe.each(PLATFORMS)('exposeDetail on $name', (platform) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp(platform, { controllers: [OpenController], tab: { exposeDetail: true } });
  });
  afterAll(() => app.stop());

  it('adds the detail of the record, and only that', async () => {
    const answer = await app.device().send({ header: { crit: [] } });
    expectRefusalHeaders(answer, 'malformed_token');
    const { detail, ...rest } = answer.json();
    expect(Object.keys(rest).sort()).toEqual(['code', 'decision', 'status', 'title', 'type']);
    expect(detail).toBe(app.decisions.find(({ id }) => id === rest['decision'])?.detail);
    expect(detail).toContain('crit');
  });
});

describe.each(PLATFORMS)('a foreign exception filter on $name', (platform) => {
  let app: TestApp;
  let device: Device;
  beforeAll(async () => {
    const providers = [{ provide: APP_FILTER, useClass: ForeignFilter }];
    app = await startApp(platform, { controllers: [OpenController], providers });
    device = await app.device().enrolled();
  });
  afterAll(() => app.stop());

  it.each(CODES.slice(0, -1))('leaves the headers of %s', async (code, call) => {
    const answer = await device.send(call);
    expectRefusalHeaders(answer, code);
    expect(answer.json()).toEqual({ oops: true });
  });

  it('leaves the headers of refused enrolments', async () => {
    const answer = await app.device().enrol({ claims: { nonce: 'A'.repeat(64) } });
    expectRefusalHeaders(answer, 'use_tab_nonce');
    expect(answer.json()).toEqual({ oops: true });
  });
});

describe.each(PLATFORMS)('a store that is down on $name', (platform) => {
  let app: TestApp;
  let device: Device;
  beforeAll(async () => {
    app = await startApp(platform, { controllers: [OpenController] });
    device = await app.device().enrolled();
  });
  beforeEach(() => {
    app.nonces.down = false;
    app.bindings.down = false;
  });
  afterAll(() => app.stop());

  it.each(['nonces', 'bindings'] as const)('is 503 while it lasts: %s', async (store) => {
    expectAccepted(await device.send());
    app[store].down = true;
    const prepared = device.prepare();
    const answer = await device.replay(prepared);
    expectRefusal(answer, 'store_unavailable');
    expect(Number(answer.header('retry-after'))).toBeLessThanOrEqual(60);
    expectRefusal(await app.device().enrol(), 'store_unavailable');
    app[store].down = false;
    expectAccepted(await device.send());
  });

  it('does not hide an earlier failure', async () => {
    app.nonces.down = true;
    expectRefusal(
      await device.send({ claims: { app: { id: 'com.example.other', ver: '1.0.0' } } }),
      'request_mismatch',
    );
    expectRefusal(await device.send({ claims: { htm: 'PUT' } }), 'request_mismatch');
  });

  it('does not tell clients or records what its driver said', async () => {
    app.nonces.down = true;
    const answer = await device.send();
    expectRefusal(answer, 'store_unavailable');
    expect(answer.body.toString() + JSON.stringify(app.decisions)).not.toContain('secret-host');
  });
});

describe.each(PLATFORMS)('CORS on $name', (platform) => {
  let app: TestApp;
  const origin = ['Origin', 'https://web.example'] as const;
  beforeAll(async () => {
    app = await startApp(platform, { controllers: [OpenController], cors: true });
  });
  afterAll(() => app.stop());

  it.each(['/open', '/open/any', '/tab/instances', '/tab/challenge'])(
    'answers the preflight of %s without a token',
    async (target) => {
      const answer = await exchange(app.port, {
        method: 'OPTIONS',
        target,
        headers: [
          ['Host', 'x'],
          origin,
          ['Access-Control-Request-Method', 'POST'],
          ['Access-Control-Request-Headers', 'tab-token'],
        ],
      });
      expect(answer.status).toBe(204);
      expect(answer.header('tab-error')).toBeUndefined();
      expect(answer.header('access-control-allow-headers')).toBe('tab-token');
    },
  );

  it('does not exempt the request itself, and refusals keep the CORS headers', async () => {
    const answer = await app.device().send({ tokens: () => [], headers: [origin] });
    expectRefusal(answer, 'missing_token');
    expect(answer.header('access-control-allow-origin')).toBe('*');
  });

  it('leaves nothing secret in the log', () => {
    expect(toldBy(app)).not.toContain('a shared secret of the tests');
  });
});
