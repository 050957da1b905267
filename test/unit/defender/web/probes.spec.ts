import { describe, expect, it } from 'vitest';
import type { ProbeFacts } from '../../../../lib/defender/index.js';
import {
  debuggerProbe,
  hookingProbe,
  overlayProbe,
  timeSpoofProbe,
  webDefender,
  webProbes,
  type Clocks,
} from '../../../../lib/defender/web/index.js';

describe('time-spoof', () => {
  const NOW = 1_700_000_000_000;
  const clocks = (override: Partial<Clocks> = {}): Clocks => ({
    page: () => NOW,
    clean: () => NOW,
    steady: () => 0,
    ...override,
  });
  const facts = (...serverSkews: number[]): ProbeFacts => ({ serverSkews });

  it.each<[string, Partial<Clocks>, ProbeFacts | undefined, string]>([
    ['clocks that agree', {}, undefined, 'clear'],
    ['servers that agree', {}, facts(0, -300, 300), 'clear'],
    ['a server ahead', {}, facts(0, 301), 'found'],
    ['a server behind', {}, facts(-301), 'found'],
    ['a page a second off', { page: () => NOW + 1000 }, undefined, 'clear'],
    ['a page that is ahead', { page: () => NOW + 1001 }, undefined, 'found'],
    ['a page that is behind', { page: () => NOW - 1001 }, undefined, 'found'],
    ['a page whose clock is no number', { page: () => Number.NaN }, undefined, 'found'],
    ['nothing to compare with', { clean: () => undefined }, undefined, 'unknown'],
    ['nothing to compare with but a server', { clean: () => undefined }, facts(301), 'found'],
  ])('%s', async (_, override, known, result) => {
    expect(await timeSpoofProbe({ clocks: clocks(override) }).run(undefined, known)).toBe(result);
  });

  it('takes another limit', async () => {
    expect(await timeSpoofProbe({ clocks: clocks(), maxSkew: 10 }).run(undefined, facts(11))).toBe('found');
  });

  it.each<[string, number, number, string]>([
    ['time goes on', 60_000, 60_000, 'clear'],
    ['the device slept, and the steady clock with it', 3_600_000, 1_000, 'clear'],
    ['the device slept, and the steady clock did not', 3_600_000, 3_600_000, 'clear'],
    ['the clock was corrected by two seconds', 58_000, 60_000, 'clear'],
    ['the clock went back by more', 57_999, 60_000, 'found'],
    ['the clock stands still', 0, 60_000, 'found'],
  ])('%s', async (_, wall, steady, result) => {
    let [page, monotonic] = [NOW, 5];
    const probe = timeSpoofProbe({ clocks: clocks({ page: () => page, clean: () => page, steady: () => monotonic }) });
    await probe.run();
    page += wall;
    monotonic += steady;
    expect(await probe.run()).toBe(result);
  });
});

describe('debugger', () => {
  /** Workers that answer, or fail, one after the other as told; what is left out cannot be made. */
  function workers(...kinds: ('answers' | 'fails' | 'none')[]) {
    let made = 0;
    const createWorker = () => {
      const kind = kinds[made] ?? 'answers';
      made += 1;
      if (kind === 'none') throw new Error('no worker');
      const worker = new EventTarget();
      const tell = (type: string, data?: string) => worker.dispatchEvent(Object.assign(new Event(type), { data }));
      const postMessage = () => queueMicrotask(() => (kind === 'fails' ? tell('error') : tell('message', 'after')));
      return Object.assign(worker, { postMessage, terminate: () => undefined }) as unknown as Worker;
    };
    return { probe: debuggerProbe({ createWorker }), made: () => made };
  }
  const runs = async (probe: ReturnType<typeof debuggerProbe>, count: number) => {
    const results: unknown[] = [];
    for (let run = 0; run < count; run += 1) {
      results.push(await (async () => probe.run())().catch(() => 'unknown'));
    }
    return results;
  };

  it('tries again after a worker that failed', async () => {
    const { probe, made } = workers('fails', 'none');
    expect(await runs(probe, 4)).toEqual(['unknown', 'unknown', 'clear', 'clear']);
    expect(made()).toBe(3);
  });

  it.each(['fails', 'none'] as const)('does not try for ever when the worker %s', async (kind) => {
    const { probe, made } = workers(kind, kind, kind);
    expect(await runs(probe, 6)).toEqual(Array(6).fill('unknown'));
    expect(made()).toBe(3);
  });

  it('does not count a run that was cut short', async () => {
    const { probe } = workers();
    for (let run = 0; run < 5; run += 1) {
      const cut = new AbortController();
      const result = probe.run(cut.signal);
      cut.abort();
      expect(await result).toBe('unknown');
    }
    expect(await probe.run()).toBe('clear');
  });
});

describe('the web probes', () => {
  it('have the names of the default set; tamper and emulator where asked for', () => {
    const names = (options?: Parameters<typeof webProbes>[0]) => webProbes(options).map(({ name }) => name);
    const usual = ['automation', 'hooking', 'overlay', 'debugger', 'time-spoof', 'x-web-extension-injection'];
    expect(names()).toEqual(usual);
    expect(names({ tamper: { manifest: '/m.json' }, emulator: true })).toEqual([...usual, 'tamper', 'emulator']);
  });

  it('have not checked anything where there is no page', async () => {
    for (const probe of webProbes({ tamper: { manifest: { version: 1, files: {} } }, emulator: true })) {
      const result = await (async () => probe.run())().catch(() => 'unknown');
      expect([probe.name, result]).toEqual([probe.name, 'unknown']);
    }
  });

  it('refuse what cannot be meant', () => {
    expect(() => hookingProbe({ allow: ['fetsh' as never] })).toThrow(TypeError);
    expect(() => overlayProbe({ allow: ['portal.example'] })).toThrow(TypeError);
  });

  it('without storage there is no Defender that works, and no key in memory', async () => {
    const app = { id: 'com.example.web', ver: '1.0.0', platform: 'web' };
    const defender = webDefender({ api: 'https://api.example', app });
    await expect(defender.ready()).rejects.toMatchObject({ code: 'key_store' });
    expect(defender.instanceId).toBeUndefined();
    await defender.close();
  });
});
