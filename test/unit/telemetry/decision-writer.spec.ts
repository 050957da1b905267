import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TrustDecision } from '../../../lib/trust/trust-decision.js';
import { aDecision, AT, someDecisions, TestStore } from './factories.js';

const some = (count: number): TrustDecision[] =>
  Array.from({ length: count }, (_, index) => aDecision({ at: AT + index }));
const ids = (decisions: readonly TrustDecision[]): string[] => decisions.map(({ id }) => id);

/** Decisions with a store of which the test says how it behaves; time passes only by `pass`. */
function aQueue(options: { queueSize?: number; storeTimeout?: number } = {}) {
  const store = new TestStore();
  const all = { ...someDecisions({ store, ...options }), store };
  const recordAll = (decisions: TrustDecision[]) => decisions.forEach((decision) => all.decisions.record(decision));
  const pass = async (ms: number) => {
    all.clock.now += ms;
    await vi.advanceTimersByTimeAsync(ms);
  };
  return { ...all, recordAll, pass, kept: () => ids(store.batches.flat()) };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('the way to the store', () => {
  it('is taken in the background, in batches and in order', async () => {
    const { recordAll, pass, store, kept } = aQueue();
    const decisions = some(450);
    recordAll(decisions);
    expect(store.batches).toEqual([]);
    await pass(99);
    expect(store.batches).toEqual([]);
    await pass(10);
    expect(store.batches.map(({ length }) => length)).toEqual([200, 200, 50]);
    expect(kept()).toEqual(ids(decisions));
    recordAll(some(1));
    await pass(110);
    expect(kept()).toHaveLength(451);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is not waited for by whoever records', async () => {
    const { decisions, recordAll, pass, store, kept } = aQueue();
    store.behaviour = 'hangs';
    const [first, ...others] = some(5) as [TrustDecision, ...TrustDecision[]];
    recordAll([first]);
    await pass(100);
    recordAll(others);
    expect(await decisions.find(first.id)).toEqual(first);
    expect(await decisions.find(others[3]?.id ?? '')).toEqual(others[3]);
    store.release();
    await pass(200);
    expect(kept()).toEqual(ids([first, ...others]));
  });

  it('is tried again after a failure, in longer and longer pauses, and nothing is lost', async () => {
    const { decisions, recordAll, pass, store, warnings, kept } = aQueue();
    const record = vi.spyOn(store, 'record');
    store.behaviour = 'fails';
    recordAll(some(3));
    await pass(100);
    expect(record).toHaveBeenCalledTimes(1);
    await pass(999);
    expect(record).toHaveBeenCalledTimes(1);
    await pass(1);
    expect(record).toHaveBeenCalledTimes(2);
    recordAll(some(2));
    await pass(1999);
    expect(record).toHaveBeenCalledTimes(2);
    store.behaviour = 'works';
    await pass(10);
    expect(kept()).toHaveLength(5);
    expect(decisions.dropped).toBe(0);
    expect(warnings).toEqual(['the decision store failed (TabError); 3 records wait']);
    expect(warnings.join()).not.toContain('hunter2');
  });

  it('is given up for a batch that fails for ever, not for those behind it', async () => {
    const { decisions, recordAll, pass, store, kept } = aQueue();
    const [poison, ...others] = some(250) as [TrustDecision, ...TrustDecision[]];
    const record = store.record.bind(store);
    vi.spyOn(store, 'record').mockImplementation((batch) =>
      batch.some(({ id }) => id === poison.id) ? Promise.reject(new RangeError('does not fit')) : record(batch),
    );
    recordAll([poison, ...others]);
    await pass(300_000);
    expect(kept()).toEqual(ids(others.slice(199)));
    expect(decisions.dropped).toBe(200);
  });

  it('ends for a store that does not answer in time', async () => {
    const { recordAll, pass, store, warnings, kept } = aQueue({ storeTimeout: 500 });
    store.behaviour = 'hangs';
    recordAll(some(2));
    await pass(700);
    expect(warnings).toHaveLength(1);
    store.behaviour = 'works';
    await pass(1100);
    expect(kept()).toHaveLength(2);
  });

  it('holds so many and no more: the oldest are dropped, counted, and reported once a minute', async () => {
    const { decisions, recordAll, pass, store, warnings, kept } = aQueue({ queueSize: 10 });
    const all = some(14);
    recordAll(all);
    expect(decisions.dropped).toBe(4);
    expect(warnings).toEqual(['1 decision records never reached the store']);
    expect(await decisions.find(all[0]?.id ?? '')).toBeUndefined();
    await pass(200);
    expect(kept()).toEqual(ids(all.slice(4)));
    store.behaviour = 'fails';
    recordAll(some(10));
    await pass(60_000);
    recordAll(some(11));
    expect(warnings.filter((each) => each.includes('never reached'))).toEqual([
      '1 decision records never reached the store',
      '4 decision records never reached the store',
    ]);
    expect(decisions.dropped).toBe(5);
  });

  it('works with a store that throws instead of rejecting', async () => {
    const { decisions, recordAll, pass, store } = aQueue();
    vi.spyOn(store, 'record').mockImplementation(() => {
      throw new Error('at once');
    });
    recordAll(some(1));
    await pass(100);
    expect(store.batches).toEqual([]);
    store.behaviour = 'throws';
    await expect(decisions.find('unknown')).rejects.toMatchObject({ code: 'store_unavailable' });
  });
});

describe('at shutdown', () => {
  it('waits for a batch on its way and writes the rest', async () => {
    const { decisions, recordAll, pass, store, kept } = aQueue();
    store.behaviour = 'hangs';
    recordAll(some(1));
    await pass(100);
    recordAll(some(3));
    const closed = decisions.close();
    const listed = decisions.recent();
    store.release();
    await pass(1);
    await closed;
    expect(kept()).toHaveLength(4);
    expect(await listed).toHaveLength(4);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('gives up at the first failure, and says what was lost', async () => {
    const { decisions, recordAll, store, warnings } = aQueue();
    const record = vi.spyOn(store, 'record');
    store.behaviour = 'fails';
    recordAll(some(300));
    await decisions.close();
    expect(record).toHaveBeenCalledTimes(1);
    expect(decisions.dropped).toBe(300);
    expect(warnings.at(-1)).toBe('300 decision records never reached the store');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('does not wait for ever for a store that hangs', async () => {
    const { decisions, recordAll, pass, store } = aQueue({ storeTimeout: 500 });
    store.behaviour = 'hangs';
    recordAll(some(300));
    const closed = decisions.close();
    await pass(1000);
    await closed;
    expect(decisions.dropped).toBe(300);
  });

  it('does not wait for all that waits when the store is slow', async () => {
    const { decisions, recordAll, pass, store, kept } = aQueue({ storeTimeout: 500 });
    const record = store.record.bind(store);
    vi.spyOn(store, 'record').mockImplementation(async (batch) => {
      await new Promise((resolve) => setTimeout(resolve, 400));
      await record(batch);
    });
    recordAll(some(1000));
    const closed = decisions.close();
    await pass(10_000);
    await closed;
    expect([kept().length, decisions.dropped]).toEqual([400, 600]);
  });

  it('counts what comes after as lost', async () => {
    const { decisions, recordAll, streamed } = aQueue();
    await decisions.close();
    recordAll(some(2));
    expect([decisions.dropped, streamed.length, vi.getTimerCount()]).toEqual([2, 0, 0]);
  });
});
