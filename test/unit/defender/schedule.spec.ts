import { describe, expect, it } from 'vitest';
import type { DefenderOptions } from '../../../lib/defender/index.js';
import { FakeServer, refusal, T0 } from './fake-server.js';
import { FakeTimers, latch, settled, useHarness } from './harness.js';

const harness = useHarness();

/** A Defender whose probe counts its runs, with timers that run when told to. */
function scene(override: Partial<DefenderOptions> = {}) {
  const timers = new FakeTimers();
  const state = { runs: 0 };
  const probes = [{ name: 'root', run: () => (++state.runs > 0 ? ('clear' as const) : ('found' as const)) }];
  const defender = harness.defender({ timers, probes, ...override });
  const get = () => defender.fetch(`${harness.server.origin}/a`);
  /** Lets half of the greatest age pass. */
  const turn = async () => {
    harness.clock.advance(30);
    await timers.turn();
  };
  return { timers, state, defender, get, turn };
}

const ages = () => harness.server.calls.map(({ claims }) => claims.iat - claims.rt.at);

describe('measuring ahead', () => {
  it('begins with use, at half the greatest age', async () => {
    const { timers, state, get, turn } = scene({ evidenceMaxAge: 60 });
    expect(timers.delays).toEqual([]);
    await get();
    expect([timers.delays, state.runs]).toEqual([[30_000], 1]);
    await turn();
    expect([timers.delays, state.runs]).toEqual([[30_000], 2]);
  });

  it.each(['ready', 'enrol', 'token'] as const)('begins with %s()', async (method) => {
    const { timers, defender } = scene();
    const url = `${harness.server.origin}/a`;
    await (method === 'token' ? defender.token({ method: 'GET', url }) : defender[method]());
    expect(timers.delays).toEqual([30_000]);
  });

  it('lets requests find evidence that is young', async () => {
    const { state, get, turn } = scene();
    await get();
    for (let index = 0; index < 5; index += 1) {
      await turn();
      harness.clock.advance(29);
      const before = state.runs;
      await get();
      expect(state.runs).toBe(before);
      harness.clock.advance(-29);
    }
    expect(Math.max(...ages())).toBe(29);
  });

  it('rests when nothing is sent for five times the greatest age, and wakes with the next request', async () => {
    const { timers, state, get, turn } = scene();
    await get();
    for (let index = 0; index < 10; index += 1) await turn();
    expect([timers.delays, state.runs]).toEqual([[30_000], 11]);
    await turn();
    expect([timers.delays, state.runs]).toEqual([[], 11]);
    harness.clock.advance(1_000_000);
    await get();
    expect([timers.delays, state.runs]).toEqual([[30_000], 12]);
    expect(ages()).toEqual([0, 0]);
  });

  it('does not rest while requests come', async () => {
    const { timers, get, turn } = scene();
    for (let index = 0; index < 25; index += 1) {
      await get();
      for (let half = 0; half < 9; half += 1) await turn();
      expect(timers.delays).toEqual([30_000]);
    }
  });

  it('never lets evidence be used past its age, even when a probe hangs in the schedule', async () => {
    const door = latch();
    let runs = 0;
    const run = async () => {
      runs += 1;
      if (runs === 2) await door.opened;
      return 'clear' as const;
    };
    const { get, turn } = scene({ probes: [{ name: 'root', run }] });
    await get();
    await turn();
    await get();
    harness.clock.advance(31);
    const waiting = get();
    await settled();
    expect(harness.server.calls).toHaveLength(2);
    door.open();
    await waiting;
    expect(ages()).toEqual([0, 30, 0]);
  });

  it.each<[string, Partial<DefenderOptions>]>([
    ['schedule: false', { schedule: false }],
    ['evidenceMaxAge: 0', { evidenceMaxAge: 0 }],
  ])('does not happen with %s', async (_, override) => {
    let subscribed = 0;
    const remeasureOn = () => {
      subscribed += 1;
      return () => undefined;
    };
    const { timers, get } = scene({ ...override, remeasureOn });
    await get();
    expect([timers.delays, subscribed]).toEqual([[], 0]);
  });

  it('ends with close()', async () => {
    const { timers, state, get, defender } = scene();
    await get();
    await defender.close();
    expect(timers.delays).toEqual([]);
    expect(state.runs).toBe(1);
  });

  it('a run under way at close() is the last', async () => {
    const { timers, get, defender } = scene();
    await get();
    const turned = timers.turn();
    await defender.close();
    await turned;
    expect(timers.delays).toEqual([]);
  });

  it('does not keep a Node process alive', async () => {
    const { defender } = scene({ timers: undefined });
    const set: NodeJS.Timeout[] = [];
    const original = globalThis.setTimeout;
    const spy = (run: () => void, ms?: number) => {
      const timer = original(run, ms);
      if (ms === 30_000) set.push(timer);
      return timer;
    };
    globalThis.setTimeout = Object.assign(spy, original) as typeof setTimeout;
    try {
      await defender.ready();
    } finally {
      globalThis.setTimeout = original;
    }
    expect(set.map((timer) => timer.hasRef())).toEqual([false]);
    await defender.close();
  });
});

describe('events', () => {
  function withEvents(override: Partial<DefenderOptions> = {}) {
    const events = { fire: (): void => undefined, ended: 0 };
    const remeasureOn = (trigger: () => void) => {
      events.fire = trigger;
      return () => void (events.ended += 1);
    };
    return { ...scene({ remeasureOn, ...override }), events };
  }

  it('make it measure, once for many at the same time', async () => {
    const { events, state, get } = withEvents();
    await get();
    for (let index = 0; index < 5; index += 1) events.fire();
    await settled();
    expect(state.runs).toBe(2);
  });

  it('mean nothing before the first use, and while it rests', async () => {
    const { events, state, get, turn } = withEvents();
    events.fire();
    await settled();
    expect(state.runs).toBe(0);
    await get();
    for (let index = 0; index < 11; index += 1) await turn();
    const before = state.runs;
    events.fire();
    await settled();
    expect(state.runs).toBe(before);
  });

  it('end with close(), even when the end throws', async () => {
    const { events, state, get, defender } = withEvents();
    await get();
    await defender.close();
    expect(events.ended).toBe(1);
    events.fire();
    await settled();
    expect(state.runs).toBe(1);
    const unwilling = harness.defender({
      remeasureOn: () => () => {
        throw new Error('gone');
      },
    });
    await unwilling.close();
  });
});

describe('max_age of a refusal', () => {
  const tooOld = (challenge: string) => refusal('insufficient_trust', { 'WWW-Authenticate': challenge }, 403);
  const TAB = 'TAB error="insufficient_trust", max_age=';

  it.each<[string, number]>([
    [`${TAB}10`, 2],
    [`Bearer realm="a, b", ${TAB}10`, 2],
    [`${TAB}10, Bearer max_age=5`, 2],
    [`${TAB}0`, 2],
    [`${TAB}60`, 1],
    [`${TAB}300`, 1],
    [`${TAB}-5`, 1],
    [`Bearer max_age=5, TAB error="insufficient_trust"`, 1],
    ['TAB error="step_up_required", requirement="attestation", max_age=10', 1],
  ])('%s: measured %i times', async (challenge, runs) => {
    const { state, get } = scene();
    harness.server.answers = [tooOld(challenge)];
    expect((await get()).status).toBe(403);
    harness.clock.advance(11);
    await get();
    expect(state.runs).toBe(runs);
  });

  it.each([
    ['http://api.example.com', 1],
    ['https://api.example.com', 2],
  ])('of %s: measured %i times', async (api, runs) => {
    const server = new FakeServer(api);
    let measured = 0;
    const run = () => (++measured > 0 ? 'clear' : 'found');
    const probes = [{ name: 'root', run } as const];
    const defender = harness.defender({ api, fetch: server.fetch, allowPlainHttp: true, probes, schedule: false });
    // Anybody on the way could have written it over plain http.
    server.answers = [tooOld(`${TAB}10`)];
    expect((await defender.fetch(`${api}/a`)).status).toBe(403);
    harness.clock.advance(11);
    await defender.fetch(`${api}/a`);
    expect(measured).toBe(runs);
    expect(server.problems).toEqual([]);
  });

  it('makes the schedule run more often, at most once a second', async () => {
    const { timers, get, turn } = scene();
    harness.server.answers = [tooOld(`${TAB}10`), tooOld(`${TAB}1`)];
    await get();
    await turn();
    expect(timers.delays).toEqual([5_000]);
    await get();
    await turn();
    expect(timers.delays).toEqual([1_000]);
  });

  it('0 measures for every token, and ends the schedule', async () => {
    const { timers, state, get, turn } = scene();
    harness.server.answers = [tooOld(`${TAB}0`)];
    await get();
    await turn();
    expect(timers.delays).toEqual([]);
    const before = state.runs;
    await get();
    await get();
    expect(state.runs).toBe(before + 2);
    expect(harness.server.calls.at(-1)?.claims.rt.at).toBe(T0 + 30);
  });

  it('never makes it grow', async () => {
    const { get, timers, turn } = scene({ evidenceMaxAge: 20 });
    harness.server.answers = [tooOld(`${TAB}300`)];
    await get();
    await turn();
    expect(timers.delays).toEqual([10_000]);
  });
});
