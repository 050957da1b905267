import 'reflect-metadata';
import { createServer } from 'node:net';
import { Body, Controller, Delete, Get, HttpCode, Post, type INestApplication, type Type } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { afterEach, describe, expect, it } from 'vitest';
import {
  memoryStores,
  RequireTrust,
  TabDecisions,
  TabInstances,
  TabModule,
  TabSessions,
  Trust,
  type TabOptions,
  type TrustContext,
  type TrustDecision,
} from 'nestjs-tab';
import { clientAttestation } from 'nestjs-tab/attestation';
import type { Defender } from 'nestjs-tab/defender';
import { createAttestationIssuer, createTestDefender, fakeClock, type TestDefenderOptions } from 'nestjs-tab/testing';

const APP = 'com.example.app';
const PROBES = ['debugger', 'hooking'] as const;
const CREDENTIAL = 'issued-access-token';

@RequireTrust()
@Controller('bank')
class BankController {
  constructor(private readonly sessions: TabSessions) {}

  @Post('login')
  @HttpCode(200)
  @RequireTrust({ session: 'none' })
  async login(@Trust() trust: TrustContext) {
    await this.sessions.bind(trust, { subject: 'alice', credential: CREDENTIAL });
    return { accessToken: CREDENTIAL };
  }

  @Get('accounts')
  accounts(@Trust() trust: TrustContext) {
    return { subject: trust.verified ? trust.subject : null };
  }

  @Post('transfers')
  @RequireTrust({ challenge: 'single-use' })
  transfer(@Body() body: unknown) {
    return body;
  }

  @Delete('session')
  @HttpCode(204)
  async logout(@Trust() trust: TrustContext) {
    await this.sessions.end(trust, 'signed out');
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const PLATFORMS: [string, () => object][] = [
  ['Express', () => new ExpressAdapter()],
  ['Fastify', () => new FastifyAdapter()],
];

describe.each(PLATFORMS)('Defender against TabModule on %s', (_name, adapter) => {
  const running: INestApplication[] = [];
  const clock = fakeClock();

  async function start(options: Partial<TabOptions> = {}) {
    const port = await freePort();
    const api = `http://127.0.0.1:${port}`;
    const module = await Test.createTestingModule({
      imports: [
        TabModule.forRoot({
          origins: api,
          apps: [{ id: APP, platform: 'node', probes: PROBES, suspendOn: ['tamper'], allowUnattested: true }],
          stores: memoryStores({ clock: clock.now }),
          secrets: 'random',
          clock: clock.now,
          ...options,
        }),
      ],
      controllers: [BankController],
    }).compile();
    const app = module.createNestApplication(adapter() as never, { rawBody: true, logger: false });
    running.push(app);
    const decisions: TrustDecision[] = [];
    app.get(TabDecisions).stream.subscribe((decision) => decisions.push(decision));
    await app.listen(port, '127.0.0.1');
    const client = (over: Partial<TestDefenderOptions> = {}) =>
      createTestDefender({ api, app: { id: APP }, clear: PROBES, clock: clock.now, ...over });
    return { api, client, decisions, get: <T>(token: Type<T>) => app.get<T>(token) };
  }

  const bearer = { authorization: `Bearer ${CREDENTIAL}` };
  const login = (defender: Defender, api: string) =>
    defender.fetch(`${api}/bank/login`, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json' },
    });
  const transfer = (defender: Defender, api: string, body = '{"amount":1}') =>
    defender.fetch(`${api}/bank/transfers`, {
      method: 'POST',
      body,
      headers: { ...bearer, 'content-type': 'application/json' },
    });

  afterEach(async () => {
    await Promise.all(running.splice(0).map((app) => app.close()));
  });

  it('enrols, signs in, reads and transfers', async () => {
    const { api, client } = await start();
    const defender = client();
    expect((await login(defender, api)).status).toBe(200);
    expect(defender.session?.id).toMatch(/^[\w-]{22,64}$/);
    const accounts = await defender.fetch(`${api}/bank/accounts?sort=desc&q=%C3%A9`, { headers: bearer });
    expect([accounts.status, await accounts.json()]).toEqual([200, { subject: 'alice' }]);
    expect(accounts.headers.get('cache-control')).toBe('private, no-store');
    const sent = await transfer(defender, api);
    expect([sent.status, await sent.json()]).toEqual([201, { amount: 1 }]);
  });

  it('gets many single-use requests through, one after the other and at once', async () => {
    const { api, client, decisions } = await start();
    const defender = client();
    await login(defender, api);
    for (let i = 0; i < 5; i += 1) expect((await transfer(defender, api, `{"amount":${i}}`)).status).toBe(201);
    const at = decisions.length;
    const together = await Promise.all(Array.from({ length: 4 }, () => transfer(defender, api)));
    // One challenge is good for one of them; the others are given one each, and none is sent a third time.
    expect(together.map(({ status }) => status)).toEqual([201, 201, 201, 201]);
    expect(decisions.length - at).toBeLessThanOrEqual(8);
  });

  it('repairs a clock that is an hour off', async () => {
    const { api, client, decisions } = await start();
    const defender = client({ clock: () => clock.now() + 3_600_000 });
    expect((await login(defender, api)).status).toBe(200);
    // Only the enrolment, which is recorded elsewhere, or the first request needs repair: nothing is stale any more.
    expect((await defender.fetch(`${api}/bank/accounts`, { headers: bearer })).status).toBe(200);
    expect(decisions.at(-1)?.outcome).toBe('accepted');
  });

  it('is refused when a threat is found, and suspended when the app says so', async () => {
    const { api, client, get } = await start();
    const defender = client({ found: ['tamper'] });
    const refused = await login(defender, api);
    expect([refused.status, refused.headers.get('tab-error')]).toEqual([403, 'insufficient_trust']);
    expect((await get(TabInstances).get(defender.instanceId as string))?.status).toBe('suspended');
    const again = await login(defender, api);
    expect([again.status, again.headers.get('tab-error')]).toEqual([403, 'instance_suspended']);
  });

  it('in monitor mode gets through what would be refused, but starts no session', async () => {
    const { api, client } = await start({ mode: 'monitor' });
    const defender = client({ clear: ['debugger'] });
    const accounts = await defender.fetch(`${api}/bank/accounts`, { headers: bearer });
    expect([accounts.status, accounts.headers.get('tab-monitor'), await accounts.json()]).toEqual([
      200,
      'invalid_session',
      { subject: null },
    ]);
    const refused = await login(defender, api);
    expect([refused.status, refused.headers.get('tab-error')]).toEqual([403, 'insufficient_trust']);
    expect(defender.session).toBeUndefined();
  });

  it('forgets the session when it ends, and loses access', async () => {
    const { api, client } = await start();
    const defender = client();
    await login(defender, api);
    expect((await defender.fetch(`${api}/bank/session`, { method: 'DELETE', headers: bearer })).status).toBe(204);
    expect(defender.session).toBeUndefined();
    const after = await defender.fetch(`${api}/bank/accounts`, { headers: bearer });
    expect([after.status, after.headers.get('tab-error')]).toEqual([401, 'invalid_session']);
  });

  it('retires itself', async () => {
    const { api, client } = await start();
    const defender = client();
    await login(defender, api);
    const id = defender.instanceId as string;
    await defender.retire();
    const fresh = client();
    expect((await login(fresh, api)).status).not.toBe(403);
    expect(fresh.instanceId).not.toBe(id);
  });

  it('attests itself where the app asks for it', async () => {
    const issuer = createAttestationIssuer({ clock: () => Math.floor(clock.now() / 1000) });
    const attestation = [clientAttestation({ issuers: [{ jwks: issuer.jwks, assurance: 'tee' }] })];
    const { api, client, get } = await start({
      apps: [{ id: APP, platform: 'node', probes: PROBES, attestation }],
      policy: { assurance: 'tee' },
    });
    const unattested = client();
    await expect(login(unattested, api)).rejects.toMatchObject({ code: 'enrolment_refused' });
    const defender = client({
      attester: {
        format: 'client-attestation',
        attest: async ({ publicKey }) => ({ jwt: await issuer.issue({ sub: APP, publicKey }) }),
      },
    });
    expect((await login(defender, api)).status).toBe(200);
    expect((await get(TabInstances).get(defender.instanceId as string))?.assurance).toBe('tee');
  });
});
