import { describe, expect, it } from 'vitest';
import { isPastHalfLife } from '../../../lib/token/challenge.js';
import type { TrustRequirementOptions } from '../../../lib/trust/requirement.js';
import { aKey, aWorld, claimKeyOf, NOW, outcomeOf, requiring, type World } from '../../utils/core/index.js';
import { CountingNonces } from './counting-nonces.js';

const JTI = 'j'.repeat(22);
const OTHER_JTI = 'k'.repeat(22);
/** The same octets received anew: another message, another request object. */
const resend = (request: ReturnType<World['request']>) => ({ ...request });

describe('replays', () => {
  it('are refused', async () => {
    const world = await aWorld();
    const request = world.request();
    expect(outcomeOf(await world.verifier.verify(request, requiring()))).toBe('accepted');
    expect(outcomeOf(await world.verifier.verify(resend(request), requiring()))).toBe('replayed_token');
    world.clock.advance(65);
    expect(outcomeOf(await world.verifier.verify(resend(request), requiring()))).toBe('replayed_token');
    world.clock.advance(1);
    expect(outcomeOf(await world.verifier.verify(resend(request), requiring()))).toBe('stale_token');
  });

  it('of 50 copies at once, exactly one is accepted', async () => {
    const world = await aWorld();
    const request = world.request();
    const outcomes = (
      await Promise.all(Array.from({ length: 50 }, () => world.verifier.verify(resend(request), requiring())))
    ).map(outcomeOf);
    expect(outcomes.filter((outcome) => outcome === 'accepted')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'replayed_token')).toHaveLength(49);
  });

  it('with another body of the token but the same jti are refused', async () => {
    const world = await aWorld();
    const first = await world.verify({ token: { claims: { jti: JTI } } });
    const second = await world.verify({ target: '/other', token: { claims: { jti: JTI } } });
    expect([outcomeOf(first), outcomeOf(second)]).toEqual(['accepted', 'replayed_token']);
  });

  it('are counted per instance: another may have the same jti', async () => {
    const world = await aWorld();
    const other = aKey('ES256', 'second');
    await world.enrol(other);
    const outcomes = [
      await world.verify({ token: { claims: { jti: JTI } } }),
      await world.verify({ token: { key: other, claims: { jti: JTI } } }),
    ].map(outcomeOf);
    expect(outcomes).toEqual(['accepted', 'accepted']);
  });

  it('claim the key and the time of PROTOCOL section 6', async () => {
    const nonces = new CountingNonces();
    const world = await aWorld({ nonces });
    await world.verify({
      token: {
        claims: { jti: JTI, iat: NOW - 7, rt: { at: NOW - 20, found: [], clear: ['root', 'debugger'], sdk: 'x/1' } },
      },
    });
    expect(nonces.calls).toEqual([[claimKeyOf(`jti.${world.key.id}.${JTI}`), NOW - 7 + 180]]);
  });
});

describe('single-use challenges', () => {
  const once = requiring({ challenge: 'single-use' });

  it('are spent with the token', async () => {
    const nonces = new CountingNonces();
    const world = await aWorld({ nonces });
    const nonce = world.challenge(world.key.id);
    const outcomes = [
      await world.verify({ token: { claims: { nonce, jti: JTI } } }, once),
      await world.verify({ token: { claims: { nonce, jti: OTHER_JTI } } }, once),
    ].map(outcomeOf);
    expect(outcomes).toEqual(['accepted', 'use_tab_nonce']);
    const spent = [claimKeyOf(`challenge.${nonce}`), NOW + 300 + 60];
    expect(nonces.calls).toEqual([spent, [claimKeyOf(`jti.${world.key.id}.${JTI}`), NOW + 180], spent]);
  });

  // The same request may reach handlers of different policies: versions of an API, a deployment under way.
  it.each([
    ['single-use', 'recent', 'replayed_token'],
    ['recent', 'single-use', 'replayed_token'],
    ['single-use', 'none', 'replayed_token'],
    ['none', 'single-use', 'replayed_token'],
    ['recent', 'none', 'replayed_token'],
    ['single-use', 'single-use', 'use_tab_nonce'],
  ] as const)('a token spent under %s is spent under %s', async (first, second, outcome) => {
    const world = await aWorld({ nonces: new CountingNonces() });
    const request = world.request();
    expect(outcomeOf(await world.verifier.verify(request, requiring({ challenge: first })))).toBe('accepted');
    expect(outcomeOf(await world.verifier.verify(resend(request), requiring({ challenge: second })))).toBe(outcome);
  });

  it('leave one token to win where 50 policies race for it', async () => {
    const world = await aWorld();
    const request = world.request();
    const policies = Array.from({ length: 50 }, (_, i) =>
      requiring({ challenge: i % 2 === 0 ? 'recent' : 'single-use' }),
    );
    const outcomes = await Promise.all(policies.map((policy) => world.verifier.verify(resend(request), policy)));
    expect(outcomes.filter(({ accepted }) => accepted)).toHaveLength(1);
  });

  it('are not asked for twice by two guards of one request', async () => {
    const nonces = new CountingNonces();
    const world = await aWorld({ nonces });
    const request = world.request();
    for (const challenge of ['single-use', 'recent', 'single-use'] as const)
      expect(outcomeOf(await world.verifier.verify(request, requiring({ challenge })))).toBe('accepted');
    expect(nonces.calls).toHaveLength(2);
  });

  it('are spent once by 50 tokens at once', async () => {
    const world = await aWorld();
    const nonce = world.challenge();
    const outcomes = (
      await Promise.all(Array.from({ length: 50 }, () => world.verify({ token: { claims: { nonce } } }, once)))
    ).map(outcomeOf);
    expect(outcomes.filter((outcome) => outcome === 'accepted')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'use_tab_nonce')).toHaveLength(49);
  });

  it('cannot be replayed, nor be of another instance', async () => {
    const world = await aWorld();
    const request = world.request();
    expect(outcomeOf(await world.verifier.verify(request, once))).toBe('accepted');
    expect(outcomeOf(await world.verifier.verify(resend(request), once))).toBe('use_tab_nonce');
    expect(
      outcomeOf(
        await world.verify({ token: { claims: { nonce: world.challenge(aKey('ES256', 'second').id) } } }, once),
      ),
    ).toBe('use_tab_nonce');
  });
});

describe('the next challenge', () => {
  const next = async (
    requirement: TrustRequirementOptions,
    age: number,
    parts: Parameters<World['verify']>[0] = {},
  ) => {
    const world = await aWorld({}, { session: true });
    const nonce = world.challenge();
    world.clock.advance(age);
    const verification = await world.verify(
      { ...parts, token: { ...parts.token, claims: { nonce, ...parts.token?.claims } } },
      requiring(requirement),
    );
    return { world, verification, given: verification.nextChallenge };
  };

  it.each([
    ['young challenge', {}, 10, {}, 'accepted', false],
    ['at half life', {}, 150, {}, 'accepted', false],
    ['past half life', {}, 151, {}, 'accepted', true],
    ['past half life, refused by state', { session: 'required' }, 151, {}, 'invalid_session', true],
    ['past half life, signature bad', {}, 151, { token: { signature: Buffer.alloc(64, 1) } }, 'bad_signature', false],
    ['expired', {}, 300, {}, 'use_tab_nonce', true],
    ['missing', {}, 0, { token: { claims: { nonce: undefined } } }, 'use_tab_nonce', true],
    ['single-use, accepted', { challenge: 'single-use' }, 0, {}, 'accepted', true],
    [
      'single-use, refused by policy',
      { challenge: 'single-use', minVersion: '9.0.0' },
      0,
      {},
      'insufficient_trust',
      true,
    ],
    [
      'single-use, signature bad',
      { challenge: 'single-use' },
      0,
      { token: { signature: Buffer.alloc(64, 1) } },
      'bad_signature',
      false,
    ],
    ['request mismatch', {}, 151, { token: { claims: { htm: 'PUT' } } }, 'request_mismatch', false],
  ] as const)('%s', async (_what, requirement, age, parts, code, due) => {
    const { verification, given } = await next(requirement, age, parts);
    expect(outcomeOf(verification)).toBe(code);
    expect(given !== undefined).toBe(due);
  });

  it('is for the verified instance only, once it is verified', async () => {
    const { world, given } = await next({}, 200);
    const usable = (id?: string) => () => world.settings.challenges.check(given, 'request', world.clock.seconds, id);
    expect(usable(world.key.id)).not.toThrow();
    expect(usable(aKey('ES256', 'second').id)).toThrow();
    expect(usable()).toThrow();
  });

  it('is for anybody while nobody is verified', async () => {
    const { world, given } = await next({}, 300);
    const challenge = world.settings.challenges.check(
      given,
      'request',
      world.clock.seconds,
      aKey('ES256', 'second').id,
    );
    expect(isPastHalfLife(challenge, world.clock.seconds)).toBe(false);
  });
});

describe('several guards on one request', () => {
  it('share one verification and one claim, and each judge their own requirement', async () => {
    const nonces = new CountingNonces();
    const world = await aWorld({ nonces }, { session: true });
    let loads = 0;
    const load = world.settings.bindings.load.bind(world.settings.bindings);
    world.settings.bindings.load = (query) => ((loads += 1), load(query));
    const request = world.request({ session: true });
    const requirements = [
      requiring(),
      requiring({ session: 'required' }),
      requiring({ minVersion: '9.0.0' }),
      requiring({ headers: ['x-a'] }),
      requiring(),
    ];
    const outcomes = [];
    for (const requirement of requirements) outcomes.push(outcomeOf(await world.verifier.verify(request, requirement)));
    expect(outcomes).toEqual(['accepted', 'accepted', 'insufficient_trust', 'request_mismatch', 'accepted']);
    expect(nonces.calls).toHaveLength(1);
    expect(loads).toBe(1);
  });

  it('share them when they run at once', async () => {
    const nonces = new CountingNonces();
    const world = await aWorld({ nonces });
    const request = world.request();
    const verifications = await Promise.all([1, 2, 3].map(() => world.verifier.verify(request, requiring())));
    expect(verifications.map(outcomeOf)).toEqual(['accepted', 'accepted', 'accepted']);
    expect(nonces.calls).toHaveLength(1);
  });

  it('do not share an acceptance with a guard that asks for more', async () => {
    const world = await aWorld({}, { session: true });
    const request = world.request();
    expect(outcomeOf(await world.verifier.verify(request, requiring()))).toBe('accepted');
    expect(outcomeOf(await world.verifier.verify(request, requiring({ session: 'required' })))).toBe('invalid_session');
    expect(outcomeOf(await world.verifier.verify(request, requiring({ assurance: 'strongbox' })))).toBe(
      'insufficient_trust',
    );
  });

  it('spend the challenge too when one of them asks for single use', async () => {
    const world = await aWorld();
    const nonce = world.challenge();
    const request = world.request({ token: { claims: { nonce } } });
    expect(outcomeOf(await world.verifier.verify(request, requiring()))).toBe('accepted');
    expect(outcomeOf(await world.verifier.verify(request, requiring({ challenge: 'single-use' })))).toBe('accepted');
    expect(
      outcomeOf(await world.verify({ token: { claims: { nonce } } }, requiring({ challenge: 'single-use' }))),
    ).toBe('use_tab_nonce');
  });

  it('give the same answer for the same requirement', async () => {
    const world = await aWorld();
    const requirement = requiring();
    const request = world.request();
    expect(await world.verifier.verify(request, requirement)).toBe(await world.verifier.verify(request, requirement));
    expect(world.decisions).toHaveLength(1);
  });
});
