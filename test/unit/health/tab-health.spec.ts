import { beforeEach, describe, expect, it } from 'vitest';
import { TabError } from '../../../lib/errors/tab-error.js';
import { TabHealth } from '../../../lib/health/tab-health.js';
import type { Bindings } from '../../../lib/bindings/binding.types.js';
import { memoryStores } from '../../../lib/stores/memory/index.js';
import { anInstanceOf, aKey, NOW, TestClock } from '../../utils/core/index.js';

const never = () => new Promise<never>(() => undefined);
const SECRET = 'connection to secret-host as admin:hunter2 refused';

describe('TabHealth', () => {
  let elapsed: number;
  let told: string[];
  let claims: [key: string, expiresAt: number][];
  let loads: string[];
  let claim: () => Promise<unknown>;
  let load: () => Promise<Bindings>;
  let timeout: number;

  beforeEach(() => {
    [elapsed, told, claims, loads, timeout] = [0, [], [], [], 10_000];
    claim = () => Promise.resolve(true);
    load = () => Promise.resolve({} as Bindings);
  });

  function aHealth(): TabHealth {
    const { nonces, bindings } = memoryStores();
    nonces.claim = ((key: string, expiresAt: number) => (claims.push([key, expiresAt]), claim())) as never;
    bindings.load = ({ instanceId }) => (loads.push(instanceId), load());
    const settings = { nonces, bindings, clock: new TestClock().read, healthTimeout: timeout };
    return new TabHealth(
      settings,
      (message) => told.push(message),
      () => elapsed,
    );
  }

  const UP = { status: 'up', nonces: 'up', bindings: 'up', detail: 'the stores answer' };

  it('claims a random key for the life of a token, and looks up a random instance', async () => {
    const health = aHealth();
    expect(await health.check()).toEqual(UP);
    elapsed = 1_000;
    await health.check();
    expect(new Set(claims.map(([key]) => key)).size).toBe(2);
    for (const [key, expiresAt] of claims)
      expect([key, expiresAt]).toEqual([expect.stringMatching(/^[\w-]{22}$/), NOW + 180]);
    expect(new Set(loads).size).toBe(2);
    for (const id of loads) expect(id).toMatch(/^[\w-]{43}$/);
  });

  it('is up on real stores', async () => {
    const health = new TabHealth({ ...memoryStores(), clock: Date.now, healthTimeout: 2_000 });
    expect(await health.check()).toEqual(UP);
  });

  it.each([
    ['rejects', () => Promise.reject(new Error(SECRET))],
    [
      'throws',
      () => {
        throw new Error(SECRET);
      },
    ],
    ['says that a new key is spent', () => Promise.resolve(false)],
    ['answers with something else', () => Promise.resolve('OK')],
  ])('a nonce store that %s is down, and the answer does not say why', async (_how, broken) => {
    claim = broken;
    const report = await aHealth().check();
    expect(report).toEqual({ status: 'down', nonces: 'down', bindings: 'up', detail: 'unavailable: nonces' });
    expect(JSON.stringify([report, told])).not.toMatch(/secret|hunter/);
  });

  it.each([
    ['rejects', () => Promise.reject(new Error(SECRET))],
    ['finds somebody under a random id', () => Promise.resolve({ instance: anInstanceOf(aKey()) } as Bindings)],
    ['answers nothing at all', () => Promise.resolve(undefined as never)],
  ])('a binding store that %s is down', async (_how, broken) => {
    load = broken;
    const report = await aHealth().check();
    expect(report).toEqual({ status: 'down', nonces: 'up', bindings: 'down', detail: 'unavailable: bindings' });
    expect(JSON.stringify([report, told])).not.toMatch(/secret|hunter/);
  });

  it('a store that does not answer in time is down', async () => {
    timeout = 1;
    [claim, load] = [never, never];
    expect(await aHealth().check()).toMatchObject({ status: 'down', detail: 'unavailable: nonces, bindings' });
    expect(told).toEqual([
      expect.stringMatching(/^nonces: down, .*no answer within 1 ms/),
      expect.stringMatching(/^bindings: down, .*no answer within 1 ms/),
    ]);
  });

  it('tells the log when a store goes down and when it is back, once each, with what our stores say', async () => {
    const health = aHealth();
    const results = [];
    const answers = [true, false, false, true, true];
    for (const good of answers) {
      claim = good
        ? () => Promise.resolve(true)
        : () => Promise.reject(new TabError('store_unavailable', 'the database failed with 25006'));
      results.push((await health.check()).status);
      elapsed += 1_000;
    }
    expect(results).toEqual(['up', 'down', 'down', 'up', 'up']);
    expect(told).toEqual([
      expect.stringMatching(/^nonces: down, .*the database failed with 25006/),
      'nonces: up again',
    ]);
  });

  it('concurrent checks share one run, and none begins within a second of the last answer', async () => {
    const health = aHealth();
    let answer = (): void => undefined;
    claim = () => new Promise((resolve) => (answer = () => resolve(true)));
    const checks = Array.from({ length: 1_000 }, () => health.check());
    elapsed = 5_000;
    checks.push(health.check());
    answer();
    for (const report of await Promise.all(checks)) expect(report).toEqual(UP);
    elapsed = 5_999;
    expect(await health.check()).toEqual(UP);
    expect([claims.length, loads.length]).toEqual([1, 1]);
    elapsed = 6_000;
    const next = health.check();
    answer();
    await next;
    expect([claims.length, loads.length]).toEqual([2, 2]);
  });

  it('fills no store: a minute of checks, ten a second, is 60 claims', async () => {
    const health = aHealth();
    for (elapsed = 0; elapsed < 60_000; elapsed += 100) await health.check();
    expect(claims).toHaveLength(60);
  });

  it('does not ask again while the store owes an answer, but after half a minute', async () => {
    timeout = 1;
    claim = never;
    const health = aHealth();
    for (elapsed = 0; elapsed < 30_000; elapsed += 1_000) expect((await health.check()).nonces).toBe('down');
    expect([claims.length, loads.length]).toEqual([1, 30]);
    claim = () => Promise.resolve(true);
    expect((await health.check()).nonces).toBe('up');
    elapsed += 1_000;
    expect((await health.check()).nonces).toBe('up');
  });

  it('asks again as soon as a late answer has come', async () => {
    timeout = 1;
    let answer = (): void => undefined;
    claim = () => new Promise((resolve) => (answer = () => resolve(true)));
    const health = aHealth();
    expect((await health.check()).nonces).toBe('down');
    answer();
    await new Promise((resolve) => setImmediate(resolve));
    elapsed = 1_000;
    claim = () => Promise.resolve(true);
    expect((await health.check()).nonces).toBe('up');
  });

  it('is down before the module has stores', async () => {
    const runtime = {
      get nonces(): never {
        throw new Error('TabModule has not initialised yet');
      },
      get bindings(): never {
        throw new Error('TabModule has not initialised yet');
      },
      clock: Date.now,
      healthTimeout: 1_000,
    };
    expect((await new TabHealth(runtime).check()).status).toBe('down');
  });
});
