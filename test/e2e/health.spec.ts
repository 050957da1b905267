import { Controller, Get, Module, ServiceUnavailableException } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { SkipTrust, TabGuard, TabHealth } from 'nestjs-tab';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { TabHealthIndicator } from '../../lib/health/terminus/index.js';
import { startApp, toldBy, type TestApp } from '../utils/http/app.js';
import { PLATFORMS } from '../utils/http/platforms.js';
import { exchange, type Answer } from '../utils/http/wire.js';
import { OpenController } from './controllers.js';

@SkipTrust()
@Controller('plain')
class PlainController {
  constructor(private readonly health: TabHealth) {}

  @Get()
  async read(): Promise<object> {
    const report = await this.health.check();
    if (report.status === 'down') throw new ServiceUnavailableException(report);
    return report;
  }
}

@SkipTrust()
@Controller('health')
class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly tab: TabHealthIndicator,
  ) {}

  @Get()
  @HealthCheck()
  read(): Promise<object> {
    return this.health.check([() => this.tab.check(), () => this.tab.check('again')]);
  }
}

@Module({
  imports: [TerminusModule.forRoot({ logger: false })],
  controllers: [HealthController],
  providers: [TabHealthIndicator],
})
class HealthModule {}

describe.each(PLATFORMS)('health on $name', (platform) => {
  let app: TestApp;
  let offset = 0;
  const now = performance.now.bind(performance);

  beforeAll(async () => {
    const providers = [{ provide: APP_GUARD, useExisting: TabGuard }];
    app = await startApp(platform, {
      controllers: [PlainController, OpenController],
      providers,
      imports: [HealthModule],
      tab: { health: { timeout: 5_000 } },
    });
  });
  afterAll(() => app.stop());
  beforeEach(() => {
    // What was found before is too old now.
    offset += 10_000;
    vi.spyOn(performance, 'now').mockImplementation(() => now() + offset);
    app.nonces.down = false;
    app.bindings.down = false;
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  const ask = (target: string): Promise<Answer> =>
    exchange(app.port, { method: 'GET', target, headers: [['Host', `127.0.0.1:${app.port}`]] });
  const up = { status: 'up', nonces: 'up', bindings: 'up', detail: 'the stores answer' };

  it('says 200 while the stores work', async () => {
    const [plain, terminus] = [await ask('/plain'), await ask('/health')];
    expect([plain.status, terminus.status]).toEqual([200, 200]);
    expect(plain.json()).toEqual(up);
    expect(terminus.json()).toMatchObject({ status: 'ok', details: { tab: up, again: up } });
  });

  it.each([
    ['nonces', { nonces: 'down', bindings: 'up' }],
    ['bindings', { nonces: 'up', bindings: 'down' }],
  ] as const)('says 503 while the store of %s is down, and 200 again after it', async (store, expected) => {
    app[store].down = true;
    const [plain, terminus] = [await ask('/plain'), await ask('/health')];
    expect([plain.status, terminus.status]).toEqual([503, 503]);
    const report = { status: 'down', ...expected, detail: `unavailable: ${store}` };
    expect(plain.json()).toMatchObject(report);
    expect(terminus.json()).toMatchObject({ status: 'error', error: { tab: report, again: report } });
    expect(plain.body.toString() + terminus.body.toString() + toldBy(app)).not.toContain('secret-host');
    expect(app.logs.lines.join('\n')).toMatch(new RegExp(`${store}: down`));
    app[store].down = false;
    offset += 1_000;
    expect([(await ask('/plain')).status, (await ask('/health')).status]).toEqual([200, 200]);
  });

  it('asks the stores once, however many ask for health', async () => {
    const before = app.storeCalls.length;
    const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => ask(i % 2 === 0 ? '/plain' : '/health')));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(app.storeCalls.slice(before).sort()).toEqual(['claim', 'load']);
  });
});
