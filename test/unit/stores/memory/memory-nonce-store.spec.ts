import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memoryStores } from '../../../../lib/stores/memory/index.js';
import { TabConfigError } from '../../../../lib/errors/tab-error.js';
import { aKey, fakeClock, NOW } from '../factories.js';

const UNAVAILABLE = { code: 'store_unavailable' };
const KEPT = 20;

/** Claims, presentations of old ones, clocks that go on, jump and step back, and sweeps by clocks of others. */
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('claim' as const), key: fc.nat(30) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('clock' as const), by: fc.integer({ min: -60, max: 60 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('sweep' as const), by: fc.integer({ min: -60, max: 600 }) }) },
);

describe('the memory nonce store, whatever its clock does', () => {
  it('lets no key win twice, and remembers each that is live', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 150 }),
        fc.integer({ min: 1, max: 25 }),
        async (steps, maxNonces) => {
          const clock = fakeClock();
          let now = NOW;
          const { nonces } = memoryStores({ maxNonces, clock: clock.read });
          // A key and the one expiry that each of its presentations brings.
          const keys = Array.from({ length: 31 }, (_, index) => ({ key: aKey(), expiresAt: NOW + index * 4 + KEPT }));
          const won = new Set<string>();
          for (const one of steps) {
            if (one.kind === 'clock') clock.set((now += one.by));
            else if (one.kind === 'sweep') await nonces.sweep(now + one.by, 10);
            else {
              const { key, expiresAt } = keys[one.key] ?? { key: '', expiresAt: 0 };
              const outcome = await nonces.claim(key, expiresAt).catch(() => 'refused');
              if (won.has(key)) expect(outcome).not.toBe(true);
              if (won.has(key) && outcome === 'refused') continue;
              if (outcome === true) won.add(key);
              expect(outcome === false).toBe(won.has(key) && outcome !== true);
            }
          }
        },
      ),
    );
  });

  it('the exploit: a clock that jumps ahead and steps back makes nothing new of what was spent', async () => {
    const clock = fakeClock();
    const { nonces } = memoryStores({ clock: clock.read });
    const key = aKey();
    expect(await nonces.claim(key, NOW + 180)).toBe(true);
    clock.set(NOW + 3600);
    await nonces.claim(aKey(), NOW + 3780);
    clock.set(NOW + 1);
    await expect(nonces.claim(key, NOW + 180)).rejects.toMatchObject(UNAVAILABLE);
    await expect(nonces.claim(aKey(), NOW + 179)).rejects.toMatchObject(UNAVAILABLE);
    expect(await nonces.claim(aKey(), NOW + 181)).toBe(true);
  });

  it('the exploit: a sweep by a clock that is ahead removes nothing that is live', async () => {
    const { nonces } = memoryStores({ clock: fakeClock().read });
    const key = aKey();
    expect(await nonces.claim(key, NOW + 180)).toBe(true);
    expect(await nonces.sweep(NOW + 3600, 10)).toBe(0);
    expect(await nonces.claim(key, NOW + 180)).toBe(false);
  });
});

it('keys that decode to the same octets are different keys, as in every other store', async () => {
  const { nonces } = memoryStores({ clock: fakeClock().read });
  const key = aKey().slice(0, 21);
  for (const last of ['A', 'B', 'C', 'P']) expect(await nonces.claim(`${key}${last}`, NOW + 1)).toBe(true);
});

it('refuses more nonces than it could number', () => {
  expect(() => memoryStores({ maxNonces: 2 ** 30 })).not.toThrow();
  expect(() => memoryStores({ maxNonces: 2 ** 30 + 1 })).toThrow(TabConfigError);
});
