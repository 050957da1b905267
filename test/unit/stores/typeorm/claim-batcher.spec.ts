import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it } from 'vitest';
import { ClaimBatcher, type ClaimLimits } from '../../../../lib/stores/typeorm/nonces/claim-batcher.js';
import type { Claim } from '../../../../lib/stores/typeorm/nonces/claim.types.js';
import { aKey, NOW } from '../factories.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
/** Long enough for an answer to arrive, and for what it lets through to be sent. */
const turns = (): Promise<void> => turn().then(turn);
const UNAVAILABLE = { code: 'store_unavailable' };

interface Batch {
  readonly keys: readonly string[];
  /** Answers with those of the keys that are new to the table; all of them, unless told otherwise. */
  answer(won?: readonly string[]): Promise<void>;
  fail(error?: Error): Promise<void>;
}

/** A batcher whose inserts wait for the test. */
function aBatcher(limits: Partial<ClaimLimits> = {}) {
  const batches: Batch[] = [];
  const insert = (claims: readonly Claim[]): Promise<ReadonlySet<unknown>> =>
    new Promise((resolve, reject) => {
      const keys = claims.map(({ key }) => key);
      batches.push({
        keys,
        answer: (won = keys) => (resolve(new Set(won)), turns()),
        fail: (error = new Error('lost')) => (reject(error), turns()),
      });
    });
  const batcher = new ClaimBatcher(insert, limits);
  const claim = (key = aKey()) => {
    const outcome = batcher.claim(key, NOW);
    outcome.catch(() => undefined);
    return outcome;
  };
  const batch = (index: number): Batch => {
    const found = batches[index];
    if (!found) throw new Error(`no batch ${index}`);
    return found;
  };
  const sizes = () => batches.map(({ keys }) => keys.length);
  return { claim, batch, batches, sizes };
}

const isOpen = async (outcome: Promise<unknown>): Promise<boolean> => {
  const open = Symbol('open');
  return (await Promise.race([outcome.catch(() => undefined), turn().then(() => open)])) === open;
};

describe('batches', () => {
  it('hold the claims of one turn, in the order of their arrival', async () => {
    const { claim, batch, sizes } = aBatcher();
    const keys = [aKey(), aKey(), aKey()];
    const outcomes = keys.map(claim);
    await Promise.resolve();
    void claim();
    expect(sizes()).toEqual([]);
    await turn();
    expect(sizes()).toEqual([4]);
    expect(batch(0).keys.slice(0, 3)).toEqual(keys);
    await batch(0).answer([keys[1] ?? '']);
    expect(await Promise.all(outcomes)).toEqual([false, true, false]);
  });

  it('of an idle server do not wait for more than their turn', async () => {
    const { claim, batch, sizes } = aBatcher();
    for (let index = 0; index < 3; index++) {
      const outcome = claim();
      await turn();
      await batch(index).answer();
      expect(await outcome).toBe(true);
    }
    expect(sizes()).toEqual([1, 1, 1]);
  });

  it('are not larger than their limit', async () => {
    const { claim, sizes } = aBatcher({ maxBatch: 4 });
    for (let index = 0; index < 10; index++) void claim();
    await turn();
    expect(sizes()).toEqual([4, 4, 2]);
  });

  it('gather claims while as many as may be are under way', async () => {
    const { claim, batch, sizes } = aBatcher({ maxInFlight: 2 });
    for (let index = 0; index < 5; index++) {
      void claim();
      await turn();
    }
    expect(sizes()).toEqual([1, 1]);
    await batch(1).answer();
    expect(sizes()).toEqual([1, 1, 3]);
  });

  it('go on beside one that hangs', async () => {
    const { claim, batch } = aBatcher({ maxInFlight: 2 });
    const hung = claim();
    await turn();
    for (let index = 1; index < 5; index++) {
      const outcome = claim();
      await turn();
      await batch(index).answer();
      expect(await outcome).toBe(true);
    }
    expect(await isOpen(hung)).toBe(true);
    await batch(0).answer();
    expect(await hung).toBe(true);
  });

  it('do not inherit the context of a request', async () => {
    const context = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const batcher = new ClaimBatcher(async (claims) => {
      seen.push(context.getStore());
      await turn();
      return new Set(claims.map(({ key }) => key));
    });
    const within = (name: string) => context.run(name, () => batcher.claim(aKey(), NOW));
    await Promise.all([within('one'), within('two')]);
    await within('three');
    expect(seen).toEqual([undefined, undefined]);
  });
});

describe('copies', () => {
  it('lose against the first of them, whatever is asked of the table once', async () => {
    const { claim, batch, batches } = aBatcher();
    const key = aKey();
    const outcomes = [claim(key), claim(key), claim(), claim(key)];
    await turn();
    expect(batch(0).keys.filter((one) => one === key)).toEqual([key]);
    outcomes.push(claim(key));
    await turn();
    expect(batches).toHaveLength(1);
    await batch(0).answer();
    expect(await Promise.all(outcomes)).toEqual([true, false, true, false, false]);
  });

  it('lose when the first loses', async () => {
    const { claim, batch } = aBatcher();
    const key = aKey();
    const outcomes = [claim(key), claim(key)];
    await turn();
    await batch(0).answer([]);
    expect(await Promise.all(outcomes)).toEqual([false, false]);
  });

  it('are refused when nobody knows whether the first won', async () => {
    const { claim, batch } = aBatcher();
    const key = aKey();
    const outcomes = [claim(key), claim(key)];
    await turn();
    await batch(0).fail();
    for (const outcome of outcomes) await expect(outcome).rejects.toMatchObject(UNAVAILABLE);
  });

  it('that come after the answer are asked of the table again', async () => {
    const { claim, batch } = aBatcher();
    const key = aKey();
    void claim(key);
    await turn();
    await batch(0).answer();
    const later = claim(key);
    await turn();
    await batch(1).answer([]);
    expect(await later).toBe(false);
  });
});

describe('a batch that fails', () => {
  it('refuses its own claims, is not sent again, and stops no other', async () => {
    const { claim, batch, sizes } = aBatcher({ maxBatch: 2 });
    const outcomes = [claim(), claim(), claim(), claim()];
    await turn();
    await batch(0).fail();
    await batch(1).answer();
    await turn();
    for (const outcome of outcomes.slice(0, 2)) await expect(outcome).rejects.toMatchObject(UNAVAILABLE);
    expect(await Promise.all(outcomes.slice(2))).toEqual([true, true]);
    expect(sizes()).toEqual([2, 2]);
  });

  it('tells nobody the keys', async () => {
    const { claim, batch } = aBatcher();
    const key = aKey();
    const outcome = claim(key);
    await turn();
    await batch(0).fail(Object.assign(new Error(key), { code: 'X1', parameters: [key], driverError: { code: 'X1' } }));
    const error: unknown = await outcome.catch((reason: unknown) => reason);
    expect(JSON.stringify([String(error), error, (error as Error).cause])).not.toContain(key);
  });

  it('also when the insert throws at once, and leaves room', async () => {
    let fails = true;
    const batcher = new ClaimBatcher(
      (claims) => {
        if (fails) throw new Error('no connection');
        return Promise.resolve(new Set(claims.map(({ key }) => key)));
      },
      { maxInFlight: 1, maxWaiting: 1 },
    );
    await expect(batcher.claim(aKey(), NOW)).rejects.toMatchObject(UNAVAILABLE);
    fails = false;
    expect(await batcher.claim(aKey(), NOW)).toBe(true);
  });
});

describe('the queue', () => {
  it('refuses what is above its limit at once, copies and those under way included, and takes claims again', async () => {
    const { claim, batch, batches } = aBatcher({ maxInFlight: 1, maxWaiting: 4 });
    const [first, copied] = [claim(), aKey()];
    await turn();
    const waiting = [claim(copied), claim(copied), claim()];
    for (const key of [aKey(), copied]) {
      await expect(claim(key)).rejects.toMatchObject({ ...UNAVAILABLE, hints: { retryAfter: 2 } });
    }
    await batch(0).answer();
    expect(await first).toBe(true);
    await batch(1).answer();
    expect(await Promise.all(waiting)).toEqual([true, false, true]);
    const again = [claim(), claim(), claim(), claim()];
    await turn();
    await batch(2).answer();
    expect(await Promise.all(again)).toEqual([true, true, true, true]);
    expect(batches).toHaveLength(3);
  });
});
