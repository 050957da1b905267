import { Controller, Get, Post, Body, Header, Version, VersioningType, UseGuards, Injectable, Req, type ExecutionContext } from '@nestjs/common';
import { RequireTrust, SkipTrust, TabGuard, Trust, TabSessions, memoryStores, TabModule, TabInstances, type TrustContext } from 'nestjs-tab';
import { describe, expect, it } from 'vitest';
import { BANK, startApp } from './utils/http/app.js';
import { PLATFORMS } from './utils/http/platforms.js';
import { TabRuntime } from '../lib/tab-runtime.js';
import { TabSweeper } from '../lib/tab.sweeper.js';

@SkipTrust()
@Controller('base')
class BaseController { @Get('x') x() { return { reached: true }; } }

@RequireTrust({ session: 'none' })
@Controller('derived')
class DerivedController extends BaseController { @Get('y') y() { return { reached: true }; } }

@Controller('both')
class BothController { @RequireTrust({session:'none'}) @SkipTrust() @Get('x') x() { return { reached: true }; } }

@Controller('pay')
class PayController {
  @Version('1') @RequireTrust({ session: 'none' }) @Post() one() { return { v: 1 }; }
  @Version('2') @RequireTrust({ session: 'none', challenge: 'single-use' }) @Post() two() { return { v: 2 }; }
}

@Injectable()
class WeakGuard extends TabGuard { protected override requirementOf(c: ExecutionContext) { return { ...super.requirementOf(c), runtime: { deny: [], require: [], maxAge: 300 } } as any; } }

@Controller('mon')
class MonController {
  constructor(private readonly sessions: TabSessions) {}
  @UseGuards(WeakGuard) @RequireTrust({ session: 'none', runtime: { require: ['root'], deny: 'all' } })
  @Get() get(@Trust() t: TrustContext) { return { verified: t.verified }; }
  @RequireTrust({ session: 'none', runtime: { require: ['root'], deny: 'all' } }) @UseGuards(WeakGuard)
  @Get('other') other(@Trust() t: TrustContext) { return { verified: t.verified }; }
}

describe.each(PLATFORMS)('review $name', (platform) => {
  it('A skip inheritance', async () => {
    const app = await startApp(platform, { controllers: [BaseController, DerivedController, BothController], tab: { policy: { session: 'none' } } });
    const d = await app.device().enrolled();
    for (const t of ['/derived/y', '/derived/x', '/both/x']) {
      const a = await d.send({ target: t, tokens: () => [] });
      console.log(platform.name, t, a.status, a.body.toString());
    }
    await app.stop();
  });
  it('C version replay', async () => {
    const app = await startApp(platform, { controllers: [PayController], configure: (n) => n.enableVersioning({ type: VersioningType.HEADER, header: 'x-version' }) });
    const d = await app.device().enrolled();
    const p = d.prepare({ method: 'POST', target: '/pay', body: '{}', headers: [['x-version', '2']] });
    const a = await d.replay(p);
    const again = await d.replay(p);
    const p1 = { ...p, wire: { ...p.wire, headers: p.wire.headers!.map(([n, v]) => [n, n === 'x-version' ? '1' : v] as const) } };
    const b = await d.replay(p1);
    console.log(platform.name, 'C', a.status, a.body.toString(), again.status, '| replay other version', b.status, b.body.toString());
    await app.stop();
  });
  it('D retirement', async () => {
    const app = await startApp(platform, { tab: { apps: [{ ...BANK, minVersion: '3.0.0', suspendOn: ['hooking'] }] } });
    const d = await app.device().enrolled();
    let a = await d.retire(); console.log('D minVersion', a.status, a.body.toString());
    await app.stop();
    const app2 = await startApp(platform, { tab: { apps: [{ ...BANK, suspendOn: ['hooking'] }] } });
    const e = await app2.device().enrolled();
    a = await e.retire({ claims: { rt: { at: e.now, found: ['x-acme-thing'], clear: [], sdk: 'x/1' } } }); console.log('D vendor', a.status, a.header('tab-error'));
    a = await e.retire({ claims: { rt: { at: e.now, found: ['hooking'], clear: [], sdk: 'x/1' } } }); console.log('D suspendOn', a.status, a.header('tab-error'));
    a = await e.retire(); console.log('D then clean', a.status, a.header('tab-error'));
    await app2.stop();
  });
  it('E monitor upgrade', async () => {
    const app = await startApp(platform, { controllers: [MonController], providers: [WeakGuard], tab: { mode: 'monitor' } });
    const d = await app.device().enrolled();
    const rt = { claims: { rt: { at: d.now, found: [], clear: [], sdk: 'x/1' } } };
    for (const t of ['/mon', '/mon/other']) {
      const a = await d.send({ target: t, ...rt, });
      console.log('E', t, a.status, a.body.toString(), 'TAB-Monitor:', a.header('tab-monitor'));
    }
    await app.stop();
  });
  it('F exposeDetail', async () => {
    const app = await startApp(platform, { controllers: [PayController], tab: { exposeDetail: true, apps: [{ ...BANK, probes: ['emulator'] }] } });
    const d = await app.device().enrolled();
    const a = await d.send({ method: 'POST', target: '/pay', headers: [] });
    console.log('F', a.status, a.body.toString());
    await app.stop();
  });
  it('B unknown options', async () => {
    const app = await startApp(platform, { tab: { polciy: { assurance: 'tee' }, apps: [{ ...BANK, suspendon: ['root'], minversion: '9.0.0' } as any], credental: () => undefined } as any });
    console.log('B started');
    await app.stop();
  });
  it('J discovery with bodyParser false and prefix', async () => {
    const { NestFactory } = await import('@nestjs/core');
    const nest = await NestFactory.create(TabModule.forRoot({ origins: 'https://a.example', apps: [BANK], stores: memoryStores(), secrets: 'random' }) as any, platform.adapter(false), { logger: false, bodyParser: false });
    nest.setGlobalPrefix('api', { exclude: ['.well-known/tab-configuration'] });
    await nest.listen(0, '127.0.0.1');
    const url = await nest.getUrl();
    console.log('J', await (await fetch(url + '/.well-known/tab-configuration')).text(), (await fetch(url + '/tab/challenge', { method: 'POST' })).status, (await fetch(url + '/api/tab/challenge', { method: 'POST' })).status);
    await nest.close();
  });
});

it('H sweeper hang', async () => {
  const never = new Promise<number>(() => undefined);
  const rt = { nonces: { sweep: () => never }, bindings: { sweep: () => never }, clock: Date.now, sweepInterval: 0 } as unknown as TabRuntime;
  const s = new TabSweeper(rt);
  void s.sweep();
  const r = await Promise.race([s.onModuleDestroy().then(() => 'closed'), new Promise((r) => setTimeout(() => r('HANGS'), 1500))]);
  console.log('H', r);
});
