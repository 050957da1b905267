import { AsyncLocalStorage } from 'node:async_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DeadlineQueue } from '../../../lib/errors/deadline-queue.js';
import { withDeadline } from '../../../lib/errors/deadline.js';

const realSetImmediate = setImmediate;
const never = () => new Promise<never>(() => undefined);

/** A call that is answered from outside. */
function aCall<T>(timeout = 1000): { readonly promise: Promise<T>; readonly answer: (value: T) => void } {
  let answer: (value: T) => void = () => undefined;
  const promise = withDeadline('it', timeout, () => new Promise<T>((resolve) => (answer = resolve)));
  return { promise, answer: (value) => answer(value) };
}

/** What became of a promise, as far as it has. */
function watched(promise: Promise<unknown>): { state: string } {
  const seen = { state: 'open' };
  promise.then(
    (value) => (seen.state = String(value)),
    (error: { code?: string; message: string }) => (seen.state = error.code ?? error.message),
  );
  return seen;
}

describe('waiting for an answer', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('ends for each call when its own time is over, not before', async () => {
    const calls: { state: string }[] = [];
    for (let i = 0; i < 3; i += 1) {
      calls.push(watched(withDeadline('it', 1000, never)));
      await vi.advanceTimersByTimeAsync(300);
    }
    const states = () => calls.map(({ state }) => state);
    await vi.advanceTimersByTimeAsync(99);
    expect(states()).toEqual(['open', 'open', 'open']);
    await vi.advanceTimersByTimeAsync(1);
    expect(states()).toEqual(['store_unavailable', 'open', 'open']);
    await vi.advanceTimersByTimeAsync(299);
    expect(states()).toEqual(['store_unavailable', 'open', 'open']);
    await vi.advanceTimersByTimeAsync(1);
    expect(states()).toEqual(['store_unavailable', 'store_unavailable', 'open']);
    await vi.advanceTimersByTimeAsync(300);
    expect(states()).toEqual(['store_unavailable', 'store_unavailable', 'store_unavailable']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('goes on for the others when the call that the timer was set for is answered', async () => {
    let answer: (value: string) => void = () => undefined;
    const first = watched(withDeadline('it', 1000, () => new Promise<string>((resolve) => (answer = resolve))));
    await vi.advanceTimersByTimeAsync(400);
    const second = watched(withDeadline('it', 1000, never));
    answer('done');
    await vi.advanceTimersByTimeAsync(999);
    expect([first.state, second.state]).toEqual(['done', 'open']);
    await vi.advanceTimersByTimeAsync(1);
    expect(second.state).toBe('store_unavailable');
  });

  it.each([
    ['first', [0, 1, 2]],
    ['last', [2, 1, 0]],
    ['middle', [1, 0, 2]],
  ])('needs no timer any more once all are answered, the %s one first', async (_which, order) => {
    const answers: (() => void)[] = [];
    const calls = order.map((_, i) =>
      watched(withDeadline('it', 1000, () => new Promise((resolve) => (answers[i] = () => resolve('done'))))),
    );
    expect(vi.getTimerCount()).toBe(1);
    for (const i of order) answers[i]?.();
    await vi.advanceTimersByTimeAsync(0);
    expect(calls.map(({ state }) => state)).toEqual(['done', 'done', 'done']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is told of a late answer in vain, and the calls behind it keep their time', async () => {
    let answer: (value: string) => void = () => undefined;
    const late = watched(withDeadline('it', 1000, () => new Promise<string>((resolve) => (answer = resolve))));
    await vi.advanceTimersByTimeAsync(1000);
    const next = watched(withDeadline('it', 1000, never));
    answer('done');
    await vi.advanceTimersByTimeAsync(999);
    expect([late.state, next.state]).toEqual(['store_unavailable', 'open']);
    await vi.advanceTimersByTimeAsync(1);
    expect(next.state).toBe('store_unavailable');
  });

  it('keeps times of different length apart', async () => {
    const long = watched(withDeadline('it', 5000, never));
    const short = watched(withDeadline('it', 10, never));
    await vi.advanceTimersByTimeAsync(10);
    expect([short.state, long.state]).toEqual(['store_unavailable', 'open']);
    await vi.advanceTimersByTimeAsync(4990);
    expect(long.state).toBe('store_unavailable');
  });

  it('is bounded for whatever has a then, functions included', async () => {
    // oxlint-disable-next-line unicorn/no-thenable
    const callable = Object.assign(() => undefined, { then: () => undefined });
    const call = watched(withDeadline('it', 1000, () => callable as never));
    await vi.advanceTimersByTimeAsync(1000);
    expect(call.state).toBe('store_unavailable');
  });

  it('ends at once where a then throws, and leaves nothing behind', async () => {
    const broken = {
      // oxlint-disable-next-line unicorn/no-thenable
      then: () => {
        throw new Error('broken');
      },
    };
    const call = watched(withDeadline('it', 1000, () => broken as never));
    await vi.advanceTimersByTimeAsync(0);
    expect([call.state, vi.getTimerCount()]).toEqual(['broken', 0]);
  });

  it('the exploit: what answers twice ends its own call only, and the calls behind it keep their time', async () => {
    const answers: (() => void)[] = [];
    // oxlint-disable-next-line unicorn/no-thenable
    const twice = { then: (resolve: (value: string) => void) => void answers.push(() => resolve('done')) };
    const first = watched(withDeadline('it', 1000, () => twice as never));
    await vi.advanceTimersByTimeAsync(0);
    answers[0]?.();
    await vi.advanceTimersByTimeAsync(0);
    const second = watched(withDeadline('it', 1000, never));
    answers[0]?.();
    await vi.advanceTimersByTimeAsync(1000);
    expect([first.state, second.state]).toEqual(['done', 'store_unavailable']);
  });

  it('passes a failure of the work on as it is, thrown or rejected, or as the caller wants it', async () => {
    const lost = new Error('lost');
    const thrown = withDeadline('it', 10, () => {
      throw lost;
    });
    await expect(thrown).rejects.toBe(lost);
    await expect(withDeadline('it', 10, () => Promise.reject(lost))).rejects.toBe(lost);
    const other = new Error('other');
    await expect(
      withDeadline(
        'it',
        10,
        () => Promise.reject(lost),
        () => other,
      ),
    ).rejects.toBe(other);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('the queue of calls', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('takes a call out once, however often it is told to', async () => {
    const queue = new DeadlineQueue(1000);
    const expired: string[] = [];
    const first = queue.add(() => expired.push('first'));
    queue.remove(first);
    queue.add(() => expired.push('second'));
    queue.remove(first);
    await vi.advanceTimersByTimeAsync(1000);
    expect(expired).toEqual(['second']);
  });

  it('goes on when the clock that its timer was set by has been put away', async () => {
    const queue = new DeadlineQueue(1000);
    const expired: string[] = [];
    queue.add(() => expired.push('first'));
    vi.clearAllTimers();
    await vi.advanceTimersByTimeAsync(2001);
    queue.add(() => expired.push('second'));
    await vi.advanceTimersByTimeAsync(1);
    expect(expired).toEqual(['first']);
    await vi.advanceTimersByTimeAsync(999);
    expect(expired).toEqual(['first', 'second']);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a call that is over', () => {
  /** Its own, and so a queue of its own. */
  const TIME = 3000;
  const collect = (): void => {
    setFlagsFromString('--expose-gc');
    (runInNewContext('gc') as () => void)();
  };
  /** As a busy store has it: some are open at any time, and each is answered with something of its own. */
  const traffic = async (meanwhile: () => Promise<void> = () => Promise.resolve()) => {
    const open = Array.from({ length: 20 }, () => aCall<object>(TIME));
    await meanwhile();
    const values: WeakRef<object>[] = [];
    for (let i = 0; i < 200; i += 1) {
      const value = { i };
      values.push(new WeakRef(value));
      const next = open.shift();
      next?.answer(value);
      open.push(aCall<object>(TIME));
      await next?.promise;
    }
    const end = async (): Promise<void> => {
      for (const { answer } of open) answer({});
      await Promise.all(open.map(({ promise }) => promise));
    };
    return { values, end };
  };
  const alive = async (values: readonly WeakRef<object>[]): Promise<number> => {
    // What a reference was made of stays until the turn is over.
    await new Promise((resolve) => realSetImmediate(resolve));
    collect();
    return values.filter((value) => value.deref() !== undefined).length;
  };
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  it('the exploit: is not kept by one whose time was over and that never ends', async () => {
    const hung = aCall<object>(TIME);
    const failed = watched(hung.promise);
    await vi.advanceTimersByTimeAsync(TIME - 1);
    const { values, end } = await traffic(async () => void (await vi.advanceTimersByTimeAsync(1)));
    expect(failed.state).toBe('store_unavailable');
    expect(await alive(values)).toBeLessThan(5);
    await end();
    hung.answer({});
  });

  it('is not kept by the timer that was set for the first', async () => {
    const { values, end } = await traffic();
    expect(await alive(values)).toBeLessThan(5);
    await end();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('leaves nothing of its request to the timer of the next', async () => {
    const requests = new AsyncLocalStorage<object>();
    const seen: unknown[] = [];
    const set = vi.spyOn(globalThis, 'setTimeout');
    set.mockImplementation(((run: () => void, delay: number) => {
      seen.push(requests.getStore());
      return { run, delay } as never;
    }) as never);
    const queue = new DeadlineQueue(1000);
    const first = requests.run({ id: 1 }, () => queue.add(() => undefined));
    await vi.advanceTimersByTimeAsync(400);
    requests.run({ id: 2 }, () => queue.add(() => undefined));
    const { run } = set.mock.results[0]!.value as { run: () => void };
    requests.run({ id: 1 }, () => run());
    expect(first.isWaiting).toBe(false);
    expect(seen).toEqual([{ id: 1 }, undefined]);
  });
});
