import { describe, expect, it, vi } from 'vitest';
import { TabError } from '../../../lib/errors/tab-error.js';
import type { AppraisalRule } from '../../../lib/trust/appraisal-rule.js';
import { anInstanceOf, aWorld, NOW, outcomeOf, requiring, someEvidence, World } from '../../utils/core/index.js';

const report = (...found: string[]) => ({
  token: { claims: { rt: someEvidence({ found, clear: ['root', 'debugger'] }) } },
});
const stateOf = async (world: World) => (await world.settings.bindings.load({ instanceId: world.key.id })).instance;
const breachesOf = (world: World) => world.settings.bindings.findBreaches({});
const withSession = { session: true } as const;

describe('rules of one’s own', () => {
  const verdicts: readonly [string, AppraisalRule, string, string | undefined][] = [
    ['pass', () => 'pass', 'accepted', undefined],
    ['pass, later', () => Promise.resolve('pass'), 'accepted', undefined],
    ['flag', () => ({ flag: 'odd-hour' }), 'accepted', undefined],
    [
      'deny',
      function quota() {
        return { deny: 'over it' };
      },
      'insufficient_trust',
      'rule quota: over it',
    ],
    [
      'stepUp',
      function fresh() {
        return { stepUp: 'anew' };
      },
      'step_up_required',
      'rule fresh: anew',
    ],
    [
      'a throw',
      function broken() {
        throw new Error('secret');
      },
      'store_unavailable',
      'rule broken failed',
    ],
    [
      'a rejection',
      async function later() {
        await Promise.reject(new Error('secret'));
        return 'pass' as const;
      },
      'store_unavailable',
      'rule later failed',
    ],
    [
      'a TabError thrown',
      function sly() {
        throw new TabError('missing_token', 'x');
      },
      'store_unavailable',
      'rule sly failed',
    ],
    [
      'nothing',
      function silent() {
        return undefined as never;
      },
      'store_unavailable',
      'rule silent gave no verdict',
    ],
    [
      'true',
      function yes() {
        return true as never;
      },
      'store_unavailable',
      'rule yes gave no verdict',
    ],
    [
      'null',
      function nil() {
        return null as never;
      },
      'store_unavailable',
      'rule nil gave no verdict',
    ],
    [
      'an empty object',
      function empty() {
        return {} as never;
      },
      'store_unavailable',
      'rule empty gave no verdict',
    ],
    [
      'deny and flag at once',
      function both() {
        return { flag: 'x', deny: 'y' } as never;
      },
      'insufficient_trust',
      'rule both: y',
    ],
  ];

  it.each(verdicts)('%s', async (_what, rule, outcome, detail) => {
    const world = await aWorld();
    const verification = await world.verify({}, requiring({ appraise: [rule] }));
    expect(outcomeOf(verification)).toBe(outcome);
    expect(verification.decision.detail).toBe(detail);
    expect(JSON.stringify(verification.decision)).not.toContain('secret');
  });

  it('see what was proven, and nothing that was not', async () => {
    const world = await aWorld({}, withSession);
    const rule = vi.fn((): 'pass' => 'pass');
    const parts = { ...withSession, method: 'POST', target: '/transfers?card=4111', ...report('vpn') };
    await world.verify(parts, requiring({ session: 'required', runtime: { flag: ['vpn'] }, appraise: [rule] }));
    expect(rule).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ found: ['vpn'] }), {
      app: { id: 'com.example.app', version: '1.4.0' },
      instance: anInstanceOf(world.key),
      proof: 'signature',
      subject: 'alice',
      method: 'POST',
      path: '/transfers',
      now: NOW,
    });
  });

  it('raise flags beside those of the evidence, in their order', async () => {
    const world = await aWorld();
    const appraise = [() => ({ flag: 'one' }), () => 'pass' as const, () => ({ flag: 'two' })];
    const verification = await world.verify(report('vpn'), requiring({ runtime: { flag: ['vpn'] }, appraise }));
    expect(verification.accepted && verification.context.flags).toEqual(['vpn', 'one', 'two']);
    expect(verification.decision).toMatchObject({ flags: ['vpn', 'one', 'two'], watched: [] });
  });

  it('are asked in turn, only after everything else has passed, and not after one that refuses', async () => {
    const world = await aWorld();
    const last = vi.fn((): 'pass' => 'pass');
    expect(outcomeOf(await world.verify(report('vpn'), requiring({ appraise: [last] })))).toBe('insufficient_trust');
    const appraise = [() => ({ deny: 'no' }), last];
    expect(outcomeOf(await world.verify({}, requiring({ appraise })))).toBe('insufficient_trust');
    expect(last).not.toHaveBeenCalled();
  });

  it('that deny break trust: onBreach follows', async () => {
    const world = await aWorld();
    const appraise = [() => ({ deny: 'no' })];
    const verification = await world.verify({}, requiring({ appraise, onBreach: 'revoke-instance' }));
    expect(verification.decision.action).toBe('revoke-instance');
    expect((await stateOf(world))?.status).toBe('revoked');
    expect(await breachesOf(world)).toMatchObject([{ threats: [], action: 'revoke-instance' }]);
  });

  it.each(['a throw', 'a rejection', 'nothing'])('that fail by %s act on nobody', async (what) => {
    const rule = verdicts.find(([name]) => name === what)?.[1] as AppraisalRule;
    const world = await aWorld();
    await world.verify({}, requiring({ appraise: [rule], onBreach: 'revoke-instance' }));
    expect((await stateOf(world))?.status).toBe('active');
    expect(await breachesOf(world)).toEqual([]);
  });
});

describe('a rule that never answers', () => {
  it('refuses the request in time, and is named in the record', async () => {
    const world = new World({ storeTimeout: 20 });
    await world.enrol();
    const asksForEver = () => new Promise<never>(() => undefined);
    const verification = await world.verify({}, requiring({ appraise: [asksForEver] }));
    expect(outcomeOf(verification)).toBe('store_unavailable');
    expect(verification.decision.detail).toContain('asksForEver');
  });
});
