import { trace } from '@opentelemetry/api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TAB_ERROR_CODES, type TabErrorCode } from '../../../lib/errors/codes.js';
import { DECISION_CATEGORIES } from '../../../lib/trust/trust-decision.js';
import { aToken } from '../../utils/core/index.js';
import { aDecision, aDecisionFullOf, aRefusal, someDecisions, someTokens } from './factories.js';
import { FakeOtel } from './fake-otel.js';

afterEach(() => FakeOtel.unregister());

describe('without an SDK', () => {
  it('metrics are nothing, and harm nobody', () => {
    const { decisions, streamed, warnings } = someDecisions();
    decisions.record(aDecision());
    expect([streamed.length, warnings]).toEqual([1, []]);
  });

  it('and with one that is registered later, they begin then; with the next one, there', () => {
    const { decisions } = someDecisions();
    decisions.record(aDecision());
    const first = new FakeOtel().register();
    decisions.record(aDecision());
    FakeOtel.unregister();
    const second = new FakeOtel().register();
    decisions.record(aDecision());
    decisions.record(aDecision());
    expect([first, second].map((otel) => otel.of('tab.decisions').length)).toEqual([1, 2]);
  });
});

describe('with an SDK', () => {
  let otel: FakeOtel;
  beforeEach(() => {
    otel = new FakeOtel().register();
  });

  it('decisions are counted by outcome, code and category', () => {
    const { decisions } = someDecisions();
    decisions.record(aDecision());
    decisions.record(aRefusal());
    expect(otel.of('tab.decisions')).toEqual([
      { name: 'tab.decisions', value: 1, attributes: { 'tab.outcome': 'accepted', 'tab.category': 'verified' } },
      {
        name: 'tab.decisions',
        value: 1,
        attributes: { 'tab.outcome': 'refused', 'tab.code': 'missing_token', 'tab.category': 'unknown-origin' },
      },
    ]);
  });

  it('durations are in seconds', () => {
    const { decisions } = someDecisions();
    decisions.record(aDecision({ duration: 250 }));
    decisions.record(aRefusal({ duration: 0.5 }));
    expect(otel.of('tab.verify.duration').map(({ value, attributes }) => [value, attributes])).toEqual([
      [0.25, { 'tab.outcome': 'accepted' }],
      [0.0005, { 'tab.outcome': 'refused' }],
    ]);
    expect(otel.instruments.get('tab.verify.duration')).toMatchObject({ unit: 's', scope: 'nestjs-tab' });
    expect(otel.instruments.get('tab.store.duration')).toMatchObject({ unit: 's' });
  });

  it('the active span gets an event, which leads to the record', () => {
    const { decisions } = someDecisions();
    const refusal = aRefusal();
    trace.getTracer('app').startActiveSpan('GET /accounts', () => decisions.record(refusal));
    decisions.record(aDecision());
    expect(otel.events).toEqual([
      {
        name: 'tab.decision',
        attributes: { 'tab.decision.id': refusal.id, 'tab.outcome': 'refused', 'tab.code': 'missing_token' },
      },
    ]);
  });

  it('attributes come from closed lists, whatever a record says', () => {
    const { decisions } = someDecisions();
    const token = aToken();
    const codes = Object.keys(TAB_ERROR_CODES) as TabErrorCode[];
    const strange = { code: token, category: token, outcome: token } as never;
    trace.getTracer('app').startActiveSpan('GET /', () => {
      for (const each of someTokens()) decisions.record(aDecisionFullOf(each));
      for (const code of [...codes, 'toString' as never]) decisions.record(aRefusal({ code }));
      decisions.record(aRefusal({ ...(strange as object), subject: 'alice' }));
    });
    const values = [...otel.points, ...otel.events].flatMap(({ attributes }) =>
      Object.entries(attributes).filter(([name]) => name !== 'tab.decision.id'),
    );
    const allowed: Record<string, readonly unknown[]> = {
      'tab.outcome': ['accepted', 'refused'],
      'tab.code': [...codes, 'other'],
      'tab.category': DECISION_CATEGORIES,
    };
    expect(values.filter(([name, value]) => !allowed[name]?.includes(value))).toEqual([]);
    const told = JSON.stringify([otel.points, otel.events]);
    for (const secret of [...token.split('.'), 'alice', 'accounts']) expect(told).not.toContain(secret);
  });

  it('see what the redaction hook left, and no duration where it failed', () => {
    const { decisions } = someDecisions({
      redact: () => {
        throw new Error();
      },
    });
    decisions.record(aRefusal());
    expect(otel.points.map(({ name }) => name)).toEqual(['tab.decisions']);
  });

  it('that fail keep no decision from being recorded', async () => {
    const { decisions, warnings, streamed } = someDecisions();
    otel.broken = true;
    const all = [aDecision(), aRefusal()];
    for (const each of all) decisions.record(each);
    expect(streamed).toEqual(all);
    expect(await decisions.recent()).toHaveLength(2);
    expect(warnings).toEqual(['metrics of a decision failed (Error)']);
  });
});
