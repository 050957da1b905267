import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { BindingSweep } from '../../../lib/bindings/binding.types.js';
import { TabSweeper } from '../../../lib/tab.sweeper.js';
import type { TabRuntime } from '../../../lib/tab-runtime.js';

const NOW = 1_800_000_000;
const DAY = 24 * 3600;

const noDecisions = { sweep: () => Promise.resolve(0) };

/** A runtime whose stores remove what `left` says, at most `limit` a call. */
function aRuntime(left: { nonces: number; bindings: number }, sweepInterval = 1000) {
  const calls: { nonces: [number, number][]; bindings: BindingSweep[] } = { nonces: [], bindings: [] };
  const take = (kind: 'nonces' | 'bindings', limit: number): Promise<number> => {
    const removed = Math.min(limit, left[kind]);
    left[kind] -= removed;
    return Promise.resolve(removed);
  };
  const runtime = {
    sweepInterval,
    clock: () => NOW * 1000 + 999,
    nonces: { sweep: (now: number, limit: number) => (calls.nonces.push([now, limit]), take('nonces', limit)) },
    bindings: { sweep: (what: BindingSweep) => (calls.bindings.push(what), take('bindings', what.limit)) },
  };
  return { runtime: runtime as unknown as TabRuntime, calls, left };
}

describe('the sweeper', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('removes in batches until a batch is not full', async () => {
    const { runtime, calls, left } = aRuntime({ nonces: 1200, bindings: 0 });
    await new TabSweeper(runtime, noDecisions).sweep();
    expect(left.nonces).toBe(0);
    expect(calls.nonces).toEqual([
      [NOW, 500],
      [NOW, 500],
      [NOW, 500],
    ]);
  });

  it('removes old decisions too', async () => {
    const sweep = vi.fn(() => Promise.resolve(0));
    await new TabSweeper(aRuntime({ nonces: 0, bindings: 0 }).runtime, { sweep }).sweep();
    expect(sweep).toHaveBeenCalledWith(500);
  });

  it('stops after a million rows, however much is left', async () => {
    const { runtime, calls } = aRuntime({ nonces: 2_000_000, bindings: 0 });
    await new TabSweeper(runtime, noDecisions).sweep();
    expect(calls.nonces).toHaveLength(2000);
  });

  it('keeps ended sessions for a week, unattested instances for a day and breaches for ninety days', async () => {
    const { runtime, calls } = aRuntime({ nonces: 0, bindings: 0 });
    await new TabSweeper(runtime, noDecisions).sweep();
    expect(calls.bindings).toEqual([
      { sessionsBefore: NOW - 7 * DAY, unattestedBefore: NOW - DAY, breachesBefore: NOW - 90 * DAY, limit: 500 },
    ]);
  });

  it('sweeps at every interval from the start of the application to its end', async () => {
    const { runtime, calls } = aRuntime({ nonces: 0, bindings: 0 });
    const sweeper = new TabSweeper(runtime, noDecisions);
    expect(vi.getTimerCount()).toBe(0);
    sweeper.onApplicationBootstrap();
    await vi.advanceTimersByTimeAsync(3000);
    expect(calls.nonces).toHaveLength(3);
    await sweeper.onModuleDestroy();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('does not sweep where the interval is 0', () => {
    new TabSweeper(aRuntime({ nonces: 0, bindings: 0 }, 0).runtime, noDecisions).onApplicationBootstrap();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is one at a time, and survives a store that fails', async () => {
    const { runtime } = aRuntime({ nonces: 0, bindings: 0 });
    let fail: (error: Error) => void = () => undefined;
    const sweep = vi.fn(() => new Promise<number>((_resolve, reject) => (fail = reject)));
    Object.assign(runtime.nonces, { sweep });
    const sweeper = new TabSweeper(runtime, noDecisions);
    const first = sweeper.sweep();
    expect(sweeper.sweep()).toBe(first);
    fail(new Error('connection lost'));
    await expect(first).resolves.toBeUndefined();
    expect(sweep).toHaveBeenCalledTimes(1);
    void sweeper.sweep();
    expect(sweep).toHaveBeenCalledTimes(2);
  });

  it('at shutdown waits for the batch under way and begins no other', async () => {
    const { runtime } = aRuntime({ nonces: 0, bindings: 0 });
    let finish: (removed: number) => void = () => undefined;
    const sweep = vi.fn(() => new Promise<number>((resolve) => (finish = resolve)));
    Object.assign(runtime.nonces, { sweep });
    const sweeper = new TabSweeper(runtime, noDecisions);
    void sweeper.sweep();
    const stopped = vi.fn();
    const stopping = sweeper.onModuleDestroy().then(stopped);
    await Promise.resolve();
    expect(stopped).not.toHaveBeenCalled();
    finish(500);
    await stopping;
    expect(sweep).toHaveBeenCalledTimes(1);
  });
});
