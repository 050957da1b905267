import { describe, expect, it } from 'vitest';
import {
  anApp,
  anInstanceOf,
  aWorld,
  NOW,
  outcomeOf,
  requiring,
  someEvidence,
  type World,
} from '../../utils/core/index.js';

const lenient = requiring({ runtime: { deny: [], require: [] } });
const report = (...found: string[]) => ({
  token: { claims: { rt: someEvidence({ found, clear: ['root', 'debugger'] }) } },
});
const stateOf = async (world: World) => (await world.settings.bindings.load({ instanceId: world.key.id })).instance;

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

  it('suspends nobody in monitor mode', async () => {
    const world = await aWorld();
    const verification = await world.verifier.verify(world.request(report('hooking')), requiring(), false);
    expect(outcomeOf(verification)).toBe('insufficient_trust');
    expect(verification.decision.enforced).toBe(false);
    expect((await stateOf(world))?.status).toBe('active');
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

  it('refuses a replayed report as a replay where the policy would let it through', async () => {
    const world = await aWorld();
    const request = world.request(report('hooking'));
    await world.verifier.verify(request, lenient);
    await world.settings.bindings.saveInstance(anInstanceOf(world.key), (await stateOf(world))?.revision);
    expect(outcomeOf(await world.verifier.verify({ ...request }, lenient))).toBe('replayed_token');
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
