import { Controller, Get } from '@nestjs/common';
import { RequireTrust } from 'nestjs-tab';
import { typeOrmStores } from 'nestjs-tab/typeorm';
import type { DataSource } from 'typeorm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { connectTo, engine, type Engine, type TestDatabase } from '../contract/engines.js';
import { TabRuntime } from '../../lib/tab-runtime.js';
import { FaultyProxy } from '../utils/faulty-proxy.js';
import { startApp, type TestApp } from '../utils/http/app.js';
import type { Device } from '../utils/http/client.js';
import { expectAccepted, expectRefusal } from '../utils/http/expectations.js';
import { PLATFORMS, type Platform } from '../utils/http/platforms.js';
import { describeService, serviceAddress } from '../utils/services.js';

/** How often the guarded handler ran. */
let handled = 0;

@RequireTrust({ session: 'none' })
@Controller('counted')
class CountedController {
  @Get()
  read(): object {
    handled += 1;
    return { handled };
  }
}

/** In every statement that makes a claim, and in none that reads instances. */
const CLAIM = 'tab_used_nonce';
const TARGET = { target: '/counted' };

for (const name of ['PostgreSQL', 'MariaDB']) {
  const one = engine(name);
  if (one.service === undefined) continue;
  await describeService(one.service, `a service whose ${name} fails`, () => {
    describe.each(PLATFORMS)('on $name', (platform) => suite(one, platform));
  });
}

function suite(one: Engine, platform: Platform): void {
  let database: TestDatabase;
  let direct: DataSource;
  let dataSource: DataSource;
  let proxy: FaultyProxy;
  let app: TestApp;
  let device: Device;

  beforeAll(async () => {
    database = await one.create();
    direct = await connectTo(database);
    proxy = new FaultyProxy(serviceAddress(one.service ?? 'postgres'));
    dataSource = await connectTo(database, (await proxy.listen()) as object, false);
    app = await startApp(platform, {
      controllers: [CountedController],
      tab: {
        stores: typeOrmStores({ dataSource }),
        clock: Date.now,
        storeTimeout: 2_000,
        limits: { enrolmentsPerMinute: 100_000 },
      },
    });
    device = await app.device({ clock: Date.now }).enrolled();
  });
  afterAll(async () => {
    await app.stop();
    proxy.refuse();
    await dataSource.destroy();
    await proxy.close();
    await direct.destroy();
    await database.drop();
  });
  beforeEach(async () => {
    handled = 0;
    expectAccepted(await device.send(TARGET));
  });
  afterEach(() => proxy.heal());

  const rows = async (): Promise<number> => {
    const [row]: { n: unknown }[] = await direct.query(`SELECT COUNT(*) AS n FROM ${CLAIM}`);
    return Number(row?.n);
  };

  it('before the claim is made: 503 with Retry-After, and the same token may come once more', async () => {
    const prepared = device.prepare(TARGET);
    void proxy.inject('cut', CLAIM);
    expectRefusal(await device.replay(prepared), 'store_unavailable');
    expect(handled).toBe(1);
    proxy.heal();
    const again = [await device.replay(prepared), await device.replay(prepared)];
    expect(again.map((answer) => answer.header('tab-error') ?? answer.status)).toEqual([200, 'replayed_token']);
    expect(handled).toBe(2);
  });

  it('after the claim was made: 503 with Retry-After, and the token is spent', async () => {
    const prepared = device.prepare(TARGET);
    const before = await rows();
    void proxy.inject('swallow answers', CLAIM);
    const answer = device.replay(prepared);
    await vi.waitFor(async () => expect(await rows()).toBe(before + 1), { timeout: 10_000 });
    proxy.heal();
    proxy.cut();
    expectRefusal(await answer, 'store_unavailable');
    expectRefusal(await device.replay(prepared), 'replayed_token');
    expect(handled).toBe(1);
    expectAccepted(await device.send(TARGET));
  });

  it('gone altogether: 503 for enrolments and requests, until it is back', async () => {
    proxy.refuse();
    for (let i = 0; i < 5; i++) expectRefusal(await device.send(TARGET), 'store_unavailable');
    expectRefusal(await app.device({ clock: Date.now }).enrol(), 'store_unavailable');
    expect(handled).toBe(1);
    proxy.heal();
    expectAccepted(await device.send(TARGET));
    await app.device({ clock: Date.now }).enrolled();
  });

  it('hangs while 2,000 requests come: all are answered 503, no handler runs, and nothing waits afterwards', async () => {
    const { nonces, bindings } = app.nest.get(TabRuntime, { strict: false });
    const open = (): number[] => [nonces, bindings].map((store) => (store as unknown as Counted).calls.open);
    const prepared = Array.from({ length: 2_000 }, () => device.prepare(TARGET));
    void proxy.inject('swallow requests');
    const answers = await Promise.all(prepared.map((each) => device.replay(each)));
    for (const answer of answers) expectRefusal(answer, 'store_unavailable');
    expect(handled).toBe(1);
    // Each left its claim or its look-up behind, in a queue that is bounded.
    for (const count of open()) expect(count).toBeLessThanOrEqual(10_000);
    proxy.heal();
    proxy.cut();
    await vi.waitFor(() => expect(open()).toEqual([0, 0]), { timeout: 20_000 });
    // The claims that were waiting have been made by now, for nobody: each of these tokens is spent, or free once.
    const again = await Promise.all(
      prepared.slice(0, 200).flatMap((each) => [device.replay(each), device.replay(each)]),
    );
    for (const answer of again) expect([200, 401]).toContain(answer.status);
    for (let i = 0; i < again.length; i += 2) {
      const pair = again.slice(i, i + 2).filter(({ status }) => status === 200);
      expect(pair.length).toBeLessThanOrEqual(1);
    }
    expect(handled).toBe(1 + again.filter(({ status }) => status === 200).length);
    expectAccepted(await device.send(TARGET));
  });
}

/** A store as the module uses it, with what counts its calls. */
interface Counted {
  readonly calls: { readonly open: number };
}
