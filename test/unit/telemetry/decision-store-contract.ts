import { expect } from 'vitest';
import type { DecisionStore } from '../../../lib/telemetry/decision-store.js';
import type { SummaryKey } from '../../../lib/telemetry/decision-summary.js';
import { caseBuilder, type ContractCase, type OpenStore } from '../../../lib/testing/contract/contract.types.js';
import type { TrustDecision } from '../../../lib/trust/trust-decision.js';
import { aDecision, aDecisionId, aRefusal, AT } from './factories.js';

/** What every decision store does, whatever is behind it. */
export function decisionStoreContract(open: () => Promise<OpenStore<DecisionStore>>): ContractCase[] {
  const test = caseBuilder(open);
  const keeping = async (store: DecisionStore, decisions: TrustDecision[]) => {
    await store.record(decisions);
    return (by: SummaryKey, since = AT) => store.summarize({ since, by });
  };
  return [
    test('finds a record as it was, member by member', async ({ store }) => {
      const full = aRefusal({
        ...aDecision(),
        outcome: 'refused',
        enforced: false,
        category: 'reused',
        code: 'replayed_token',
        action: 'suspend',
      });
      const threats = aDecision({ threats: ['vpn', 'x-acme-thing'], flags: ['vpn'], watched: ['x-acme-thing'] });
      const bare = aRefusal({ code: undefined, detail: undefined });
      await store.record([full, threats, bare]);
      expect(await store.find(full.id)).toEqual(full);
      expect(await store.find(threats.id)).toEqual(threats);
      const found = await store.find(bare.id);
      expect(found).toEqual(bare);
      expect(Object.values(found ?? {})).not.toContain(null);
    }),

    test('finds nothing under an id that only resembles one', async ({ store }) => {
      const id = `${aDecisionId().slice(0, 20)}aB`;
      await store.record([aDecision({ id })]);
      for (const other of [id.toLowerCase(), `${id} `, id.slice(0, 21), '', "' OR 1=1 --", `${id}\0`, 'x'.repeat(5000)])
        expect(await store.find(other), JSON.stringify(other)).toBeUndefined();
      expect(await store.find(id)).toBeDefined();
    }),

    test('keeps nothing twice, so that a call can be repeated', async ({ store }) => {
      const [first, second] = [aDecision(), aDecision()];
      await store.record([first]);
      await store.record([{ ...first, path: '/other' }, second, second]);
      await store.record([]);
      expect((await store.summarize({ since: AT, by: 'code' })).categories.verified).toBe(2);
      expect(await store.find(first.id)).toEqual(first);
    }),

    test('keeps hundreds in one call', async ({ store }) => {
      const decisions = Array.from({ length: 263 }, (_, index) => aDecision({ at: AT + index }));
      await store.record(decisions);
      expect(await store.recent({ limit: 1000 })).toEqual(decisions.toReversed());
    }),

    test('lists the latest, newest first, within limits', async ({ store }) => {
      const times = [AT + 5, AT - 5, AT + 9, AT, ...Array.from({ length: 120 }, (_, index) => AT - 1000 - index)];
      await store.record(times.map((at) => aDecision({ at })));
      const listed = async (query: object) => (await store.recent(query)).map(({ at }) => at - AT);
      expect(await listed({ since: AT })).toEqual([9, 5, 0]);
      expect(await listed({ since: AT, limit: 2 })).toEqual([9, 5]);
      expect(await listed({ limit: 0 })).toEqual([9]);
      expect(await listed({})).toHaveLength(100);
      expect(await listed({ limit: Number.POSITIVE_INFINITY })).toHaveLength(124);
      expect(await listed({ limit: Number.NaN })).toHaveLength(100);
    }),

    test('counts by category, and by verdict', async ({ store }) => {
      const summarize = await keeping(store, [
        aDecision(),
        aDecision({ enforced: false }),
        aDecision({ watched: ['vpn'], threats: ['vpn'] }),
        aRefusal(),
        aRefusal({ enforced: false }),
        aRefusal({ code: 'replayed_token', category: 'reused', watched: ['vpn'] }),
        aRefusal({ at: AT - 1 }),
      ]);
      expect(await summarize('code')).toEqual({
        categories: { verified: 3, 'outdated-client': 0, 'unknown-origin': 2, invalid: 0, reused: 1 },
        rows: [
          { key: 'accepted', total: 3, accepted: 2, refused: 0, watched: 1 },
          { key: 'missing_token', total: 2, accepted: 0, refused: 1, watched: 1 },
          { key: 'replayed_token', total: 1, accepted: 0, refused: 1, watched: 0 },
        ],
      });
      expect((await summarize('code', AT - 1)).categories['unknown-origin']).toBe(3);
      expect(await summarize('code', AT + 1)).toMatchObject({ rows: [], categories: { verified: 0 } });
    }),

    test('counts by version and by route; what is not known is unknown', async ({ store }) => {
      const summarize = await keeping(store, [
        aDecision(),
        aDecision({ appVersion: '1.4.0+b' }),
        aDecision({ appVersion: '1.4.0', appId: 'com.example.App', route: '/a' }),
        aDecision({ route: '/A' }),
        aRefusal(),
      ]);
      expect((await summarize('version')).rows.map(({ key, total }) => [key, total])).toEqual([
        ['com.example.app@1.4.0', 2],
        ['com.example.App@1.4.0', 1],
        ['com.example.app@1.4.0+b', 1],
        ['unknown', 1],
      ]);
      expect((await summarize('route')).rows.map(({ key, total }) => [key, total])).toEqual([
        ['/accounts/:id', 2],
        ['/A', 1],
        ['/a', 1],
        ['unknown', 1],
      ]);
    }),

    test('counts every threat of a decision', async ({ store }) => {
      const summarize = await keeping(store, [
        aDecision({ threats: ['vpn', 'root'], flags: ['vpn', 'root'] }),
        aDecision({ threats: ['root', 'vpn'], watched: ['root'] }),
        aRefusal({ threats: ['root', 'root'] }),
        aRefusal({ threats: [] }),
      ]);
      const { rows, categories } = await summarize('threat');
      expect(rows).toEqual([
        { key: 'root', total: 3, accepted: 1, refused: 1, watched: 1 },
        { key: 'vpn', total: 2, accepted: 1, refused: 0, watched: 1 },
      ]);
      expect(categories).toMatchObject({ verified: 2, 'unknown-origin': 2 });
    }),

    test('tells sets of threats apart that begin alike', async ({ store }) => {
      const many = Array.from({ length: 40 }, (_, index) => `x-vendor-${'threat'.repeat(7)}-${index}`);
      const summarize = await keeping(store, [
        aDecision({ threats: [...many, 'vpn'] }),
        aDecision({ threats: [...many, 'root'] }),
      ]);
      const rows = new Map((await summarize('threat')).rows.map(({ key, total }) => [key, total]));
      expect([rows.get('vpn'), rows.get('root'), rows.get(many[0] ?? '')]).toEqual([1, 1, 2]);
    }),

    test('shows a hundred rows, and the rest as one', async ({ store }) => {
      const routes = Array.from({ length: 103 }, (_, index) => `/r${String(index).padStart(3, '0')}`);
      const many = routes.slice(0, 100).map((route) => aDecision({ route }));
      const summarize = await keeping(store, [
        ...many,
        ...routes.map((route) => aDecision({ route })),
        aRefusal({ route: '/r102' }),
      ]);
      const { rows } = await summarize('route');
      expect(rows).toHaveLength(101);
      expect(rows[0]).toMatchObject({ key: '/r000', total: 2 });
      expect(rows.at(-1)).toEqual({ key: 'other', total: 4, accepted: 3, refused: 1, watched: 0 });
      expect(rows.slice(0, 3).map(({ key }) => key)).toEqual(['/r000', '/r001', '/r002']);
    }),

    test('keeps a record whose texts are too long, or hold what an engine refuses', async ({ store }) => {
      const strange = aDecision({
        subject: `NUL \0, half \uD83D, ${'😀'.repeat(200)}`,
        path: `/${'ä'.repeat(400)}`,
        detail: 'd'.repeat(900),
        route: `/${'r'.repeat(400)}`,
        threats: ['NUL \0', "o'hara"],
        duration: Number.MIN_VALUE,
        at: AT + 0.5,
      });
      const plain = aDecision();
      await store.record([strange, plain]);
      expect(await store.find(plain.id)).toEqual(plain);
      expect(await store.find(strange.id)).toMatchObject({ id: strange.id, threats: ['NUL \0', "o'hara"] });
    }),
  ];
}
