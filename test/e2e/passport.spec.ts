import { Controller, Get, Injectable, Req, UseGuards } from '@nestjs/common';
import { AuthGuard, PassportModule, PassportStrategy } from '@nestjs/passport';
import { RequireTrust, Trust, type TrustContext } from 'nestjs-tab';
import { TabStrategy, type TabPassportUser } from 'nestjs-tab/passport';
import { Strategy } from 'passport-custom';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApp, writesOf, type TestApp } from '../utils/http/app.js';
import type { Call, Device } from '../utils/http/client.js';
import { expectAccepted, expectRefusal } from '../utils/http/expectations.js';
import { PLATFORMS } from '../utils/http/platforms.js';

/** Stands for a JWT strategy: who has the header is the user that it names. */
@Injectable()
class StubStrategy extends PassportStrategy(Strategy, 'jwt-stub') {
  validate(request: { headers: Record<string, string | undefined> }): object | null {
    const name = request.headers['x-user'];
    return name === undefined ? null : { name };
  }
}

interface WithUser {
  readonly user?: { name?: string } & Partial<TabPassportUser>;
}

@Controller('passport')
class PassportController {
  @UseGuards(AuthGuard('tab'))
  @Get('alone')
  alone(@Req() { user }: WithUser, @Trust() trust: TrustContext): object {
    return { subject: user?.subject ?? null, same: user?.trust === trust, verified: trust.verified };
  }

  @UseGuards(AuthGuard('jwt-stub'), AuthGuard('tab'))
  @Get('both')
  both(@Req() { user }: WithUser, @Trust() trust: TrustContext): object {
    return { user, verified: trust.verified };
  }

  @UseGuards(AuthGuard(['jwt-stub', 'tab']))
  @Get('either')
  either(@Req() { user }: WithUser, @Trust() trust: TrustContext | undefined): object {
    return { name: user?.name ?? null, verified: trust?.verified ?? null };
  }

  @UseGuards(AuthGuard(['tab', 'jwt-stub']))
  @Get('tab-first')
  tabFirst(@Trust() trust: TrustContext): object {
    return { verified: trust.verified };
  }

  @RequireTrust()
  @UseGuards(AuthGuard('tab'))
  @Get('guarded')
  guarded(@Trust() trust: TrustContext): object {
    return { verified: trust.verified };
  }
}

const USER = [['X-User', 'anna']] as const;

function start(platform: (typeof PLATFORMS)[number], mode: 'enforce' | 'monitor'): Promise<TestApp> {
  return startApp(platform, {
    controllers: [PassportController],
    imports: [PassportModule],
    providers: [StubStrategy, TabStrategy],
    tab: { mode, policy: { session: 'none' } },
  });
}

describe.each(PLATFORMS)('Passport on $name', (platform) => {
  let app: TestApp;
  let device: Device;

  beforeAll(async () => {
    app = await start(platform, 'enforce');
    device = await app.device().enrolled();
  });
  afterAll(() => app.stop());

  const get = (name: string, call: Call = {}) => device.send({ target: `/passport/${name}`, ...call });

  it('lets a good token through and makes it the user', async () => {
    const answer = await get('alone');
    expectAccepted(answer);
    expect(answer.json()).toEqual({ subject: null, same: true, verified: true });
  });

  it.each([
    ['missing_token', { tokens: () => [] }],
    ['malformed_token', { tokens: () => ['x'] }],
    ['stale_token', { claims: { iat: 1, rt: { at: 1, found: [], clear: [], sdk: 'x' } } }],
    ['request_mismatch', { claims: { htm: 'PUT' } }],
    ['use_tab_nonce', { claims: { nonce: undefined } }],
    ['insufficient_trust', { claims: { rt: { at: 0, found: [], clear: [], sdk: 'x' } } }],
  ] as const)('refuses with headers and problem document: %s', async (code, call) => {
    expectRefusal(await get('alone', call), code);
    expectRefusal(await get('both', { headers: USER, ...call }), code);
  });

  it('refuses a replay, and a store that is down with 503', async () => {
    const prepared = device.prepare({ target: '/passport/alone' });
    expectAccepted(await device.replay(prepared));
    expectRefusal(await device.replay(prepared), 'replayed_token');
    app.nonces.down = true;
    expectRefusal(await get('alone'), 'store_unavailable');
    app.nonces.down = false;
  });

  it('keeps the user of the strategy before', async () => {
    const answer = await get('both', { headers: USER });
    expectAccepted(answer);
    expect(answer.json()).toEqual({ user: { name: 'anna' }, verified: true });
  });

  it('asks for both strategies where two guards do', async () => {
    const anonymous = await get('both');
    expect(anonymous.status).toBe(401);
    expect(anonymous.header('tab-error')).toBeUndefined();
    expectRefusal(await get('both', { headers: USER, tokens: () => [] }), 'missing_token');
  });

  it('asks for either strategy where one guard names two, which is what Passport means by a list', async () => {
    const byUser = await get('either', { headers: USER, tokens: () => [] });
    expect(byUser.status).toBe(200);
    expect(byUser.json()).toEqual({ name: 'anna', verified: null });
    const byToken = await get('either');
    expectAccepted(byToken);
    expect(byToken.json()).toEqual({ name: null, verified: true });
    expectRefusal(await get('either', { tokens: () => [] }), 'missing_token');
  });

  it('refuses at once where tab is the first of a list', async () => {
    expectAccepted(await get('tab-first'));
    expectRefusal(await get('tab-first', { headers: USER, tokens: () => [] }), 'missing_token');
  });

  it('shares one verification and one claim with @RequireTrust()', async () => {
    const [writes, decided] = [writesOf(app).length, app.decisions.length];
    expectAccepted(await get('guarded'));
    expect(writesOf(app).slice(writes)).toEqual(['claim']);
    expect(app.decisions.length - decided).toBeGreaterThan(0);
  });
});

describe.each(PLATFORMS)('Passport in monitor mode on $name', (platform) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await start(platform, 'monitor');
  });
  afterAll(() => app.stop());

  it('lets through what would be refused, marked, vouching for nothing', async () => {
    const device = await app.device().enrolled();
    const alone = await device.send({ target: '/passport/alone', tokens: () => [] });
    expect(alone.status).toBe(200);
    expect(alone.header('tab-monitor')).toBe('missing_token');
    expect(alone.json()).toEqual({ subject: null, same: true, verified: false });
    const both = await device.send({ target: '/passport/both', headers: USER, tokens: () => [] });
    expect(both.json()).toEqual({ user: { name: 'anna' }, verified: false });
  });
});
