import { afterEach, describe, expect, it, vi } from 'vitest';
import { TabConfigError } from '../../../lib/errors/tab-error.js';
import { MemoryDecisionStore } from '../../../lib/telemetry/memory-decision-store.js';
import { TabDecisions } from '../../../lib/telemetry/tab-decisions.js';
import { aToken, aWorld, CREDENTIAL, requiring } from '../../utils/core/index.js';
import { aDecision, aRefusal, AT, someDecisions, TestStore } from './factories.js';

afterEach(() => {
  vi.useRealTimers();
});

describe('TabDecisions', () => {
  it('streams a decision at once, and finds it before any store has it', async () => {
    const store = new TestStore();
    const { decisions, streamed } = someDecisions({ store });
    const decision = aDecision();
    decisions.record(decision);
    expect(streamed).toEqual([decision]);
    expect(store.batches).toEqual([]);
    expect(await decisions.find(decision.id)).toEqual(decision);
    await decisions.flush();
    expect(await decisions.find(decision.id)).toEqual(decision);
    expect(await decisions.find('unknown')).toBeUndefined();
  });

  it('tells what acts on decisions of them as they are, whatever operators are shown', async () => {
    const { decisions, streamed } = someDecisions({ redact: (decision) => ({ ...decision, instanceId: 'hidden' }) });
    const made: unknown[] = [];
    decisions.made.subscribe((decision) => made.push(decision));
    const decision = aDecision({ instanceId: 'an-instance' });
    decisions.record(decision);
    expect(made).toEqual([decision]);
    expect(streamed).toMatchObject([{ instanceId: 'hidden' }]);
    await decisions.close();
  });

  it('needs no option', async () => {
    const decisions = new TabDecisions();
    decisions.record(aDecision({ at: 5 }));
    expect((await decisions.recent({ since: new Date(5), limit: 1 })).map(({ at }) => at)).toEqual([5]);
    expect(await decisions.recent({ since: 5.5 })).toEqual([]);
    await decisions.close();
  });

  it('summarises since a time, whatever its form, and what was recorded this very moment', async () => {
    const { decisions } = someDecisions();
    decisions.record(aRefusal({ at: AT - 1 }));
    decisions.record(aRefusal({ enforced: false }));
    decisions.record(aDecision());
    const summary = await decisions.summary({ since: new Date(AT), by: 'code' });
    expect(summary).toEqual({
      since: AT,
      by: 'code',
      total: 2,
      categories: { verified: 1, 'outdated-client': 0, 'unknown-origin': 1, invalid: 0, reused: 0 },
      rows: [
        { key: 'accepted', total: 1, accepted: 1, refused: 0, watched: 0 },
        { key: 'missing_token', total: 1, accepted: 0, refused: 0, watched: 1 },
      ],
    });
    expect(await decisions.summary({ since: AT, by: 'code' })).toEqual(summary);
    expect((await decisions.summary({ since: AT - 1, by: 'route' })).total).toBe(3);
  });

  it('refuses a query that makes no sense', async () => {
    const { decisions } = someDecisions();
    await expect(decisions.summary({ since: new Date('never'), by: 'code' })).rejects.toThrow(TypeError);
    await expect(decisions.summary({ since: Number.NaN, by: 'code' })).rejects.toThrow(TypeError);
    await expect(decisions.summary({ since: AT, by: 'subject' as never })).rejects.toThrow(
      /code, threat, version, route/,
    );
    await expect(decisions.recent({ since: 'yesterday' as never })).rejects.toThrow(TypeError);
  });

  it('sweeps what the store keeps no longer', async () => {
    const store = new TestStore();
    const { decisions } = someDecisions({ store });
    expect(await decisions.sweep(500)).toBe(3);
    expect(store.swept).toEqual([[AT - 60_000, 500]]);
    expect(await someDecisions({ store: new MemoryDecisionStore() }).decisions.sweep(500)).toBe(0);
  });

  it('refuses options that cannot work', () => {
    expect(() => new TabDecisions({ redact: 'subject' as never })).toThrow(TabConfigError);
    expect(() => new TabDecisions({ queueSize: 0 })).toThrow(TabConfigError);
    for (const store of [null, {}, [], 5])
      expect(() => new TabDecisions({ store: store as never })).toThrow(TabConfigError);
  });

  it('ends the stream when it is closed, after the last records have reached the store', async () => {
    const store = new TestStore();
    const { decisions } = someDecisions({ store });
    const ended: number[] = [];
    decisions.stream.subscribe({ complete: () => ended.push(store.batches.flat().length) });
    for (let index = 0; index < 450; index += 1) decisions.record(aDecision());
    await decisions.close();
    expect(ended).toEqual([450]);
    expect(store.batches.map(({ length }) => length)).toEqual([200, 200, 50]);
    expect(decisions.dropped).toBe(0);
    await decisions.close();
  });
});

describe('a store that the application makes', () => {
  it('is taken into use at the start; records wait until then', async () => {
    vi.useFakeTimers();
    const store = new TestStore();
    const { decisions } = someDecisions({ store: { create: async () => store } });
    const decision = aDecision();
    decisions.record(decision);
    expect(await decisions.find(decision.id)).toEqual(decision);
    await expect(decisions.recent()).rejects.toThrow(/not initialised/);
    expect(await decisions.sweep(1)).toBe(0);
    await decisions.start(() => undefined as never);
    await vi.advanceTimersByTimeAsync(200);
    expect(store.batches).toEqual([[decision]]);
  });

  it('gets the container, and fails the start when it cannot be made or is none', async () => {
    const asked: unknown[] = [];
    const lookup = (token: unknown) => asked.push(token) as never;
    const { decisions } = someDecisions({ store: { create: (find) => (find(TestStore), new TestStore()) } });
    await decisions.start(lookup);
    expect(asked).toEqual([TestStore]);
    const failing = someDecisions({ store: { create: () => Promise.reject(new Error('no database')) } });
    await expect(failing.decisions.start(lookup)).rejects.toThrow('no database');
    await expect(someDecisions({ store: { create: () => ({}) as never } }).decisions.start(lookup)).rejects.toThrow(
      TabConfigError,
    );
    await failing.decisions.close();
  });
});

describe('behind the verifier', () => {
  it('no record, stored or streamed, holds a token, credential or challenge', async () => {
    const { decisions, streamed, warnings } = someDecisions();
    const world = await aWorld({}, { session: true });
    const nonce = world.challenge();
    const spoiled = [{}, { signature: Buffer.alloc(64, 1) }, { claims: { htm: 'PUT' } }, { header: { alg: 'none' } }];
    const secrets: string[] = [CREDENTIAL, nonce];
    for (const token of spoiled) {
      const foreign = aToken();
      const request = world.request({
        session: true,
        target: `/reset/${foreign}?card=4111111111111111&t=${CREDENTIAL}`,
        token: { ...token, claims: { nonce, ...token.claims } },
      });
      secrets.push(...request.headers.values('tab-token').flatMap((each) => each.split('.')), ...foreign.split('.'));
      decisions.record((await world.verifier.verify(request, requiring({ session: 'required' }))).decision);
    }
    const told = JSON.stringify([streamed, await decisions.recent(), warnings]);
    expect(streamed).toHaveLength(spoiled.length);
    expect(secrets.filter((secret) => secret.length > 2 && told.includes(secret))).toEqual([]);
    expect(told).not.toContain('4111111111111111');
  });
});
