import { describe, expect, it } from 'vitest';
import {
  bucketNamed,
  bucketOf,
  isOver,
  missingBuckets,
  wideBucket,
} from '../../../../lib/stores/typeorm/nonces/bucket.js';
import { NOW } from '../factories.js';

describe('buckets of used nonces', () => {
  it('every expiry is in one bucket, which begins with a minute', () => {
    for (const [expiresAt, from] of [
      [0, 0],
      [59, 0],
      [60, 60],
      [119, 60],
      [2 ** 53 - 1, 2 ** 53 - 1 - 31],
    ] as const) {
      expect(bucketOf(expiresAt)).toEqual({ from, to: from + 60 });
    }
  });

  it('those of the next half hour are missing, but for what is covered already, by whatever', () => {
    const all = missingBuckets(NOW + 59, []);
    expect([all.length, all[0]?.from, all.at(-1)?.to]).toEqual([30, NOW, NOW + 1800]);
    expect(missingBuckets(NOW, [{ from: NOW + 30, to: NOW + 90 }])).toEqual(all.slice(2));
    expect(missingBuckets(NOW, all)).toEqual([]);
    expect(missingBuckets(NOW, [{ from: NOW - 60, to: NOW }])).toEqual(all);
  });

  it('there are no more than 240', () => {
    const old = Array.from({ length: 235 }, (_, index) => ({ from: index * 60, to: index * 60 + 60 }));
    expect(missingBuckets(NOW, old)).toHaveLength(5);
    expect(missingBuckets(NOW, [...old, ...old])).toEqual([]);
  });

  it('one is over a minute after its end', () => {
    const bucket = bucketOf(NOW);
    expect([isOver(bucket, NOW + 119), isOver(bucket, NOW + 120)]).toEqual([false, true]);
  });

  it('only names that it could have given are names of buckets', () => {
    expect(bucketNamed('t_b', `t_b${NOW}`)).toEqual(bucketOf(NOW));
    for (const name of [
      't_b',
      't_b61',
      't_b060',
      `t_b${NOW}x`,
      `x_b${NOW}`,
      't_b-60',
      't_b1e3',
      't_b99999999999999999960',
    ]) {
      expect(bucketNamed('t_b', name)).toBeUndefined();
    }
  });

  it('beside a large table one wide bucket is made, ten minutes ahead and for ten minutes at least', () => {
    const all = missingBuckets(NOW, []);
    expect(wideBucket(NOW, all)).toEqual([{ from: NOW + 600, to: NOW + 1800 }]);
    expect(wideBucket(NOW, all.slice(-10))).toEqual([{ from: NOW + 1200, to: NOW + 1800 }]);
    expect(wideBucket(NOW, all.slice(-9))).toEqual([]);
    expect(wideBucket(NOW, [...all.slice(0, 15), ...all.slice(16)])).toEqual([]);
    expect(wideBucket(NOW, [])).toEqual([]);
  });
});
