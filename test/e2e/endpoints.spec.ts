import { Controller, Get, RequestMethod, Version, VersioningType } from '@nestjs/common';
import { RequireTrust } from 'nestjs-tab';
import { afterEach, describe, expect, it } from 'vitest';
import { BANK, startApp, type TestApp } from '../utils/http/app.js';
import { expectAccepted, expectRefusal } from '../utils/http/expectations.js';
import { PLATFORMS } from '../utils/http/platforms.js';
import { exchange, type Answer } from '../utils/http/wire.js';
import { OpenController } from './controllers.js';

const DISCOVERY = '/.well-known/tab-configuration';

@RequireTrust({ session: 'none' })
@Controller('versioned')
class VersionedController {
  @Version('1')
  @Get()
  first(): object {
    return { version: 1 };
  }

  @Version('2')
  @Get()
  second(): object {
    return { version: 2 };
  }
}

describe.each(PLATFORMS)('endpoints on $name', (platform) => {
  let app: TestApp;
  afterEach(() => app.stop());

  const get = (target: string, host = `127.0.0.1:${app.port}`): Promise<Answer> =>
    exchange(app.port, { method: 'GET', target, headers: [['Host', host]] });
  const post = (target: string): Promise<Answer> =>
    exchange(app.port, { method: 'POST', target, headers: [['Host', 'x']] });

  it('are described, exactly', async () => {
    app = await startApp(platform);
    const answer = await get(DISCOVERY);
    expect(answer.status).toBe(200);
    expect(answer.header('content-type')).toMatch(/^application\/json/);
    expect(answer.json()).toEqual({
      version: 1,
      endpoints: { challenge: `${app.origin}/tab/challenge`, instances: `${app.origin}/tab/instances` },
      algs: ['ES256'],
      proofKeys: false,
      tokenLifetime: 60,
      tokenMaxBytes: 4096,
      challengeLifetime: 300,
      formats: ['none'],
    });
  });

  it('are described as configured', async () => {
    app = await startApp(platform, {
      tab: {
        origins: 'https://api.example/bank/',
        algorithms: ['EdDSA', 'ES256'],
        token: { lifetime: 30 },
        challengeLifetime: 90,
        endpoints: { prefix: 'trust' },
      },
    });
    expect((await get(DISCOVERY)).json()).toMatchObject({
      endpoints: {
        challenge: 'https://api.example/bank/trust/challenge',
        instances: 'https://api.example/bank/trust/instances',
      },
      algs: expect.arrayContaining(['ES256', 'EdDSA']),
      tokenLifetime: 30,
      challengeLifetime: 90,
    });
  });

  it('are described at the origin that the request came to', async () => {
    app = await startApp(platform, { tab: { origins: ['https://a.example', 'https://b.example'] } });
    expect((await get(DISCOVERY, 'b.example')).json()).toMatchObject({
      endpoints: { challenge: 'https://b.example/tab/challenge' },
    });
    expectRefusal(await get(DISCOVERY, 'c.example'), 'request_mismatch');
  });

  it('give a challenge that is not stored', async () => {
    app = await startApp(platform);
    const answer = await post('/tab/challenge');
    expect(answer.status).toBe(201);
    expect(answer.header('cache-control')).toBe('no-store');
    expect(answer.json()).toEqual({ challenge: expect.stringMatching(/^[A-Za-z0-9._-]{22,256}$/), expiresIn: 300 });
    expect((await post('/tab/challenge')).json()['challenge']).not.toBe(answer.json()['challenge']);
    expect(app.storeCalls).toEqual([]);
  });

  it('may have another prefix', async () => {
    app = await startApp(platform, { controllers: [OpenController], tab: { endpoints: { prefix: '/trust' } } });
    expectAccepted(await (await app.device({ prefix: '/trust' }).enrolled()).send());
    expect((await post('/tab/challenge')).status).toBe(404);
  });

  it('may be left out', async () => {
    app = await startApp(platform, { controllers: [OpenController], tab: { endpoints: false } });
    for (const answer of [await post('/tab/challenge'), await post('/tab/instances'), await get(DISCOVERY)]) {
      expect(answer.status).toBe(404);
    }
    expectRefusal(await app.device().send({ tokens: () => [] }), 'missing_token');
  });

  it('follow the global prefix, discovery stays at the root', async () => {
    app = await startApp(platform, {
      controllers: [OpenController],
      configure: (nest) =>
        nest.setGlobalPrefix('api', { exclude: [{ path: DISCOVERY.slice(1), method: RequestMethod.GET }] }),
    });
    const device = await app.device({ prefix: '/api/tab' }).enrolled();
    expectAccepted(await device.send({ target: '/api/open' }));
    expect((await get(DISCOVERY)).json()).toMatchObject({
      endpoints: { challenge: `${app.origin}/api/tab/challenge`, instances: `${app.origin}/api/tab/instances` },
    });
    expect((await device.retire()).status).toBe(204);
  });

  it('are the same for all versions of an API', async () => {
    app = await startApp(platform, {
      controllers: [VersionedController],
      configure: (nest) => nest.enableVersioning({ type: VersioningType.URI }),
    });
    const device = await app.device().enrolled();
    for (const version of [1, 2]) {
      const answer = await device.send({ target: `/v${version}/versioned` });
      expectAccepted(answer);
      expect(answer.json()).toEqual({ version });
    }
    expect((await get(DISCOVERY)).status).toBe(200);
  });

  it('are bound like any target: a version is not exchanged for another', async () => {
    app = await startApp(platform, {
      controllers: [VersionedController],
      configure: (nest) => nest.enableVersioning({ type: VersioningType.URI }),
    });
    const device = await app.device().enrolled();
    expectRefusal(
      await device.send({ target: '/v1/versioned', wire: { target: '/v2/versioned' } }),
      'request_mismatch',
    );
  });

  it('count their callers by address, and the window ends', async () => {
    app = await startApp(platform, {
      tab: { apps: [BANK], limits: { enrolmentsPerMinute: 2, challengesPerMinute: 3 } },
    });
    for (let i = 0; i < 3; i += 1) expect((await post('/tab/challenge')).status).toBe(201);
    app.clock.advance(20);
    const limited = await post('/tab/challenge');
    expectRefusal(limited, 'rate_limited');
    expect(limited.header('retry-after')).toBe('40');
    app.clock.advance(40);
    expect((await post('/tab/challenge')).status).toBe(201);
  });

  it('count enrolments before looking at them', async () => {
    app = await startApp(platform, { tab: { limits: { enrolmentsPerMinute: 2, challengesPerMinute: 100 } } });
    const device = app.device();
    for (let i = 0; i < 2; i += 1) expectRefusal(await device.enrol({ tokens: () => [] }), 'missing_token');
    expectRefusal(await device.enrol(), 'rate_limited');
    app.clock.advance(60);
    expect((await device.enrol()).status).toBe(201);
  });

  it.each([
    [false, 'rate_limited'],
    [true, undefined],
  ])('count by X-Forwarded-For only behind a trusted proxy: %s', async (trustProxy, code) => {
    app = await startApp(platform, { trustProxy, tab: { limits: { enrolmentsPerMinute: 1, challengesPerMinute: 1 } } });
    const from = (address: string) =>
      exchange(app.port, {
        method: 'POST',
        target: '/tab/challenge',
        headers: [
          ['Host', 'x'],
          ['X-Forwarded-For', address],
        ],
      });
    expect((await from('192.0.2.1')).status).toBe(201);
    expect((await from('192.0.2.2')).header('tab-error')).toBe(code);
  });
});
