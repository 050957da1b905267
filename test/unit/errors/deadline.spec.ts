import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { withDeadline } from '../../../lib/errors/deadline.js';

const never = () => new Promise<never>(() => undefined);

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
