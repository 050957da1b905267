import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyedHash, type HashKey } from '../../../../lib/stores/memory/nonces/keyed-hash.js';
import { KEY_WORDS, writeKey } from '../../../../lib/stores/memory/nonces/key-words.js';
import { NonceTable } from '../../../../lib/stores/memory/nonces/nonce-table.js';
import { aKey } from '../factories.js';

const SECRET = Buffer.from('0001020304050607', 'hex');
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Hashes that put everything in one chain, or in few, or that are negative: they may cost time, and nothing else. */
const HASHES: Record<string, HashKey> = {
  keyed: keyedHash(SECRET),
  constant: () => 0,
  'a few': (words) => (words[0] as number) % 3,
  'all bits': () => -1,
};

const wordsOf = (key: string): number[] => {
  const words = new Int32Array(KEY_WORDS);
  writeKey(key, words);
  return [...words];
};

describe('words of a key', () => {
  it('tell all keys apart that differ in one character, the spare bits of the last one included', () => {
    const key = aKey();
    const seen = new Set([wordsOf(key).join()]);
    for (let at = 0; at < 22; at++) {
      for (const character of ALPHABET) {
        if (character !== key.charAt(at)) seen.add(wordsOf(key.slice(0, at) + character + key.slice(at + 1)).join());
      }
    }
    expect(seen.size).toBe(1 + 22 * 63);
  });
});

describe('the keyed hash', () => {
  it('is HalfSipHash-1-3, by its published vector', () => {
    const octets = Buffer.from(Array.from({ length: 20 }, (_, index) => index));
    const words = Int32Array.from({ length: 5 }, (_, index) => octets.readInt32LE(index * 4));
    expect(keyedHash(SECRET)(words) >>> 0).toBe(0x911bb605);
  });

  it('depends on all of the secret', () => {
    const words = Int32Array.from(wordsOf(aKey()));
    const hashes = ['00', '01'].flatMap((first) => ['00', '01'].map((last) => `${first}000000000000${last}`));
    expect(new Set(hashes.map((secret) => keyedHash(Buffer.from(secret, 'hex'))(words))).size).toBe(4);
  });
});

const second = fc.oneof(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 2 ** 40, max: 2 ** 40 + 30 }));
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('add' as const), key: fc.nat(40), second }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), second, limit: fc.nat(6) }) },
);
const keys = Array.from({ length: 41 }, aKey);

describe.each(Object.entries(HASHES))('the nonce table with a hash that is %s', (_name, hash) => {
  it('does what a map does', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), fc.integer({ min: 1, max: 30 }), (steps, max) => {
        const table = new NonceTable(max, hash);
        const model = new Map<string, number>();
        for (const one of steps) {
          if (one.kind === 'add') {
            const key = keys[one.key] ?? '';
            const expected = model.has(key) ? 'known' : model.size >= max ? 'full' : 'added';
            expect(table.add(key, one.second)).toBe(expected);
            if (expected === 'added') model.set(key, one.second);
          } else {
            // Of one second the table may take any first: so this asks for whole seconds.
            const over = [...model].filter(([, at]) => at < one.second).sort(([, a], [, b]) => a - b);
            const last = over[one.limit - 1]?.[1] ?? Number.POSITIVE_INFINITY;
            const taken = one.limit === 0 ? [] : over.filter(([, at]) => at <= last);
            expect(table.removeBefore(one.second, taken.length)).toBe(taken.length);
            for (const [key] of taken) model.delete(key);
          }
          expect(table.size).toBe(model.size);
        }
        expect(table.removeBefore(Number.MAX_SAFE_INTEGER, 1_000)).toBe(model.size);
        expect(table.removeBefore(Number.MAX_SAFE_INTEGER, 1)).toBe(0);
      }),
    );
  });

  it('removes no more than it is told to, within a second too', () => {
    const table = new NonceTable(100, hash);
    const some = Array.from({ length: 10 }, aKey);
    for (const key of some) table.add(key, 5);
    expect([table.removeBefore(5, 100), table.removeBefore(6, 3), table.removeBefore(6, 0)]).toEqual([0, 3, 0]);
    expect(some.filter((key) => table.add(key, 7) === 'added')).toHaveLength(3);
    expect(table.removeBefore(6, 100)).toBe(7);
    expect(table.size).toBe(3);
  });
});

describe('the nonce table, larger', () => {
  it('knows each of many keys while it grows, and after most have gone and others have come', () => {
    const table = new NonceTable(1_000_000, keyedHash(SECRET));
    const [old, live, later] = [0, 1, 2].map(() => Array.from({ length: 20_000 }, aKey)) as [
      string[],
      string[],
      string[],
    ];
    for (const [index, key] of old.entries()) {
      expect(table.add(key, index % 50)).toBe('added');
      expect(table.add(live[index] ?? '', 100 + (index % 50))).toBe('added');
    }
    for (const key of [...old, ...live]) if (table.add(key, 999) !== 'known') expect.fail('a key was lost');
    while (table.removeBefore(100, 1_000) > 0);
    expect(table.size).toBe(20_000);
    for (const key of live) if (table.add(key, 999) !== 'known') expect.fail('a live key was lost');
    for (const key of later) if (table.add(key, 200) !== 'added') expect.fail('a key was taken for another');
    for (const key of [...live, ...later]) if (table.add(key, 999) !== 'known') expect.fail('a key was lost');
    expect(table.size).toBe(40_000);
  });

  it('says until when it has forgotten', () => {
    const table = new NonceTable(10, keyedHash(SECRET));
    for (const at of [7, 3, 9]) table.add(aKey(), at);
    expect(table.forgottenUntil).toBe(-1);
    table.removeBefore(8, 1);
    expect(table.forgottenUntil).toBe(3);
    table.removeBefore(8, 10);
    expect(table.forgottenUntil).toBe(7);
  });
});
