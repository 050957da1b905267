import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { ExpiryBuckets } from '../../../lib/stores/memory/expiry-buckets.js';

const time = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 1_000_000, max: 1_000_040 }));
const step = fc.oneof(
  fc.record({ kind: fc.constant('add' as const), time }),
  fc.record({ kind: fc.constant('remove' as const), index: fc.nat(30) }),
  fc.record({ kind: fc.constant('take' as const), time, limit: fc.integer({ min: 0, max: 5 }) }),
);

it('takes exactly what is over, whatever was added and removed before', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const buckets = new ExpiryBuckets(20);
      const model = new Map<string, number>();
      let next = 0;
      for (const one of steps) {
        if (one.kind === 'add') {
          buckets.add(`k${next}`, one.time);
          model.set(`k${next++}`, one.time);
        } else if (one.kind === 'remove') {
          const key = `k${one.index}`;
          buckets.remove(key, model.get(key) ?? 7);
          model.delete(key);
        } else {
          const over = [...model].filter(([, at]) => at < one.time).map(([key]) => key);
          expect([...buckets.before(one.time)].sort()).toEqual([...over].sort());
          const taken = buckets.take(one.time, one.limit);
          expect(taken).toHaveLength(Math.min(over.length, one.limit));
          for (const key of taken) {
            expect(over).toContain(key);
            model.delete(key);
          }
        }
      }
    }),
  );
});
