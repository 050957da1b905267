import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR } from '@nestjs/core';
import { firstValueFrom, map } from 'rxjs';
import { TabGuard, TabInstances, TabSessions } from 'nestjs-tab';
import { afterEach, describe, expect, it } from 'vitest';
import { SignalTransmitter } from '../../lib/signals/transmitter.js';
import type { SignalReceiverOptions } from '../../lib/signals/signals.types.js';
import { TabRuntime } from '../../lib/tab-runtime.js';
import { OpenController } from './controllers.js';
import { startApp, type AppSetup, type TestApp } from '../utils/http/app.js';
import { PLATFORMS, type Platform } from '../utils/http/platforms.js';
import { exchange, parseAnswer, sendOctets, type Answer, type WireRequest } from '../utils/http/wire.js';
import {
  aSet,
  AUDIENCE,
  COMPLIANCE,
  idp,
  ISS,
  KID,
  opaque,
  SESSION_REVOKED,
  stranger,
} from '../unit/signals/fixture.js';

const TYPE = 'application/secevent+jwt';

function withResolvers<T>() {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((done) => (resolve = done));
  return { promise, resolve };
}

class Wrapping implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler) {
    if (context.getHandler().name !== 'receive') return next.handle();
    return next.handle().pipe(map(() => ({ data: 'replaced' })));
  }
}

function receiving(options: Partial<SignalReceiverOptions>, setup: AppSetup): AppSetup {
  const receive: SignalReceiverOptions = {
    audience: AUDIENCE,
    transmitters: [{ iss: ISS, jwks: idp.jwks }],
    onDuplicate: 'acknowledge',
    ...options,
  };
  return { ...setup, tab: { signals: { receive } } };
}

describe.each(PLATFORMS)('signals on $name', (platform: Platform) => {
  let app: TestApp;
  afterEach(() => app.stop());

  const start = async (options: Partial<SignalReceiverOptions> = {}, setup: AppSetup = {}) => {
    app = await startApp(platform, receiving(options, setup));
  };
  const lines = () =>
    app.logs.lines.filter((line) => line.startsWith('signal ')).map((line) => line.replace(/ TabSignals$/, ''));
  const push = (jwt: string | Buffer, change: Partial<WireRequest> = {}): Promise<Answer> =>
    exchange(app.port, {
      method: 'POST',
      target: '/tab/events',
      headers: [
        ['Host', 'x'],
        ['Content-Type', TYPE],
      ],
      body: Buffer.from(jwt as string),
      ...change,
    });
  const typed = (...headers: [string, string][]): Partial<WireRequest> => ({ headers: [['Host', 'x'], ...headers] });
  const now = () => app.clock.seconds;
  const suspending = (id: string) => ({
    iat: now(),
    sub_id: opaque(id),
    events: { [COMPLIANCE]: { current_status: 'not-compliant' } },
  });
  const statusOf = async (id: string) => (await app.nest.get(TabInstances).get(id))?.status;

  function expectRefused(answer: Answer, err: string, status = 400): void {
    expect({ status: answer.status, body: answer.body.toString() }).toEqual({
      status,
      body: expect.stringMatching(/^\{"err":/),
    });
    expect(answer.json()).toEqual({ err, description: expect.stringMatching(/./) });
    expect(answer.header('content-type')).toMatch(/^application\/json/);
    expect(answer.header('content-language')).toBe('en');
    expect(answer.header('cache-control')).toBe('no-store');
  }
  function expectTaken(answer: Answer): void {
    expect({ status: answer.status, body: answer.body.toString() }).toEqual({ status: 202, body: '' });
    expect(answer.header('cache-control')).toBe('no-store');
  }

  it('are taken, and hold from the next request on', async () => {
    await start();
    const device = await app.device().enrolled();
    expectTaken(await push(aSet({ claims: suspending(device.id) })));
    expect(await statusOf(device.id)).toBe('suspended');
    expect(lines()).toEqual([expect.stringMatching(/^signal acted \{.*"event":"device-compliance-change"/)]);
    expect((await device.retire()).header('tab-error')).toBe('instance_suspended');
  });

  it('are taken in chunks, and with parameters of the media type', async () => {
    await start();
    const device = await app.device().enrolled();
    const answer = await push(aSet({ claims: suspending(device.id) }), {
      ...typed(['Content-Type', 'Application/SecEvent+JWT; charset=utf-8']),
      framing: 'chunked',
    });
    expectTaken(answer);
    expect(await statusOf(device.id)).toBe('suspended');
  });

  it('are nothing that is there, where none are received', async () => {
    app = await startApp(platform, {});
    expect((await push(aSet({ claims: { iat: now() } }))).status).toBe(404);
    expect(app.storeCalls).toEqual([]);
  });

  it('need no TAB token where everything is guarded, and no interceptor changes the answer', async () => {
    await start(
      {},
      {
        providers: [
          { provide: APP_GUARD, useExisting: TabGuard },
          { provide: APP_INTERCEPTOR, useClass: Wrapping },
        ],
      },
    );
    expectRefused(await push('nonsense'), 'invalid_request');
    const device = await app.device().enrolled();
    expectTaken(await push(aSet({ claims: suspending(device.id) })));
  });

  it('are refused in the words of RFC 8935', async () => {
    await start();
    const device = await app.device().enrolled();
    const claims = suspending(device.id);
    expectRefused(await push('nonsense'), 'invalid_request');
    expectRefused(await push(''), 'invalid_request');
    expectRefused(await push(aSet({ claims, header: { typ: 'JWT' } })), 'invalid_request');
    expectRefused(await push(aSet({ claims, header: { kid: 'other' } })), 'invalid_key');
    expectRefused(await push(aSet({ claims, key: stranger.privateKey })), 'authentication_failed');
    expectRefused(await push(aSet({ claims: { ...claims, iss: 'https://evil.example' } })), 'invalid_issuer');
    expectRefused(await push(aSet({ claims: { ...claims, aud: 'https://evil.example' } })), 'invalid_audience');
    expectRefused(await push(aSet({ claims: { ...claims, sub_id: opaque('nobody') } })), 'invalid_request');
    expectRefused(await push(aSet({ claims: { ...claims, iat: now() + 3600 } })), 'invalid_request');
    expect(await statusOf(device.id)).toBe('active');
    expect(lines()).toHaveLength(9);
  });

  it('count once: again, the same one is acknowledged, another with its jti is refused', async () => {
    await start();
    const [device, other] = [await app.device().enrolled(), await app.device().enrolled()];
    const jwt = aSet({ claims: { ...suspending(device.id), jti: 'one' } });
    expectTaken(await push(jwt));
    expectTaken(await push(jwt));
    expectRefused(await push(aSet({ claims: { ...suspending(other.id), jti: 'one' } })), 'invalid_request');
    expect(await statusOf(other.id)).toBe('active');
    expect(lines().map((line) => line.split(' ')[1])).toEqual(['acted', 'duplicate', 'refused']);
  });

  it('may be refused when they come again', async () => {
    await start({ onDuplicate: 'refuse' });
    const device = await app.device().enrolled();
    const jwt = aSet({ claims: suspending(device.id) });
    expectTaken(await push(jwt));
    expectRefused(await push(jwt), 'invalid_request');
  });

  it('of other types are acknowledged and ignored', async () => {
    await start();
    expectTaken(await push(aSet({ claims: { iat: now(), events: { 'urn:example:verification': {} } } })));
    expect(app.storeCalls).toEqual([]);
  });

  it('come as the one media type, not encoded', async () => {
    await start();
    const jwt = aSet({ claims: { iat: now() } });
    for (const type of ['application/jwt', 'application/octet-stream', 'multipart/form-data; boundary=x']) {
      const answer = await push(jwt, typed(['Content-Type', type]));
      expect({ type, status: answer.status }).toEqual({ type, status: 415 });
    }
    expectRefused(await push(jwt, typed(['Content-Type', TYPE], ['Content-Encoding', 'gzip'])), 'invalid_request', 415);
    expectRefused(
      await push(JSON.stringify({ jwt }), typed(['Content-Type', 'application/json'])),
      'invalid_request',
      415,
    );
    expect(app.storeCalls).toEqual([]);
  });

  it('are at most 64 KiB, announced or not', async () => {
    await start();
    for (const framing of ['length', 'chunked'] as const) {
      const answer = await push('x'.repeat(66_000), { framing });
      expectRefused(answer, 'invalid_request', 413);
    }
    expectRefused(await push('x'.repeat(65_536)), 'invalid_request');
  });

  it('that never end are answered once they are too long', async () => {
    await start();
    const head = `POST /tab/events HTTP/1.1\r\nHost: x\r\nContent-Type: ${TYPE}\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
    const octets = await sendOctets(app.port, Buffer.from(head + chunk.repeat(5)));
    expectRefused(parseAnswer(octets), 'invalid_request', 413);
  });

  it('carry the configured Authorization, once', async () => {
    const secret = 'Bearer 0123456789abcdef';
    await start({ authorization: secret });
    const device = await app.device().enrolled();
    const jwt = aSet({ claims: suspending(device.id) });
    const calls = app.storeCalls.length;
    for (const values of [[], ['Bearer 0123456789abcdeF'], ['0123456789abcdef'], [secret, secret]]) {
      const headers = values.map((value): [string, string] => ['Authorization', value]);
      expectRefused(await push(jwt, typed(['Content-Type', TYPE], ...headers)), 'authentication_failed');
    }
    expect(app.storeCalls).toHaveLength(calls);
    expectTaken(await push(jwt, typed(['Content-Type', TYPE], ['Authorization', secret])));
    expect(lines().join()).not.toContain('0123456789');
  });

  it('are asked for again when a store is down, and nothing is lost', async () => {
    await start();
    const device = await app.device().enrolled();
    const jwt = aSet({ claims: suspending(device.id) });
    app.bindings.down = true;
    const answer = await push(jwt);
    expect({ status: answer.status, body: answer.body.toString() }).toEqual({ status: 503, body: '' });
    expect(answer.header('retry-after')).toMatch(/^[1-9]\d*$/);
    expect(answer.header('cache-control')).toBe('no-store');
    app.bindings.down = false;
    app.nonces.down = true;
    expect((await push(jwt)).status).toBe(503);
    app.nonces.down = false;
    expectTaken(await push(jwt));
    expect(await statusOf(device.id)).toBe('suspended');
  });

  it('end a session', async () => {
    await start();
    const device = await app.device().enrolled();
    const session = {
      id: 'a-session-of-22-characters',
      instanceId: device.id,
      subject: 'alice',
      credentialHash: null,
      previousCredentialHash: null,
      previousValidUntil: null,
      createdAt: now(),
      expiresAt: now() + 100,
      endedAt: null,
      endReason: null,
    };
    await app.nest.get(TabRuntime).bindings.bind(session);
    const ended = firstValueFrom(app.nest.get(TabSessions).watch(session.id));
    expectTaken(
      await push(aSet({ claims: { iat: now(), sub_id: opaque(session.id), events: { [SESSION_REVOKED]: {} } } })),
    );
    expect((await app.nest.get(TabSessions).list('alice'))[0]?.endedAt).toBe(now());
    expect(await ended).toMatchObject({ id: session.id });
  });

  it('go out when trust breaks here, and the session watch hears of it', async () => {
    const arrived = withResolvers<string>();
    const server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        arrived.resolve(Buffer.concat(parts).toString());
        response.writeHead(202).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`;
    try {
      const transmit = {
        iss: ISS,
        key: idp.privateKey,
        kid: KID,
        alg: 'ES256' as const,
        receivers: [{ url, audience: AUDIENCE }],
      };
      const policy = { session: 'none', onBreach: 'suspend' } as const;
      app = await startApp(platform, { tab: { policy, signals: { transmit } }, controllers: [OpenController] });
      const device = await app.device().enrolled();
      const broken = await device.send({ claims: { rt: { at: now(), found: ['root'], clear: [], sdk: 'x/1' } } });
      expect([broken.status, broken.header('tab-error')]).toEqual([403, 'insufficient_trust']);
      expect(await statusOf(device.id)).toBe('suspended');
      const claims = JSON.parse(
        Buffer.from((await arrived.promise).split('.')[1] ?? '', 'base64url').toString(),
      ) as object;
      expect(claims).toMatchObject({ iss: ISS, aud: AUDIENCE });
      expect(JSON.stringify(claims)).toContain(device.id);
      expect(JSON.stringify(claims)).toContain('not-compliant');
    } finally {
      server.close();
    }
  });

  it('are taken where the application keeps the octets of every media type', async () => {
    await start({}, { configure: (nest) => platform.name === 'express' && platform.keepOctets(nest, TYPE) });
    const device = await app.device().enrolled();
    expectTaken(await push(aSet({ claims: suspending(device.id) })));
    expectRefused(await push('nonsense'), 'invalid_request');
  });

  it('come from our own transmitter, over the real network', async () => {
    const authorization = 'Bearer 0123456789abcdef';
    await start({ authorization });
    const device = await app.device().enrolled();
    const transmitter = new SignalTransmitter({
      iss: ISS,
      key: idp.privateKey,
      kid: KID,
      alg: 'ES256' as const,
      receivers: [{ url: `${app.origin}/tab/events`, audience: AUDIENCE, authorization }],
      clock: app.clock.read,
    });
    transmitter.emit({ instanceId: device.id, action: 'suspend', threats: ['root'], at: app.clock.read() });
    await transmitter.close();
    expect(transmitter.counts).toMatchObject([{ delivered: 1, failed: 0, dropped: 0, queued: 0 }]);
    expect(await statusOf(device.id)).toBe('suspended');
  });

  it('tell our own transmitter why they are refused', async () => {
    await start();
    const warnings: string[] = [];
    const options = {
      iss: 'https://evil.example',
      key: idp.privateKey,
      kid: KID,
      alg: 'ES256' as const,
      clock: app.clock.read,
    } as const;
    const receivers = [{ url: `${app.origin}/tab/events`, audience: AUDIENCE }];
    const transmitter = new SignalTransmitter({ ...options, receivers }, (message) => warnings.push(message));
    transmitter.emit({ instanceId: 'x', action: 'suspend', threats: [], at: app.clock.read() });
    await transmitter.close();
    expect(warnings).toEqual([expect.stringMatching(/status 400 invalid_issuer$/)]);
  });
});

describe('a receiver that redirects', () => {
  it('leads neither token nor authorization elsewhere', async () => {
    const seen: string[] = [];
    const server = createServer((request, response) => {
      seen.push(request.url ?? '');
      response.writeHead(307, { location: '/elsewhere' }).end();
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const receivers = [{ url: `http://127.0.0.1:${port}/events`, audience: 'a', authorization: 'Bearer x' }];
    const transmitter = new SignalTransmitter({
      iss: ISS,
      key: idp.privateKey,
      kid: KID,
      alg: 'ES256' as const,
      receivers,
    });
    transmitter.emit({ instanceId: 'x', action: 'suspend', threats: [], at: 0 });
    await transmitter.close();
    server.close();
    expect(seen).toEqual(['/events']);
    expect(transmitter.counts).toMatchObject([{ failed: 1 }]);
  });
});
