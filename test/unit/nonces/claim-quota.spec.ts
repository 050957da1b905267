import { describe, expect, it } from 'vitest';
import { ClaimQuota } from '../../../lib/nonces/claim-quota.js';
import { TabRuntime } from '../../../lib/tab-runtime.js';
import type { TabOptions } from '../../../lib/tab-options.js';
import { memoryStores } from '../../../lib/stores/memory/index.js';
import { aWorld, NOW, outcomeOf, requiring } from '../../utils/core/index.js';

const ALICE = 'a'.repeat(43);
const RATE_LIMITED = { code: 'rate_limited' };
const take = (quota: ClaimQuota, times: number, at = NOW, id = ALICE): void => {
  for (let i = 0; i < times; i++) quota.take(id, at + 180, at);
};

describe('live claims of an instance', () => {
  it('are bounded, each instance for itself', () => {
    const quota = new ClaimQuota(3);
    take(quota, 3);
    expect(() => take(quota, 1)).toThrow(expect.objectContaining(RATE_LIMITED) as Error);
    take(quota, 3, NOW, 'b'.repeat(43));
  });

  it('count until they are over, and not for ever', () => {
    const quota = new ClaimQuota(3);
    take(quota, 2);
    take(quota, 1, NOW + 100);
    expect(() => take(quota, 1, NOW + 179)).toThrow(expect.objectContaining(RATE_LIMITED) as Error);
    take(quota, 2, NOW + 190);
    expect(() => take(quota, 1, NOW + 190)).toThrow(expect.objectContaining(RATE_LIMITED) as Error);
  });

  it('say when there will be room', () => {
    const quota = new ClaimQuota(1);
    take(quota, 1);
    for (const at of [NOW, NOW + 60, NOW + 189]) {
      expect(() => take(quota, 1, at)).toThrow(
        expect.objectContaining({ hints: { retryAfter: NOW + 190 - at } }) as Error,
      );
    }
    take(quota, 1, NOW + 190);
  });

  it('do not count when they are given back', () => {
    const quota = new ClaimQuota(2);
    for (let i = 0; i < 100; i++) {
      take(quota, 1);
      quota.release(ALICE, NOW + 180);
    }
    take(quota, 2);
    expect(() => take(quota, 1)).toThrow();
  });

  it('cannot be given back more often than they were taken', () => {
    const quota = new ClaimQuota(2);
    take(quota, 1);
    for (const id of [ALICE, ALICE, 'b'.repeat(43)]) quota.release(id, NOW + 180);
    quota.release(ALICE, NOW + 500);
    take(quota, 2);
    expect(() => take(quota, 1)).toThrow();
  });

  it('do not outlast a clock that was hours ahead and is set right', () => {
    const quota = new ClaimQuota(2);
    take(quota, 2, NOW + 10 * 3600);
    take(quota, 2, NOW);
    expect(() => take(quota, 1, NOW)).toThrow();
  });

  it('still count when the clock steps back a little', () => {
    const quota = new ClaimQuota(2);
    take(quota, 2, NOW);
    for (const back of [1, 15, 300]) expect(() => take(quota, 1, NOW - back)).toThrow();
  });

  it('take bounded memory: so many instances, and so many buckets of each', () => {
    const quota = new ClaimQuota(1_000_000, 100);
    for (let i = 0; i < 1_000; i++) take(quota, 1, NOW, `i${i}`);
    expect(quota.size).toBe(100);
    const buckets = new Set<number>();
    // A token is at most 135 s old and 15 s ahead: what may be live at one time is in 20 buckets.
    for (let iat = NOW - 135; iat <= NOW + 15; iat++) buckets.add(Math.floor((iat + 180) / 10));
    expect(buckets.size).toBeLessThan(20);
  });
});

describe('the bound in the verifier', () => {
  const single = requiring({ challenge: 'single-use' });

  it('holds after the signature and before the claim: 429, and the store is not asked', async () => {
    const world = await aWorld({ quota: new ClaimQuota(2) });
    const { nonces } = world.settings;
    const claims: string[] = [];
    const claim = nonces.claim.bind(nonces);
    nonces.claim = (key, expiresAt) => (claims.push(key), claim(key, expiresAt));
    expect([outcomeOf(await world.verify()), outcomeOf(await world.verify())]).toEqual(['accepted', 'accepted']);
    const refused = await world.verify();
    expect(outcomeOf(refused)).toBe('rate_limited');
    expect(!refused.accepted && refused.error.hints.retryAfter).toBeGreaterThan(0);
    expect(claims).toHaveLength(2);
    world.clock.advance(200);
    expect(outcomeOf(await world.verify())).toBe('accepted');
  });

  it('is not used up by those who cannot sign', async () => {
    const world = await aWorld({ quota: new ClaimQuota(1) });
    for (let i = 0; i < 5; i++) {
      expect(outcomeOf(await world.verify({ token: { signature: Buffer.alloc(64, 1) } }))).toBe('bad_signature');
    }
    expect(outcomeOf(await world.verify())).toBe('accepted');
  });

  it('is not used up by copies of a token', async () => {
    const world = await aWorld({ quota: new ClaimQuota(3) });
    const parts = { token: { claims: { jti: 'j'.repeat(22) } } };
    expect(outcomeOf(await world.verify(parts))).toBe('accepted');
    for (let i = 0; i < 10; i++) expect(outcomeOf(await world.verify(parts))).toBe('replayed_token');
    expect(outcomeOf(await world.verify())).toBe('accepted');
    expect(outcomeOf(await world.verify())).toBe('accepted');
    expect(outcomeOf(await world.verify())).toBe('rate_limited');
  });

  it('counts what may be there though the store failed', async () => {
    const world = await aWorld({ quota: new ClaimQuota(1) });
    const claim = world.settings.nonces.claim.bind(world.settings.nonces);
    world.settings.nonces.claim = async (key, expiresAt) => {
      await claim(key, expiresAt);
      throw new Error('lost');
    };
    expect(outcomeOf(await world.verify())).toBe('store_unavailable');
    expect(outcomeOf(await world.verify())).toBe('rate_limited');
  });

  it('counts challenges as well as token ids, and a request once, however many guards look at it', async () => {
    const world = await aWorld({ quota: new ClaimQuota(3) });
    expect(outcomeOf(await world.verify({}, single))).toBe('accepted');
    const request = world.request();
    for (const requirement of [requiring(), requiring({ body: false }), requiring()])
      expect(outcomeOf(await world.verifier.verify(request, requirement))).toBe('accepted');
    expect(outcomeOf(await world.verify())).toBe('rate_limited');
  });

  it('does not hide an earlier failure', async () => {
    const world = await aWorld({ quota: new ClaimQuota(1) });
    await world.verify();
    await world.settings.bindings.revoke(world.key.id, { at: NOW, reason: 'stolen' });
    expect(outcomeOf(await world.verify())).toBe('instance_revoked');
  });
});

describe('the option', () => {
  const quotaOf = (limits?: TabOptions['limits']) =>
    new TabRuntime({
      origins: 'https://api.example.com',
      apps: [{ id: 'com.example.app', platform: 'android', allowUnattested: true }],
      stores: memoryStores(),
      secrets: 'random',
      limits,
    }).quota;

  it('is as large as said, and off unless it is said', () => {
    const quota = quotaOf({ liveClaims: 3_000 }) as ClaimQuota;
    take(quota, 3_000);
    expect(() => take(quota, 1)).toThrow(expect.objectContaining(RATE_LIMITED) as Error);
    for (const limits of [undefined, {}, { liveClaims: false as const }]) expect(quotaOf(limits)).toBeUndefined();
  });

  it.each([0, -1, 1.5, 1_000_001, true as never, '5' as never])('liveClaims: %j is refused', (liveClaims) => {
    expect(() => quotaOf({ liveClaims })).toThrow(/^limits\.liveClaims: /);
  });
});
