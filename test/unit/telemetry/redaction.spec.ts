import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { redactDecision } from '../../../lib/telemetry/redaction.js';
import type { TrustDecision } from '../../../lib/trust/trust-decision.js';
import { aDecision, aDecisionFullOf, aRefusal, someDecisions, someTokens } from './factories.js';

const unhooked = (decision: TrustDecision): TrustDecision => redactDecision(decision, undefined, () => undefined);
const FIXED = ({ id, at, outcome, enforced, category, code }: TrustDecision) => ({
  id,
  at,
  outcome,
  enforced,
  category,
  code,
  method: '',
  path: '',
  threats: [],
  flags: [],
  watched: [],
  duration: 0,
});

describe('a record', () => {
  it('is what was decided, frozen', () => {
    const decision = aRefusal({ ...aDecision({ threats: ['vpn'], flags: ['vpn'] }), code: 'insufficient_trust' });
    const record = unhooked(decision);
    expect(record).toEqual(decision);
    expect([record, record.threats, record.flags].every(Object.isFrozen)).toBe(true);
  });

  it('has known members only', () => {
    expect(unhooked({ ...aDecision(), token: 'secret', headers: { authorization: 'x' } } as never)).toEqual({
      ...aDecision(),
      id: expect.any(String) as string,
    });
  });

  it('holds no token, wherever one was written, whole or cut off', () => {
    for (const token of someTokens()) {
      const text = JSON.stringify(unhooked(aDecisionFullOf(token)));
      for (const segment of token.split('.').filter((each) => each.length > 1)) expect(text).not.toContain(segment);
      expect(text).toContain('[token]');
    }
  });

  it('keeps ordinary names and ids as they are', () => {
    const names = {
      path: '/files/annual-report.final.version-2/extraordinary-circumstances/monkeyJumpingOverTheFence',
      handler: 'InternationalTransfersController.createStandingOrder',
      subject: 'first.last@example.com',
      appId: 'com.example.banking.android.production',
      appVersion: '10.20.30-beta.20250101+build.abcdef',
      instanceId: 'eyJ'.padEnd(43, 'x'),
      sessionId: 'eyJ'.padEnd(32, 'x'),
    };
    expect(unhooked(aDecision(names))).toMatchObject(names);
  });

  it('takes no longer for texts that nearly are tokens', () => {
    const nearly = `${'a'.repeat(50_000)}.${'-'.repeat(50_000)}.!`;
    expect(unhooked(aDecision({ detail: nearly })).detail).toBe(nearly);
  });
});

describe('a redaction hook', () => {
  it('changes what leaves: the stream, the store', async () => {
    const { decisions, streamed } = someDecisions({
      redact: ({ subject: _subject, ...rest }) => ({ ...rest, path: '/hidden' }),
    });
    const decision = aDecision({ path: '/customers/4711' });
    decisions.record(decision);
    for (const record of [streamed[0], await decisions.find(decision.id), (await decisions.recent())[0]]) {
      expect(record).toMatchObject({ id: decision.id, path: '/hidden', sessionId: decision.sessionId });
      expect(record).not.toHaveProperty('subject');
    }
  });

  it('cannot change what was decided, nor the decision that the guard acts on', () => {
    const decision = aRefusal({ threats: ['root'] });
    const before = structuredClone(decision);
    const record = redactDecision(
      decision,
      (shown) => {
        const open = shown as { -readonly [K in keyof TrustDecision]: TrustDecision[K] };
        open.id = 'x';
        open.outcome = 'accepted';
        open.enforced = false;
        open.category = 'verified';
        open.code = undefined;
        (open.threats as string[]).length = 0;
        return open;
      },
      () => undefined,
    );
    expect(decision).toEqual(before);
    expect(record).toEqual({ ...before, threats: [] });
  });

  it('that adds a token adds nothing', () => {
    for (const token of someTokens().slice(0, 2)) {
      const record = redactDecision(
        aDecision(),
        (shown) => ({ ...shown, detail: token, token, threats: [token] }) as TrustDecision,
        () => undefined,
      );
      expect(JSON.stringify(record)).not.toContain(token.split('.')[1]);
    }
  });

  const broken: [string, (decision: TrustDecision) => unknown][] = [
    [
      'throws',
      () => {
        throw new Error('cannot redact alice');
      },
    ],
    ['returns nothing', () => undefined],
    ['returns null', () => null],
    ['returns a text', () => 'alice'],
    ['returns a promise', async (decision) => decision],
    [
      'returns a promise that rejects',
      async () => {
        throw new Error('later');
      },
    ],
    ['leaves out a member', ({ threats: _threats, ...rest }) => rest],
    ['changes the type of a text', (decision) => ({ ...decision, subject: { name: 'alice' } })],
    ['changes the type of a list', (decision) => ({ ...decision, flags: 'alice' })],
    ['changes the type in a list', (decision) => ({ ...decision, flags: [{ alice: 1 }] })],
    ['changes the type of a number', (decision) => ({ ...decision, duration: 'alice' })],
  ];
  it.each(broken)('that %s leaves only the outcome, and a warning without what it said', async (_name, redact) => {
    const { decisions, streamed, warnings, clock } = someDecisions({ redact: redact as never });
    const all = [aRefusal({ subject: 'alice', threats: ['root'] }), aRefusal()];
    for (const decision of all) decisions.record(decision);
    expect(streamed).toEqual(all.map(FIXED));
    expect(await decisions.find(all[0]?.id ?? '')).toEqual(streamed[0]);
    expect(warnings).toEqual([expect.stringMatching(/^decisions\.redact failed \(\w+\)/)]);
    clock.now += 60_000;
    decisions.record(aRefusal());
    expect(warnings).toHaveLength(2);
    expect(warnings.join()).not.toContain('alice');
  });

  it('of any behaviour neither throws out of record nor lets more than known members out', () => {
    fc.assert(
      fc.property(fc.anything(), (returned) => {
        const record = redactDecision(
          aRefusal(),
          () => returned as never,
          () => undefined,
        );
        return (
          record.code === 'missing_token' && Object.keys(record).every((key) => key in aDecision() || key in aRefusal())
        );
      }),
    );
  });
});
