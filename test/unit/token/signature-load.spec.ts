import { afterEach, describe, expect, it, vi } from 'vitest';
import { SignatureVerifier } from '../../../lib/token/signature.js';
import { aKey, aWorld, outcomeOf, signAs, type CallParts, type World } from '../../utils/core/index.js';

/** How each signature was verified, in order. */
const { ways } = vi.hoisted(() => ({ ways: [] as ('here' | 'pool')[] }));

vi.mock('node:crypto', async (original) => {
  const crypto = await original<typeof import('node:crypto')>();
  const verify = (...args: Parameters<typeof crypto.verify>) => {
    ways.push(typeof args[4] === 'function' ? 'pool' : 'here');
    return crypto.verify(...args);
  };
  return { ...crypto, verify };
});

const BAD: CallParts = { token: { signature: Buffer.alloc(64, 1) } };

/** Until the event loop has come round. */
const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

const CORES = 2;

describe('where signatures are verified', () => {
  const aWarmWorld = async (mode: 'auto' | 'sync' | 'pool', cores = CORES): Promise<World> => {
    const world = await aWorld({ signatures: new SignatureVerifier(mode, cores) });
    // A key is at hand from its second use on.
    for (let i = 0; i < 2; i += 1) expect(outcomeOf(await world.verify())).toBe('accepted');
    await nextTurn();
    ways.length = 0;
    return world;
  };
  const together = async (world: World, count: number, parts?: CallParts) =>
    (await Promise.all(Array.from({ length: count }, () => world.verify(parts)))).map(outcomeOf);

  afterEach(() => {
    ways.length = 0;
  });

  it('auto: here while requests come one by one', async () => {
    const world = await aWarmWorld('auto');
    for (let i = 0; i < 8; i += 1) {
      expect(outcomeOf(await world.verify())).toBe('accepted');
      await nextTurn();
    }
    expect(new Set(ways)).toEqual(new Set(['here']));
  });

  it('auto: on the pool once four requests are under way, whatever they wait for', async () => {
    const world = await aWarmWorld('auto');
    expect(await together(world, 8)).toEqual(Array.from({ length: 8 }, () => 'accepted'));
    expect(ways).toEqual(['here', 'here', 'here', 'pool', 'pool', 'pool', 'pool', 'pool']);
  });

  it('auto: on the pool once one turn of the event loop brings four, though each has ended before the next', async () => {
    const world = await aWarmWorld('auto');
    for (let i = 0; i < 4; i += 1) expect(outcomeOf(await world.verify())).toBe('accepted');
    expect(ways).toEqual(['here', 'here', 'here', 'pool']);
  });

  it('auto: here while no more than three are there at once', async () => {
    const world = await aWarmWorld('auto');
    for (let turn = 0; turn < 4; turn += 1) {
      expect(await together(world, 3)).toEqual(['accepted', 'accepted', 'accepted']);
      await nextTurn();
    }
    expect(new Set(ways)).toEqual(new Set(['here']));
  });

  it('auto: stays on the pool until one is left, and here until there are four again', async () => {
    const { publicKey, privateKey } = aKey('ES256');
    const input = Buffer.from('some data');
    const signatures = new SignatureVerifier('auto', CORES);
    const step = async (change: 'enter' | 'leave', way: 'here' | 'pool') => {
      signatures[change]();
      await nextTurn();
      ways.length = 0;
      await signatures.check({ alg: 'ES256', key: publicKey }, input, signAs('ES256', privateKey, input));
      expect(ways).toEqual([way]);
      await nextTurn();
    };
    for (const way of ['here', 'here', 'here', 'pool', 'pool'] as const) await step('enter', way);
    for (const way of ['pool', 'pool', 'pool', 'here'] as const) await step('leave', way);
    await step('enter', 'here');
    await step('enter', 'here');
    await step('enter', 'pool');
  });

  it('auto: comes back from the pool where the clock is that of a test, which may be put away at any time', async () => {
    const world = await aWarmWorld('auto');
    vi.useFakeTimers({ toFake: ['setImmediate'] });
    await together(world, 8);
    vi.useRealTimers();
    await nextTurn();
    ways.length = 0;
    expect(outcomeOf(await world.verify())).toBe('accepted');
    expect(ways).toEqual(['here']);
  });

  it('auto: always here on a single core, whose pool would only take turns with this thread', async () => {
    const world = await aWarmWorld('auto', 1);
    await together(world, 8);
    expect(new Set(ways)).toEqual(new Set(['here']));
  });

  it.each<[string, CallParts | undefined, string]>([
    ['accepted', undefined, 'accepted'],
    ['refused by their signature', BAD, 'bad_signature'],
    ['refused before it', { token: { claims: { htm: 'PUT' } } }, 'request_mismatch'],
  ])('auto: here again once all have ended, %s', async (_what, parts, outcome) => {
    const world = await aWarmWorld('auto');
    expect(new Set(await together(world, 6, parts))).toEqual(new Set([outcome]));
    await nextTurn();
    ways.length = 0;
    expect(outcomeOf(await world.verify())).toBe('accepted');
    expect(ways).toEqual(['here']);
  });

  it.each([
    ['sync', 'here'],
    ['pool', 'pool'],
  ] as const)('%s: always so', async (mode, way) => {
    const world = await aWarmWorld(mode);
    await world.verify();
    await together(world, 4);
    expect(ways).toEqual([way, way, way, way, way]);
  });
});
