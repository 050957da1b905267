import { describe, expect, it } from 'vitest';
import { SessionWatch, type SessionEnd } from '../../../lib/bindings/session-watch.js';
import { aKey, anInstanceOf, aSessionOf, NOW, SESSION_ID, someSettings, TestClock } from '../../utils/core/index.js';

const INSTANCE = aKey().id;

/** A timer that only the test moves. */
class Intervals {
  readonly running = new Set<() => void>();
  milliseconds: number | undefined;
  readonly every = (milliseconds: number, callback: () => void) => {
    this.milliseconds = milliseconds;
    this.running.add(callback);
    return () => void this.running.delete(callback);
  };
}

async function setUp(interval?: number) {
  const clock = new TestClock();
  const settings = someSettings({}, clock);
  const intervals = new Intervals();
  const warnings: string[] = [];
  let loads = 0;
  let down = false;
  let gate: Promise<void> | undefined;
  const bindings = new Proxy(settings.bindings, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (name !== 'load') return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
      return async (...args: Parameters<typeof target.load>) => {
        loads += 1;
        await gate;
        if (down) throw new Error('secret-host is down');
        return target.load(...args);
      };
    },
  });
  const store = settings.bindings;
  await store.saveInstance(anInstanceOf(aKey()));
  await store.bind(aSessionOf(aKey()));
  const watch = new SessionWatch(
    { ...settings, bindings },
    { every: intervals.every, interval, warn: (message) => warnings.push(message) },
  );
  const seen: (SessionEnd | 'complete')[] = [];
  const follow = (id = SESSION_ID) =>
    watch.watch(id).subscribe({ next: (end) => seen.push(end), complete: () => seen.push('complete') });
  /** Lets looks at the store under way come to their end. */
  const settle = async () => {
    for (let i = 0; i < 50; i += 1) await Promise.resolve();
    await new Promise((resolve) => setImmediate(resolve));
  };
  const tick = async () => {
    for (const callback of intervals.running) callback();
    await settle();
  };
  return {
    clock,
    store,
    watch,
    intervals,
    warnings,
    seen,
    follow,
    settle,
    tick,
    loads: () => loads,
    setDown: (value: boolean) => void (down = value),
    setGate: (value: Promise<void> | undefined) => void (gate = value),
  };
}
const ended = (reason: string, id = SESSION_ID) => [{ id, reason }, 'complete'];
const ending = { reason: 'by an operator', at: NOW };

describe('SessionWatch', () => {
  it('says nothing while a session lives', async () => {
    const { follow, seen, tick, intervals, settle } = await setUp();
    const subscription = follow();
    await settle();
    await tick();
    expect(seen).toEqual([]);
    expect(intervals.milliseconds).toBe(2000);
    subscription.unsubscribe();
  });

  it('does nothing before it is subscribed to', async () => {
    const { watch, intervals, loads } = await setUp();
    watch.watch(SESSION_ID);
    expect([intervals.running.size, loads()]).toEqual([0, 0]);
  });

  it('emits at once what ends on this node', async () => {
    const { follow, seen, watch, settle, intervals } = await setUp();
    follow();
    await settle();
    watch.notify('another', 'x');
    expect(seen).toEqual([]);
    watch.notify(SESSION_ID, 'logged out');
    expect(seen).toEqual(ended('logged out'));
    expect(intervals.running.size).toBe(0);
    watch.notify(SESSION_ID, 'again');
    expect(seen).toHaveLength(2);
  });

  it('emits at once even before the first look has come back', async () => {
    const { follow, seen, watch, settle } = await setUp();
    follow();
    watch.notify(SESSION_ID, 'logged out');
    await settle();
    expect(seen).toEqual(ended('logged out'));
  });

  it('emits for the user, and for the instance', async () => {
    for (const kind of ['subject', 'instance'] as const) {
      const { follow, seen, watch, settle } = await setUp();
      follow();
      await settle();
      watch.notifySubject('bob', 'x');
      watch.notifyInstance('other', 'x');
      expect(seen).toEqual([]);
      if (kind === 'subject') watch.notifySubject('alice', 'all out');
      else watch.notifyInstance(INSTANCE, 'all out');
      expect(seen).toEqual(ended('all out'));
    }
  });

  type Store = Awaited<ReturnType<typeof setUp>>;
  const elsewhere: [what: string, end: (world: Store) => unknown, reason: string][] = [
    ['a session that ended', ({ store }) => store.endSession(SESSION_ID, ending), 'by an operator'],
    ["all of the user's", ({ store }) => store.endSessions('alice', ending), 'by an operator'],
    ['a suspended instance', ({ store }) => store.suspend(INSTANCE, ending, []), 'instance_suspended'],
    ['a revoked instance', ({ store }) => store.revoke(INSTANCE, ending), 'by an operator'],
    ['expiry', ({ clock }) => clock.advance(3600), 'expired'],
    [
      'a session that is gone',
      ({ store, clock }) => {
        clock.advance(3700);
        return store.sweep({ sessionsBefore: NOW + 3700, unattestedBefore: 0, breachesBefore: 0, limit: 10 });
      },
      'unknown',
    ],
  ];
  it.each(elsewhere)('emits with the next look what other nodes did: %s', async (_what, end, reason) => {
    const world = await setUp();
    world.follow();
    await world.settle();
    await end(world);
    expect(world.seen).toEqual([]);
    await world.tick();
    expect(world.seen).toEqual(ended(reason));
    expect(world.intervals.running.size).toBe(0);
  });

  it.each(elsewhere)('emits at once what was so before: %s', async (_what, end, reason) => {
    const world = await setUp();
    await end(world);
    world.follow();
    await world.settle();
    expect(world.seen).toEqual(ended(reason));
  });

  it('emits at once for a session that was never known', async () => {
    const { follow, seen, settle } = await setUp();
    follow('no-such-session-anywhere');
    await settle();
    expect(seen).toEqual(ended('unknown', 'no-such-session-anywhere'));
  });

  it('lives to the last second', async () => {
    const { follow, seen, clock, tick, settle } = await setUp();
    follow();
    await settle();
    clock.advance(3599);
    await tick();
    expect(seen).toEqual([]);
    clock.advance(1);
    await tick();
    expect(seen).toEqual(ended('expired'));
  });

  it('takes a store that fails for no end, tells it once, and goes on', async () => {
    const { follow, seen, store, setDown, tick, settle, warnings } = await setUp();
    setDown(true);
    follow();
    await settle();
    await tick();
    await store.endSession(SESSION_ID, ending);
    await tick();
    expect(seen).toEqual([]);
    expect(warnings).toEqual(['watched sessions cannot be looked up: TabError']);
    setDown(false);
    await tick();
    expect(seen).toEqual(ended('by an operator'));
    expect(warnings).toHaveLength(2);
    expect(warnings.join()).not.toContain('secret-host');
  });

  it('looks with one timer at all sessions, and once at each, whoever watches', async () => {
    const { follow, store, loads, tick, settle, intervals, seen } = await setUp();
    await store.bind(aSessionOf(aKey(), { id: 'second-session-of-22-chars', credentialHash: null }));
    const all = [follow(), follow(), follow('second-session-of-22-chars')];
    await settle();
    expect(intervals.running.size).toBe(1);
    const before = loads();
    await tick();
    expect(loads() - before).toBe(2);
    await store.endSession(SESSION_ID, ending);
    await tick();
    expect(seen.filter((each) => each !== 'complete')).toHaveLength(2);
    expect(intervals.running.size).toBe(1);
    for (const each of all) each.unsubscribe();
    expect(intervals.running.size).toBe(0);
  });

  it('does not look again while a look is under way', async () => {
    const { follow, loads, tick, settle, setGate, seen, store } = await setUp();
    follow();
    await settle();
    const before = loads();
    let open = () => {};
    setGate(new Promise((resolve) => (open = resolve)));
    await tick();
    await tick();
    await tick();
    expect(loads() - before).toBe(1);
    await store.endSession(SESSION_ID, ending);
    setGate(undefined);
    open();
    await settle();
    expect(seen).toEqual(ended('by an operator'));
  });

  it('looks at no more than 16 at a time', async () => {
    const { follow, store, loads, tick, settle, setGate } = await setUp();
    for (let i = 0; i < 40; i += 1) {
      const id = `session-${i}`.padEnd(22, 'x');
      await store.bind(aSessionOf(aKey(), { id, credentialHash: null }));
      follow(id);
    }
    await settle();
    const before = loads();
    let open = () => {};
    setGate(new Promise((resolve) => (open = resolve)));
    await tick();
    expect(loads() - before).toBe(16);
    open();
    await settle();
    expect(loads() - before).toBe(40);
  });

  it('leaves nothing behind when unsubscribed, even while a look is under way', async () => {
    const { follow, intervals, seen, settle, tick, loads, store } = await setUp();
    follow().unsubscribe();
    await settle();
    expect(intervals.running.size).toBe(0);
    await store.endSession(SESSION_ID, ending);
    const before = loads();
    await tick();
    expect([loads() - before, seen]).toEqual([0, []]);
  });

  it('can be watched anew from within, without end', async () => {
    const { watch, settle, seen } = await setUp();
    const again = (end: SessionEnd): void => {
      seen.push(end);
      if (seen.length < 3) watch.watch(end.id).subscribe(again);
    };
    watch.watch('no-such-session-anywhere').subscribe(again);
    await settle();
    await settle();
    await settle();
    expect(seen).toHaveLength(3);
  });

  it('watched anew from within is looked up for itself', async () => {
    const { watch, settle, seen } = await setUp();
    watch.watch(SESSION_ID).subscribe((end) => {
      seen.push(end);
      watch.watch(SESSION_ID).subscribe((again) => seen.push(again));
    });
    await settle();
    watch.notify(SESSION_ID, 'mistaken');
    await settle();
    expect(seen).toEqual([{ id: SESSION_ID, reason: 'mistaken' }]);
  });

  it('completes without an end at shutdown', async () => {
    const { follow, watch, seen, settle, intervals } = await setUp();
    follow();
    follow();
    await settle();
    watch.close();
    expect(seen).toEqual(['complete', 'complete']);
    expect(intervals.running.size).toBe(0);
    follow();
    expect(seen).toHaveLength(3);
    expect(intervals.running.size).toBe(0);
  });

  it('looks as often as configured', async () => {
    const { follow, intervals } = await setUp(500);
    follow().unsubscribe();
    expect(intervals.milliseconds).toBe(500);
  });
});
