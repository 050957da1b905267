import { Controller, Get, Injectable, UseGuards, type ExecutionContext } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { RequireTrust, SkipTrust, TabGuard, Trust, type TrustContext, type TrustRequirement } from 'nestjs-tab';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BANK, startApp, writesOf, type TestApp } from '../utils/http/app.js';
import type { Call, Device } from '../utils/http/client.js';
import { expectAccepted, expectRefusal } from '../utils/http/expectations.js';
import { PLATFORMS } from '../utils/http/platforms.js';
import { exchange } from '../utils/http/wire.js';

@Controller('mixed')
class MixedController {
  @RequireTrust({ session: 'none' })
  @Get('guarded')
  guarded(@Trust() trust: TrustContext): object {
    return { trust };
  }

  @Get('plain')
  plain(@Trust() trust: TrustContext | undefined): object {
    return { trust: trust ?? null };
  }
}

@RequireTrust('fresh', { session: 'none' })
@Controller('merged')
class MergedController {
  @Get('class')
  byClass(): object {
    return {};
  }

  @RequireTrust({ runtime: { require: ['hooking'] } })
  @Get('added')
  added(): object {
    return {};
  }

  @RequireTrust({ runtime: { maxAge: 200 } })
  @Get('relaxed')
  relaxed(): object {
    return {};
  }

  @RequireTrust('recentVersion', { runtime: { deny: ['root'], flag: ['vpn'] } })
  @Get('named')
  named(@Trust() trust: TrustContext): object {
    return { flags: trust.verified && trust.flags };
  }
}

/** `rt` of evidence measured some seconds ago. */
function aged(device: Device, seconds: number, members: object = {}): Call {
  return { claims: { rt: { at: device.now - seconds, found: [], clear: [], sdk: 'x/1', ...members } } };
}

describe.each(PLATFORMS)('@RequireTrust() on $name', (platform) => {
  let app: TestApp;
  let device: Device;

  beforeAll(async () => {
    app = await startApp(platform, {
      controllers: [MixedController, MergedController],
      tab: {
        apps: [{ ...BANK, probes: ['root'] }],
        policy: { runtime: { require: [] } },
        policies: { fresh: { runtime: { maxAge: 60 } }, recentVersion: { minVersion: '2.1.0' } },
      },
    });
    device = await app.device().enrolled();
  });
  afterAll(() => app.stop());

  const get = (name: string, call: Call = {}) => device.send({ target: `/merged/${name}`, ...call });

  it('guards the route that it stands on and no other', async () => {
    expectRefusal(await device.send({ target: '/mixed/guarded', tokens: () => [] }), 'missing_token');
    const plain = await device.send({ target: '/mixed/plain', tokens: () => [] });
    expect(plain.status).toBe(200);
    expect(plain.json()).toEqual({ trust: null });
    expect(plain.header('cache-control')).toBeUndefined();
  });

  it('gives the handler what was proven', async () => {
    const answer = await device.send({ target: '/mixed/guarded' });
    expectAccepted(answer);
    expect(answer.json()['trust']).toEqual({
      verified: true,
      decision: app.decisions.at(-1)?.id,
      instance: {
        id: device.id,
        appId: BANK.id,
        appVersion: '2.1.0',
        platform: 'android',
        assurance: 'none',
        format: 'none',
      },
      proof: 'signature',
      evidence: { at: device.now, found: [], clear: ['root', 'hooking'], sdk: 'independent/1.0.0' },
      flags: [],
    });
  });

  it('on a class holds for its methods', async () => {
    expectAccepted(await get('class', aged(device, 60)));
    expectRefusal(await get('class', aged(device, 61)), 'insufficient_trust');
  });

  it('on a method adds to that of the class, member by member', async () => {
    expectAccepted(await get('added', aged(device, 60, { clear: ['hooking'] })));
    expectRefusal(await get('added', aged(device, 60, { clear: ['root'] })), 'insufficient_trust');
    expectRefusal(await get('added', aged(device, 61, { clear: ['hooking'] })), 'insufficient_trust');
  });

  it('on a method wins over that of the class', async () => {
    expectAccepted(await get('relaxed', aged(device, 200)));
    expectRefusal(await get('relaxed', aged(device, 201)), 'insufficient_trust');
  });

  it('takes a named policy and members over it', async () => {
    const rooted = await get('named', aged(device, 0, { found: ['vpn'] }));
    expectAccepted(rooted);
    expect(rooted.json()).toEqual({ flags: ['vpn'] });
    expectRefusal(await get('named', aged(device, 0, { found: ['root'] })), 'insufficient_trust');
    expectRefusal(await get('named', aged(device, 0, { found: ['x-vendor-unheard'] })), 'insufficient_trust');
    const old = { app: { id: BANK.id, ver: '2.0.9' } };
    expectRefusal(await get('named', { claims: old }), 'insufficient_trust');
    expectAccepted(await get('class', { claims: old }));
  });

  it('verifies once and claims once where class and method both have it', async () => {
    const before = writesOf(app).length;
    const decided = app.decisions.length;
    expectAccepted(await get('added'));
    expect(writesOf(app).slice(before)).toEqual(['claim']);
    expect(app.decisions.length - decided).toBe(1);
  });
});

@SkipTrust()
@Controller('skipped')
class SkippedController {
  @Get()
  read(): object {
    return { handler: 'skipped' };
  }

  @RequireTrust({ session: 'none' })
  @Get('guarded')
  guarded(): object {
    return { handler: 'guarded' };
  }
}

@Controller('everywhere')
class EverywhereController {
  @Get()
  read(): object {
    return { handler: 'read' };
  }

  @SkipTrust()
  @Get('health')
  health(@Trust() trust: TrustContext | undefined): object {
    return { trusted: trust !== undefined };
  }

  @RequireTrust({ session: 'none' })
  @Get('twice')
  twice(): object {
    return { handler: 'twice' };
  }
}

describe.each(PLATFORMS)('APP_GUARD on $name', (platform) => {
  describe.each([
    ['useExisting', { provide: APP_GUARD, useExisting: TabGuard }],
    ['useClass', { provide: APP_GUARD, useClass: TabGuard }],
  ])('with %s', (_title, provider) => {
    let app: TestApp;
    let device: Device;

    beforeAll(async () => {
      app = await startApp(platform, {
        controllers: [EverywhereController, SkippedController],
        providers: [provider],
        tab: { policy: { session: 'none' } },
      });
      device = await app.device().enrolled();
    });
    afterAll(() => app.stop());

    it.each(['/everywhere', '/everywhere/twice', '/skipped/guarded'])('guards %s', async (target) => {
      expectRefusal(await device.send({ target, tokens: () => [] }), 'missing_token');
      expectAccepted(await device.send({ target }));
    });

    it.each(['/everywhere/health', '/skipped', '/.well-known/tab-configuration'])('leaves %s out', async (target) => {
      const answer = await device.send({ target, tokens: () => [] });
      expect(answer.status).toBe(200);
    });

    it('and @RequireTrust() share one verification and one claim', async () => {
      const [writes, decided, loads] = [writesOf(app).length, app.decisions.length, app.bindings.calls.length];
      expectAccepted(await device.send({ target: '/everywhere/twice' }));
      expect(writesOf(app).slice(writes)).toEqual(['claim']);
      expect(app.bindings.calls.slice(loads)).toEqual(['load']);
      expect(app.decisions.length - decided).toBe(1);
    });

    it('leaves what no route answers to the router', async () => {
      expect((await device.send({ target: '/nowhere', tokens: () => [] })).status).toBe(404);
    });
  });
});

@Injectable()
class PartnerGuard extends TabGuard {
  protected override isSkipped(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string> }>();
    return headers['x-partner'] === 'yes' || super.isSkipped(context);
  }

  protected override requirementOf(context: ExecutionContext): TrustRequirement {
    return { ...super.requirementOf(context), session: 'none' };
  }
}

@UseGuards(PartnerGuard)
@Controller('partner')
class PartnerController {
  @Get()
  read(): object {
    return { handler: 'partner' };
  }
}

describe.each(PLATFORMS)('a derived guard on $name', (platform) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp(platform, { controllers: [PartnerController], providers: [PartnerGuard] });
  });
  afterAll(() => app.stop());

  it('changes the steps that it overrides and keeps the others', async () => {
    const device = await app.device().enrolled();
    expectAccepted(await device.send({ target: '/partner' }));
    expectRefusal(await device.send({ target: '/partner', tokens: () => [] }), 'missing_token');
    const partner = {
      method: 'GET',
      target: '/partner',
      headers: [
        ['Host', 'x'],
        ['X-Partner', 'yes'],
      ] as const,
    };
    expect((await exchange(app.port, partner)).status).toBe(200);
  });
});
