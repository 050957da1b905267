import { describe, expect, it } from 'vitest';
import { TabConfigError } from '../../../lib/errors/tab-error.js';
import { DecisionRing } from '../../../lib/telemetry/decision-ring.js';
import { MemoryDecisionStore } from '../../../lib/telemetry/memory-decision-store.js';
import { decisionStoreContract } from './decision-store-contract.js';
import { aDecision } from './factories.js';

describe('MemoryDecisionStore', () => {
  const open = async () => ({ store: new MemoryDecisionStore(), close: async () => undefined });
  for (const { name, run } of decisionStoreContract(open)) it(name, run);

  it('forgets the oldest when it is full, by id as well', async () => {
    const store = new MemoryDecisionStore(3);
    const decisions = Array.from({ length: 8 }, (_, index) => aDecision({ at: index }));
    for (const decision of decisions) await store.record([decision]);
    expect((await store.recent({})).map(({ at }) => at)).toEqual([7, 6, 5]);
    expect(await store.find(decisions[4]?.id ?? '')).toBeUndefined();
    expect(await store.find(decisions[5]?.id ?? '')).toBe(decisions[5]);
    expect((await store.summarize({ since: 0, by: 'code' })).categories.verified).toBe(3);
  });

  it('bounds itself: there is nothing to sweep', async () => {
    const store = new MemoryDecisionStore();
    await store.record([aDecision()]);
    expect([store.keepFor, await store.sweep(Number.MAX_SAFE_INTEGER, 10)]).toEqual([undefined, 0]);
    expect(await store.recent({})).toHaveLength(1);
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('refuses a capacity of %s', (capacity) => {
    expect(() => new MemoryDecisionStore(capacity)).toThrow(TabConfigError);
  });
});

describe('DecisionRing', () => {
  it('is a queue that wraps around', () => {
    const ring = new DecisionRing(4);
    const all = Array.from({ length: 30 }, (_, index) => aDecision({ at: index }));
    const seen: number[] = [];
    const evicted: number[] = [];
    for (const decision of all) {
      const out = ring.push(decision);
      if (out) evicted.push(out.at);
      if (decision.at % 7 === 6) seen.push(...ring.take(3).map(({ at }) => at));
    }
    seen.push(...ring.take(100).map(({ at }) => at));
    expect([...seen, ...evicted].sort((a, b) => a - b)).toEqual(all.map(({ at }) => at));
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect([ring.size, [...ring.newest()], ring.take(1)]).toEqual([0, [], []]);
    expect(all.filter(({ id }) => ring.find(id) !== undefined)).toEqual([]);
  });
});
