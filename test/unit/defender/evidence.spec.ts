import { describe, expect, it } from 'vitest';
import { EvidenceMeter, type MeterOptions } from '../../../lib/defender/evidence.js';
import type { Probe, ProbeResult } from '../../../lib/defender/index.js';
import { T0 } from './fake-server.js';
import { latch, settled, useHarness } from './harness.js';

const harness = useHarness();
const probe = (result: unknown, name = 'root'): Probe => ({ name, run: () => result as ProbeResult });
const meter = (override: Partial<MeterOptions> = {}) =>
  new EvidenceMeter({ probes: [probe('clear')], maxAge: 60, timeout: 10_000, now: () => 1000, ...override });

const many = (prefix: string, count: number) => Array.from({ length: count }, (_, index) => `${prefix}-${index}`);

describe('what probes say', () => {
  it.each<[string, Probe[], string[], string[]]>([
    ['clear', [probe('clear')], [], ['root']],
    ['found', [probe('found')], ['root'], []],
    ['unknown', [probe('unknown')], [], []],
    ['nothing', [probe(undefined)], [], []],
    ['true', [probe(true)], [], []],
    ['a report', [probe({ found: ['hooking'], clear: ['mitm', 'vpn'] })], ['hooking'], ['mitm', 'vpn']],
    ['an empty report', [probe({})], [], []],
    ['lists that are none', [probe({ found: 'x', clear: 'root' })], [], []],
    ['contradictions', [probe('clear'), probe({ found: ['root'], clear: ['root'] }, 'x-rasp')], ['root'], []],
    [
      'the same twice',
      [probe('clear'), probe('clear'), probe('found', 'vpn'), probe('found', 'vpn')],
      ['vpn'],
      ['root'],
    ],
    ['names that cannot travel', [probe({ found: ['Böse'], clear: ['Gut'] }, 'x-rasp')], ['x-rasp'], []],
    ['a promise', [probe(Promise.resolve('clear'))], [], ['root']],
  ])('%s', async (_, probes, found, clear) => {
    expect(await meter({ probes }).current()).toEqual({ at: 1000, found, clear });
  });

  it('a probe that rejects has checked nothing', async () => {
    const rejecting: Probe = { name: 'vpn', run: () => Promise.reject(new Error('no permission')) };
    expect(await meter({ probes: [rejecting] }).current()).toEqual({ at: 1000, found: [], clear: [] });
  });

  it('a probe that throws has checked nothing, and stops no other', async () => {
    const throwing: Probe = {
      name: 'vpn',
      run: () => {
        throw new Error('no permission');
      },
    };
    expect(await meter({ probes: [throwing, probe('clear')] }).current()).toMatchObject({ found: [], clear: ['root'] });
  });

  it('a probe that hangs has checked nothing, and is told to stop', async () => {
    let stopped = false;
    const hanging: Probe = {
      name: 'vpn',
      run: (signal) => {
        signal?.addEventListener('abort', () => (stopped = true));
        return new Promise(() => undefined);
      },
    };
    expect(await meter({ probes: [hanging, probe('clear')], timeout: 1 }).current()).toMatchObject({ clear: ['root'] });
    expect(stopped).toBe(true);
  });

  it('a probe that still hangs is not started again, and has checked nothing, until it comes back', async () => {
    const door = latch();
    const runs = { hanging: 0, other: 0 };
    const hanging: Probe = {
      name: 'vpn',
      run: async () => {
        runs.hanging += 1;
        if (runs.hanging === 1) await door.opened;
        return 'clear' as const;
      },
    };
    const other: Probe = { name: 'root', run: () => (++runs.other > 0 ? 'clear' : 'found') };
    const impaired: boolean[] = [];
    const onMeasured = (value: boolean) => void impaired.push(value);
    const subject = meter({ probes: [hanging, other], maxAge: 0, timeout: 1, onMeasured });
    for (let run = 1; run <= 3; run += 1) expect(await subject.current()).toMatchObject({ found: [], clear: ['root'] });
    expect(runs).toEqual({ hanging: 1, other: 3 });
    expect(impaired).toEqual([true, true, true]);
    door.open();
    await settled();
    const free = meter({ probes: [hanging, other], maxAge: 0 });
    expect(await free.current()).toMatchObject({ clear: ['vpn', 'root'] });
    await subject.current();
    expect(runs.hanging).toBe(3);
  });

  it('at most 64 names, threats first', async () => {
    const evidence = await meter({ probes: [probe({ found: many('f', 10), clear: many('c', 100) })] }).current();
    expect(evidence.found).toHaveLength(10);
    expect(evidence.clear).toHaveLength(54);
  });
});

const counting = (override: Partial<MeterOptions> = {}) => {
  const state = { runs: 0, now: 1000 };
  const counter: Probe = { name: 'root', run: () => (++state.runs > 0 ? 'clear' : 'found') };
  return { state, meter: meter({ probes: [counter], now: () => state.now, ...override }) };
};

describe('the age of evidence', () => {
  it.each([
    [60, 1],
    [61, 2],
    [-1, 2],
  ])('after %i s it has been measured %i times', async (seconds, runs) => {
    const { state, meter: subject } = counting();
    await subject.current();
    state.now += seconds;
    expect((await subject.current()).at).toBe(runs === 1 ? 1000 : state.now);
    expect(state.runs).toBe(runs);
  });

  it('0 measures for every token', async () => {
    const { state, meter: subject } = counting({ maxAge: 0 });
    await subject.current();
    await subject.current();
    expect(state.runs).toBe(2);
  });

  it('concurrent callers share a run', async () => {
    const { state, meter: subject } = counting();
    await Promise.all(Array.from({ length: 10 }, () => subject.current()));
    expect(state.runs).toBe(1);
  });

  it('fresh evidence is never of a run that had begun', async () => {
    const { state, meter: subject } = counting();
    await Promise.all([subject.current(), subject.fresh(), subject.fresh()]);
    expect(state.runs).toBe(2);
  });

  it('what was measured before an event counts no more', async () => {
    const { state, meter: subject } = counting();
    await subject.current();
    subject.invalidate();
    await subject.current();
    expect(state.runs).toBe(2);
  });

  it('nor does a run that had begun before the event', async () => {
    const { state, meter: subject } = counting();
    const early = subject.current();
    subject.invalidate();
    const late = subject.current();
    await Promise.all([early, late]);
    expect(state.runs).toBe(2);
    await subject.current();
    expect(state.runs).toBe(2);
  });

  it('is never after iat, even when the clock goes back between', async () => {
    const defender = harness.defender();
    await defender.fetch(`${harness.server.origin}/a`);
    harness.clock.advance(-30);
    await defender.fetch(`${harness.server.origin}/a`);
    const claims = harness.server.calls[1]?.claims;
    expect(claims?.iat).toBe(T0 - 30);
    expect(claims?.rt.at).toBe(T0 - 30);
  });
});
