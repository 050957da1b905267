import { describe, expect, it, vi } from 'vitest';
import type { AppraisalVerdict } from '../../../lib/trust/appraisal-rule.js';
import type { BreachAction, TrustRequirement, TrustRequirementOptions } from '../../../lib/trust/requirement.js';
import {
  aKey,
  anApp,
  anInstanceOf,
  aWorld,
  NOW,
  outcomeOf,
  requiring,
  SESSION_ID,
  someEvidence,
  World,
  type CallParts,
} from '../../utils/core/index.js';

const lenient = requiring({ runtime: { deny: [], require: [] } });
const report = (...found: string[]) => ({
  token: { claims: { rt: someEvidence({ found, clear: ['root', 'debugger'] }) } },
});
const stateOf = async (world: World) => (await world.settings.bindings.load({ instanceId: world.key.id })).instance;
const breachesOf = (world: World) => world.settings.bindings.findBreaches({});

describe('a threat that suspends', () => {
  it('suspends the instance which reports it, and refuses even where the policy is lenient', async () => {
    const world = await aWorld();
    expect(outcomeOf(await world.verify(report('hooking', 'vpn'), lenient))).toBe('insufficient_trust');
    expect(await stateOf(world)).toMatchObject({
      status: 'suspended',
      suspendedBy: ['hooking'],
      statusAt: NOW,
      statusReason: 'threat found: hooking',
    });
    expect(outcomeOf(await world.verify({}, lenient))).toBe('instance_suspended');
  });

  it('names all of them', async () => {
    const world = await aWorld({
      apps: new Map([['com.example.app', anApp({ suspendOn: ['hooking', 'root', 'x-acme-worm'] })]]),
    });
    await world.verify({
      token: { claims: { rt: someEvidence({ found: ['x-acme-worm', 'vpn', 'root'], clear: [] }) } },
    });
    expect((await stateOf(world))?.suspendedBy).toEqual(['x-acme-worm', 'root']);
  });

  it('suspends also where the policy refuses anyway', async () => {
    const world = await aWorld();
    await world.verify(report('hooking'), requiring({ minVersion: '99.0.0' }));
    expect((await stateOf(world))?.status).toBe('suspended');
  });

  it.each([
    ['another threat', report('vpn')],
    ['a bad signature', { token: { ...report('hooking').token, signature: Buffer.alloc(64, 1) } }],
    ['another request', { token: { claims: { ...report('hooking').token.claims, htm: 'PUT' } } }],
    ['no challenge', { token: { claims: { ...report('hooking').token.claims, nonce: undefined } } }],
  ])('suspends nobody for %s', async (_what, parts) => {
    const world = await aWorld();
    expect(outcomeOf(await world.verify(parts))).not.toBe('accepted');
    expect((await stateOf(world))?.status).toBe('active');
  });

  it('suspends nobody in monitor mode, where the policy may even let the threat through', async () => {
    const world = await aWorld();
    const monitored = requiring({ mode: 'monitor' });
    const verification = await world.verify(report('hooking'), monitored);
    expect(outcomeOf(verification)).toBe('insufficient_trust');
    expect(verification.decision.enforced).toBe(false);
    expect(verification.decision.action).toBeUndefined();
    expect(outcomeOf(await world.verify(report('hooking'), requiring({ ...lenient, mode: 'monitor' })))).toBe(
      'accepted',
    );
    expect((await stateOf(world))?.status).toBe('active');
    expect(await breachesOf(world)).toEqual([]);
  });

  it('does not suspend again by a replayed report after a recovery', async () => {
    const world = await aWorld();
    const request = world.request(report('hooking'));
    await world.verifier.verify(request, requiring());
    const suspended = await stateOf(world);
    await world.settings.bindings.saveInstance(anInstanceOf(world.key), suspended?.revision);
    expect((await stateOf(world))?.status).toBe('active');
    for (const requirement of [requiring(), lenient]) {
      expect(outcomeOf(await world.verifier.verify({ ...request }, requirement))).not.toBe('accepted');
    }
    expect((await stateOf(world))?.status).toBe('active');
    expect(outcomeOf(await world.verify())).toBe('accepted');
  });

  it('refuses a replayed report for its threat, which is step 5, and acts on nobody', async () => {
    const world = await aWorld();
    const request = world.request(report('hooking'));
    expect((await world.verifier.verify(request, lenient)).decision.action).toBe('suspend');
    await world.settings.bindings.saveInstance(anInstanceOf(world.key), (await stateOf(world))?.revision);
    const again = await world.verifier.verify({ ...request }, lenient);
    expect(outcomeOf(again)).toBe('insufficient_trust');
    expect(again.decision).not.toHaveProperty('action');
    expect((await stateOf(world))?.status).toBe('active');
    expect(await breachesOf(world)).toHaveLength(1);
  });
});

const ACTIONS: readonly BreachAction[] = ['reject', 'revoke-session', 'suspend', 'revoke-instance'];
const withSession = { session: true } as const;
const sessionOf = async (world: World) =>
  (await world.settings.bindings.load({ instanceId: world.key.id, sessionId: SESSION_ID })).session;

describe('onBreach', () => {
  const denying = (onBreach: BreachAction, more: TrustRequirementOptions = {}) =>
    requiring({ session: 'required', onBreach, ...more });

  // action: status of the instance, whether the session lives, the answer to the next clean request.
  const effects: readonly [BreachAction, string, boolean, string][] = [
    ['reject', 'active', true, 'accepted'],
    ['revoke-session', 'active', false, 'invalid_session'],
    ['suspend', 'suspended', true, 'instance_suspended'],
    ['revoke-instance', 'revoked', false, 'instance_revoked'],
  ];

  it.each(effects)('%s: the instance is %s, the session lives: %s; then %s', async (action, status, lives, next) => {
    const world = await aWorld({}, withSession);
    const verification = await world.verify({ ...withSession, ...report('vpn') }, denying(action));
    expect(outcomeOf(verification)).toBe('insufficient_trust');
    expect(verification.decision.action).toBe(action);
    expect((await stateOf(world))?.status).toBe(status);
    expect((await sessionOf(world))?.endedAt === null).toBe(lives);
    expect(outcomeOf(await world.verify(withSession, denying(action)))).toBe(next);
    expect(await breachesOf(world)).toEqual([
      {
        id: verification.decision.id,
        instanceId: world.key.id,
        sessionId: SESSION_ID,
        at: NOW,
        code: 'insufficient_trust',
        threats: ['vpn'],
        action,
        detail: 'threat found: vpn',
      },
    ]);
  });

  it.each<[string, TrustRequirementOptions, CallParts]>([
    ['a required probe that is not clear', { runtime: { require: ['overlay'] } }, {}],
    ['a version that is too low', { minVersion: '9.0.0' }, {}],
    ['old evidence', { runtime: { maxAge: 5 } }, {}],
    ['low assurance', { assurance: 'tee' }, {}],
    ['an old attestation', { attestationMaxAge: 10 }, {}],
    ['another format', { formats: ['android-key'] }, {}],
    ['a threat that asks for a step-up', { runtime: { stepUp: ['vpn'] } }, report('vpn')],
    ['a rule that asks for a step-up', { appraise: [() => ({ stepUp: 'more' })] }, {}],
  ])('%s is refused, and is no breach', async (_what, requirement, parts) => {
    const world = await aWorld({}, withSession);
    const verification = await world.verify({ ...withSession, ...parts }, denying('revoke-instance', requirement));
    expect(outcomeOf(verification)).toMatch(/^(insufficient_trust|step_up_required)$/);
    expect(verification.decision).not.toHaveProperty('action');
    expect((await stateOf(world))?.status).toBe('active');
    expect(await breachesOf(world)).toEqual([]);
  });

  it.each<[string, BreachAction, BreachAction]>([
    ['hooking', 'reject', 'suspend'],
    ['hooking', 'revoke-session', 'suspend'],
    ['hooking', 'suspend', 'suspend'],
    ['hooking', 'revoke-instance', 'revoke-instance'],
    ['vpn', 'reject', 'reject'],
    ['vpn', 'revoke-session', 'revoke-session'],
    ['vpn', 'suspend', 'suspend'],
    ['vpn', 'revoke-instance', 'revoke-instance'],
  ])('%s, for which the app suspends or not, under %s: %s', async (threat, onBreach, action) => {
    const world = await aWorld({}, withSession);
    const verification = await world.verify({ ...withSession, ...report(threat) }, denying(onBreach));
    expect(verification.decision.action).toBe(action);
  });

  it('revoke-session without a session rejects', async () => {
    const world = await aWorld();
    const requirement = requiring({ session: 'optional', onBreach: 'revoke-session' });
    expect((await world.verify(report('vpn'), requirement)).decision.action).toBe('reject');
  });

  it('ends no session but that of the request', async () => {
    const world = await aWorld({}, withSession);
    const other = { id: 't'.repeat(32), credentialHash: null };
    await world.startSession(world.key, other);
    await world.verify({ ...withSession, ...report('vpn') }, denying('revoke-session'));
    const { session } = await world.settings.bindings.load({ instanceId: world.key.id, sessionId: other.id });
    expect(session?.endedAt).toBeNull();
  });

  describe.each(ACTIONS)('%s', (action) => {
    const severe = requiring({ onBreach: action });

    it('never acts on a replay', async () => {
      const world = await aWorld();
      const request = world.request();
      expect(outcomeOf(await world.verifier.verify(request, requiring()))).toBe('accepted');
      const strict = requiring({ onBreach: action, appraise: [() => ({ deny: 'always' })] });
      const replayed = await world.verifier.verify({ ...request }, strict);
      expect(outcomeOf(replayed)).toBe('insufficient_trust');
      expect(replayed.decision).not.toHaveProperty('action');
      expect((await stateOf(world))?.status).toBe('active');
      expect(await breachesOf(world)).toEqual([]);
    });

    it('never acts on a spent challenge', async () => {
      const world = await aWorld();
      const nonce = world.challenge();
      const once = requiring({ challenge: 'single-use', onBreach: action });
      expect(outcomeOf(await world.verify({ token: { claims: { nonce } } }, once))).toBe('accepted');
      const parts = { token: { claims: { ...report('vpn').token.claims, nonce } } };
      expect((await world.verify(parts, once)).decision).not.toHaveProperty('action');
      expect((await stateOf(world))?.status).toBe('active');
    });

    it('never acts in monitor mode', async () => {
      const world = await aWorld();
      for (const found of ['vpn', 'hooking']) {
        const verification = await world.verify(report(found), requiring({ onBreach: action, mode: 'monitor' }));
        expect(outcomeOf(verification)).toBe('insufficient_trust');
        expect(verification.decision).not.toHaveProperty('action');
      }
      expect((await stateOf(world))?.status).toBe('active');
      expect(await breachesOf(world)).toEqual([]);
    });

    it('is not done for a client that retires', async () => {
      const world = await aWorld();
      const request = world.request(report('hooking'));
      expect(outcomeOf(await world.verifier.verify(request, severe, { unappraised: true }))).toBe('accepted');
      expect((await stateOf(world))?.status).toBe('active');
    });
  });
});

describe('what a suspension asks to be clear', () => {
  const suspend = (runtime: TrustRequirementOptions['runtime'], more: TrustRequirementOptions = {}) =>
    requiring({ onBreach: 'suspend', runtime: { require: [], ...runtime }, ...more });
  const deny = (): AppraisalVerdict => ({ deny: 'because' });

  it.each<[string, string[], TrustRequirement, string[]]>([
    ['what is denied', ['vpn', 'mitm'], suspend({}), ['vpn', 'mitm']],
    ['not what a policy lets through', ['vpn', 'mitm'], suspend({ flag: ['vpn'] }), ['mitm']],
    ['not what a policy ignores', ['vpn', 'mitm'], suspend({ deny: ['mitm'] }), ['mitm']],
    ['what nobody knows', ['vpn', 'x-acme-worm'], suspend({ deny: [] }), ['x-acme-worm']],
    ['what the app suspends for', ['vpn', 'hooking'], suspend({ deny: [] }), ['hooking']],
    ['what either says', ['vpn', 'hooking', 'mitm'], suspend({ deny: ['vpn'] }), ['vpn', 'hooking']],
    [
      'all that a rule may have looked at',
      ['vpn', 'mitm'],
      suspend({ deny: [] }, { appraise: [deny] }),
      ['vpn', 'mitm'],
    ],
    ['nothing where a rule denied clean evidence', [], suspend({}, { appraise: [deny] }), []],
    ['never the contradiction, which no probe reports', ['x-tab-contradiction', 'vpn'], suspend({}), ['vpn']],
    ['never the contradiction alone', ['x-tab-contradiction'], suspend({}), []],
  ])('%s', async (_what, found, requirement, threats) => {
    const world = await aWorld();
    const rt = someEvidence({ found, clear: ['root'] });
    const verification = await world.verify({ token: { claims: { rt } } }, requirement);
    expect(verification.decision.action).toBe('suspend');
    expect((await stateOf(world))?.suspendedBy).toEqual(threats);
  });

  it('nothing, where the platform contradicts the evidence', async () => {
    const world = await new World().enrol(undefined, { attestationClaims: { verifiedBootState: 'SELF_SIGNED' } });
    expect((await world.verify({}, requiring({ onBreach: 'suspend' }))).decision).toMatchObject({
      action: 'suspend',
      detail: 'threat found: x-tab-contradiction (root clear, boot not verified)',
    });
    expect(await stateOf(world)).toMatchObject({ status: 'suspended', suspendedBy: [] });
    expect(await breachesOf(world)).toMatchObject([{ threats: [], action: 'suspend' }]);
  });

  it('an app may suspend for contradictions, reported or not', async () => {
    const apps = new Map([['com.example.app', anApp({ suspendOn: ['x-tab-contradiction'] })]]);
    const world = await new World({ apps }).enrol(undefined, { attestationClaims: { appVersion: '1.3.0' } });
    const tolerant = requiring({ runtime: { flag: ['x-tab-contradiction'] } });
    expect((await world.verify({}, tolerant)).decision.action).toBe('suspend');
    expect((await stateOf(world))?.status).toBe('suspended');
  });
});

describe('a store that fails while a breach is answered', () => {
  const fail = () => Promise.reject(new Error('connection refused'));

  it.each([
    ['suspend', 'suspend'],
    ['revoke', 'revoke-instance'],
    ['endSession', 'revoke-session'],
    ['recordBreach', 'reject'],
    ['recordBreach', 'suspend'],
  ] as const)('%s under %s: store_unavailable, and no acceptance', async (method, onBreach) => {
    const world = await aWorld({}, withSession);
    vi.spyOn(world.settings.bindings, method).mockImplementation(fail);
    const requirement = requiring({ session: 'required', onBreach });
    const verification = await world.verify({ ...withSession, ...report('vpn') }, requirement);
    expect(outcomeOf(verification)).toBe('store_unavailable');
    // What was done is told, also when its record could not be kept: others go by it.
    expect(verification.decision.action).toBe(method === 'recordBreach' ? onBreach : undefined);
  });

  it('keeps the next report, once the store is back', async () => {
    const world = await aWorld();
    const broken = vi.spyOn(world.settings.bindings, 'recordBreach').mockImplementation(fail);
    expect(outcomeOf(await world.verify(report('vpn')))).toBe('store_unavailable');
    broken.mockRestore();
    expect(outcomeOf(await world.verify(report('vpn')))).toBe('insufficient_trust');
    expect(await breachesOf(world)).toHaveLength(1);
  });
});

describe('the record of breaches', () => {
  it('keeps a rejected breach once a minute, per instance and detail', async () => {
    const world = await aWorld();
    const other = aKey('ES256', 'second');
    await world.enrol(other);
    const kept = async () => (await breachesOf(world)).length;
    for (let i = 0; i < 5; i += 1) await world.verify(report('vpn'));
    expect(await kept()).toBe(1);
    await world.verify(report('mitm'));
    expect(await kept()).toBe(2);
    await world.verify({ token: { ...report('vpn').token, key: other } });
    expect(await kept()).toBe(3);
    world.clock.advance(59);
    await world.verify();
    const late = () => ({
      token: { claims: { rt: { ...someEvidence({ found: ['vpn'], clear: ['root', 'debugger'] }) } } },
    });
    await world.verify(late());
    expect(await kept()).toBe(3);
    world.clock.advance(1);
    await world.verify(late());
    expect(await kept()).toBe(4);
    expect(new Set((await breachesOf(world)).map(({ id }) => id)).size).toBe(4);
  });

  it('always keeps what changed something', async () => {
    const world = await aWorld();
    for (let i = 0; i < 3; i += 1) {
      await world.verify(report('vpn'), requiring({ onBreach: 'suspend' }));
      await world.settings.bindings.saveInstance(anInstanceOf(world.key), (await stateOf(world))?.revision);
    }
    expect(await breachesOf(world)).toHaveLength(3);
  });
});

describe('the state of the instance', () => {
  it.each([
    ['suspended', 'instance_suspended'],
    ['revoked', 'instance_revoked'],
  ] as const)('%s: %s, with the key at hand too', async (status, code) => {
    const world = await aWorld();
    expect(outcomeOf(await world.verify())).toBe('accepted');
    const ending = { reason: 'x', at: NOW };
    if (status === 'suspended') await world.settings.bindings.suspend(world.key.id, ending, []);
    else await world.settings.bindings.revoke(world.key.id, ending);
    expect(outcomeOf(await world.verify())).toBe(code);
  });

  it('counts an attestation past its expiry for nothing', async () => {
    const world = await aWorld();
    const software = requiring({ assurance: 'software' });
    expect(outcomeOf(await world.verify({}, software))).toBe('accepted');
    world.clock.seconds = NOW + 10_000;
    expect(outcomeOf(await world.verify({}, software))).toBe('step_up_required');
    const verification = await world.verify();
    expect(verification.accepted && verification.context.instance.assurance).toBe('none');
  });
});
