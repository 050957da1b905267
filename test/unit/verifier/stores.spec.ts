import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TabError } from '../../../lib/errors/tab-error.js';
import { memoryStores } from '../../../lib/stores/memory/index.js';
import { readClaims } from '../../../lib/token/claims.js';
import {
  aWorld,
  outcomeOf,
  requiring,
  someClaims,
  someEvidence,
  NOW,
  TestClock,
  type World,
} from '../../utils/core/index.js';

const never = () => new Promise<never>(() => undefined);
const fail = () => Promise.reject(new Error('connection refused'));
const throwAtOnce = () => {
  throw new Error('not connected');
};

/** Replaces a method of a store of this world. */
const sabotage = (world: World, store: 'nonces' | 'bindings', method: string, how: () => unknown) => {
  (world.settings[store] as unknown as Record<string, unknown>)[method] = how;
};

describe('a store that fails', () => {
  it.each([
    ['binding store, with the key unknown (step 3)', 'bindings', 'load', false],
    ['binding store, with the key at hand (step 4)', 'bindings', 'load', true],
    ['nonce store (step 6)', 'nonces', 'claim', true],
  ] as const)('%s: store_unavailable', async (_what, store, method, warm) => {
    for (const how of [fail, throwAtOnce, () => Promise.reject(new TabError('store_unavailable', 'full'))]) {
      const world = await aWorld();
      if (warm) expect(outcomeOf(await world.verify())).toBe('accepted');
      sabotage(world, store, method, how);
      expect(outcomeOf(await world.verify())).toBe('store_unavailable');
    }
  });

  it.each([1, 'OK', {}, 'true', null, undefined])('takes the answer %j of a claim for a refusal', async (answer) => {
    const world = await aWorld();
    sabotage(world, 'nonces', 'claim', () => Promise.resolve(answer));
    expect(outcomeOf(await world.verify())).toBe('replayed_token');
  });

  it('says when to come again', async () => {
    const world = await aWorld();
    sabotage(world, 'nonces', 'claim', fail);
    const verification = await world.verify();
    expect(!verification.accepted && verification.error.hints.retryAfter).toBeGreaterThan(0);
    expect(!verification.accepted && verification.error.detail).not.toContain('connection refused');
  });

  it('lets a store say that an instance has too many live claims', async () => {
    const world = await aWorld();
    sabotage(world, 'nonces', 'claim', () =>
      Promise.reject(new TabError('rate_limited', 'too many live claims', { hints: { retryAfter: 9 } })),
    );
    expect(outcomeOf(await world.verify())).toBe('rate_limited');
  });

  it('has the code of the first failing step, whatever ran first', async () => {
    const world = await aWorld();
    sabotage(world, 'nonces', 'claim', fail);
    const vpn = { token: { claims: { rt: someEvidence({ found: ['vpn'] }) } } };
    expect(outcomeOf(await world.verify(vpn))).toBe('insufficient_trust');
    expect(outcomeOf(await world.verify({}, requiring({ session: 'required' })))).toBe('invalid_session');
  });

  it('suspends nobody for a report that cannot be told from a replay', async () => {
    const world = await aWorld();
    sabotage(world, 'nonces', 'claim', fail);
    const breach = { token: { claims: { rt: someEvidence({ found: ['hooking'], clear: ['root', 'debugger'] }) } } };
    // Step 5 is before step 6: the app answers the threat, whatever the policy lets through.
    for (const requirement of [requiring(), requiring({ runtime: { deny: [] } }), requiring({ onBreach: 'suspend' })])
      expect(outcomeOf(await world.verify(breach, requirement))).toBe('insufficient_trust');
    expect(await world.settings.bindings.findBreaches({})).toEqual([]);
    const { instance } = await world.settings.bindings.load({ instanceId: world.key.id });
    expect(instance?.status).toBe('active');
  });

  it('leaves no unhandled rejection behind when a step before refuses', async () => {
    const world = await aWorld();
    sabotage(world, 'nonces', 'claim', fail);
    const seen: unknown[] = [];
    const listener = (reason: unknown) => seen.push(reason);
    process.on('unhandledRejection', listener);
    await world.verify({}, requiring({ session: 'required' }));
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', listener);
    expect(seen).toEqual([]);
  });
});

describe('a store that hangs', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it.each([
    ['bindings', 'load'],
    ['nonces', 'claim'],
  ] as const)('%s.%s: store_unavailable once its time is over, not before', async (store, method) => {
    const world = await aWorld();
    sabotage(world, store, method, never);
    let settled = false;
    const verification = world.verify().finally(() => (settled = true));
    await vi.advanceTimersByTimeAsync(1999);
    expect(settled).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(outcomeOf(await verification)).toBe('store_unavailable');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('hangs in suspending: refused', async () => {
    const world = await aWorld();
    sabotage(world, 'bindings', 'suspend', never);
    const verification = world.verify({
      token: { claims: { rt: someEvidence({ found: ['hooking'], clear: ['root', 'debugger'] }) } },
    });
    await vi.advanceTimersByTimeAsync(2000);
    expect(outcomeOf(await verification)).toBe('store_unavailable');
  });
});

describe('a nonce store that forgets', () => {
  const none = requiring({ challenge: 'none' });

  it('refuses tokens from before its life, and up to 15 s into it, where no challenge tells them apart', async () => {
    const world = await aWorld();
    for (const [after, expected] of [
      [0, 'stale_token'],
      [15, 'stale_token'],
      [16, 'accepted'],
    ] as const) {
      world.clock.seconds = NOW + after;
      expect(outcomeOf(await world.verify({}, none)), `${after} s`).toBe(expected);
    }
  });

  it('does not fence where challenges do', async () =>
    expect(outcomeOf(await (await aWorld()).verify())).toBe('accepted'));

  it('ignores a nonce where none is required', async () => {
    const clock = new TestClock();
    const { bindings, nonces } = memoryStores({ clock: clock.read });
    Object.defineProperty(nonces, 'volatility', { value: undefined });
    const world = await aWorld({ bindings, nonces });
    for (const nonce of [undefined, 'anything', 'A'.repeat(64)]) {
      expect(outcomeOf(await world.verify({ token: { claims: { nonce } } }, none)), String(nonce)).toBe('accepted');
    }
    expect(readClaims(someClaims()).nonce).toBeUndefined();
  });
});
