import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TrustRequirementOptions } from '../../../lib/trust/requirement.js';
import { ProofKeys } from '../../../lib/token/proof-key.js';
import { readSecret } from '../../../lib/token/secrets.js';
import type { VerifierSettings } from '../../../lib/verifier/settings.js';
import type { Verification } from '../../../lib/verifier/verification.js';
import {
  aKey,
  aProofKey,
  aWorld,
  NOW,
  outcomeOf,
  requiring,
  SECRET,
  SESSION_ID,
  type CallParts,
  type ProofKeyParts,
  type World,
} from '../../utils/core/index.js';

const proofKeysOf = (secret = SECRET, origin = 'https://api.example.com') =>
  new ProofKeys({ secrets: [readSecret(secret)], origin, lifetime: 300, cacheSize: 10 });

/** A world with proof keys, an enrolled instance, and Alice's session. */
const worldOf = (change: Partial<VerifierSettings> = {}) =>
  aWorld({ proofKeys: proofKeysOf(), ...change }, { session: true });
const keyOf = (world: World, parts: Partial<ProofKeyParts> = {}) =>
  aProofKey({ secret: SECRET, instanceId: world.key.id, exp: world.clock.seconds + 300, ...parts });
const verify = (
  world: World,
  parts: CallParts = {},
  requirement: TrustRequirementOptions = {},
  proofKey = keyOf(world),
): Promise<Verification> => world.verify({ ...parts, token: { proofKey, ...parts.token } }, requiring(requirement));
/** The code, and what is asked for. */
const told = (verification: Verification): string =>
  verification.accepted
    ? 'accepted'
    : [verification.error.code, verification.error.hints.requirement].filter((part) => part !== undefined).join(' ');

const SIGN = 'step_up_required signature';

describe('a token under a proof key', () => {
  it('is accepted, and says what it is', async () => {
    const world = await worldOf();
    const verification = await verify(world, { session: true }, { session: 'required' });
    expect(told(verification)).toBe('accepted');
    expect(verification).toMatchObject({
      context: { proof: 'mac', instance: { id: world.key.id, assurance: 'software' }, session: { id: SESSION_ID } },
      decision: { proof: 'mac', instanceId: world.key.id, sessionId: SESSION_ID, category: 'verified' },
    });
    expect((await world.verify()).decision.proof).toBe('signature');
  });

  it('is refused, as ever, where there are no proof keys', async () => {
    const world = await aWorld();
    expect(told(await verify(world))).toBe('unsupported_alg');
  });

  it('is bound like any other', async () => {
    const world = await worldOf();
    const claims = (change: object) => verify(world, { token: { claims: change as never } });
    expect(told(await claims({ htm: 'POST' }))).toBe('request_mismatch');
    expect(told(await claims({ htu: 'https://api.example.com/other' }))).toBe('request_mismatch');
    expect(told(await claims({ iat: NOW + 6 }))).toBe('stale_token');
    expect(told(await claims({ nonce: undefined }))).toBe('use_tab_nonce');
    expect(told(await claims({ nonce: world.challenge(aKey('ES256', 'other').id) }))).toBe('use_tab_nonce');
    expect(told(await claims({ nonce: world.challenge(world.key.id) }))).toBe('accepted');
    expect(told(await claims({ app: { id: 'com.example.other', ver: '1.4.0' } }))).toBe('request_mismatch');
    const body = { method: 'POST', content: 'text', token: { claims: { bh: 'A'.repeat(43) } } };
    expect(told(await verify(world, body))).toBe('request_mismatch');
  });

  it('is good once: again, beside itself, and beside its like by the instance key', async () => {
    const world = await worldOf();
    const parts = { token: { claims: { jti: 'j'.repeat(22) } } };
    const [first, second] = await Promise.all([verify(world, parts), verify(world, parts)]);
    expect([told(first), told(second)].toSorted()).toEqual(['accepted', 'replayed_token']);
    expect(told(await verify(world, parts))).toBe('replayed_token');
    expect(told(await world.verify(parts))).toBe('replayed_token');
    expect(told(await verify(world, parts, {}, keyOf(world)))).toBe('replayed_token');
  });

  it('spends a single-use challenge, and is given the next', async () => {
    const world = await worldOf();
    const parts = { token: { claims: { nonce: world.challenge() } } };
    const first = await verify(world, parts, { challenge: 'single-use' });
    expect([told(first), first.nextChallenge !== undefined]).toEqual(['accepted', true]);
    expect(told(await verify(world, parts, { challenge: 'single-use' }))).toBe('use_tab_nonce');
  });

  it.each([
    ['at its end', 0, SIGN],
    ['a second before', 1, 'accepted'],
    ['with 900 s to go', 900, 'accepted'],
    ['with 901 s to go', 901, SIGN],
  ])('%s', async (_what, left, expected) => {
    const world = await worldOf();
    expect(told(await verify(world, {}, {}, keyOf(world, { exp: NOW + left })))).toBe(expected);
  });

  it('is refused from the second on in which its key ends, however often it was used', async () => {
    const world = await worldOf();
    const proofKey = keyOf(world);
    world.clock.advance(299);
    expect(told(await verify(world, {}, {}, proofKey))).toBe('accepted');
    world.clock.advance(1);
    expect(told(await verify(world, {}, {}, proofKey))).toBe(SIGN);
  });

  it.each<[string, Partial<ProofKeyParts>, string]>([
    ['of another secret', { secret: 'another secret of at least 32 octets' }, SIGN],
    ['of another deployment', { origin: 'https://other.example.com' }, 'bad_signature'],
    ['of an instance that is not enrolled', { instanceId: aKey('ES256', 'nobody').id }, 'unknown_instance'],
  ])('by a key %s is refused', async (_what, parts, expected) => {
    const world = await worldOf();
    expect(told(await verify(world, {}, {}, keyOf(world, parts)))).toBe(expected);
  });

  it('writes to no store before its MAC has verified, and asks none', async () => {
    const world = await worldOf();
    const calls: string[] = [];
    const watched = <T extends object>(store: T): T =>
      new Proxy(store, {
        get: (target, name) => {
          if (typeof name === 'string') calls.push(name);
          const value: unknown = Reflect.get(target, name, target);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
    const { nonces, bindings } = world.settings;
    const guarded = await worldOf({ nonces: watched(nonces), bindings: watched(bindings) });
    calls.length = 0;
    expect(told(await verify(guarded, { token: { signature: new Uint8Array(32) } }))).toBe('bad_signature');
    expect(told(await verify(guarded, {}, {}, keyOf(guarded, { exp: NOW })))).toBe(SIGN);
    expect(calls.filter((name) => name === 'load' || name === 'claim')).toEqual([]);
  });

  it('is refused with any octet of its MAC changed', async () => {
    const world = await worldOf();
    const proofKey = keyOf(world);
    const request = world.request({ token: { proofKey } });
    const [token = ''] = request.headers.values('tab-token');
    const mac = Buffer.from(token.slice(token.lastIndexOf('.') + 1), 'base64url');
    await fc.assert(
      fc.asyncProperty(fc.nat(31), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const changed = Buffer.from(mac);
        changed[at]! ^= flip;
        expect(told(await verify(world, { token: { signature: changed } }))).toBe('bad_signature');
      }),
      { seed: 72, numRuns: 100 },
    );
  });
});

describe('algorithms are not confused', () => {
  it('no public key is a MAC key', async () => {
    const world = await worldOf();
    const { x = '', y = '' } = world.key.jwk as { x?: string; y?: string };
    const spki = world.key.publicKey.export({ type: 'spki', format: 'der' });
    const pem = Buffer.from(world.key.publicKey.export({ type: 'spki', format: 'pem' }) as string);
    const keys = [
      spki,
      pem,
      Buffer.from(x, 'base64url'),
      Buffer.from(y, 'base64url'),
      Buffer.from(JSON.stringify(world.key.jwk)),
    ];
    for (const key of keys) {
      // Under the instance id, and under a kid that a proof key could have.
      expect(told(await verify(world, {}, {}, { kid: world.key.id, key }))).toBe('unsupported_alg');
      expect(told(await verify(world, {}, {}, { kid: keyOf(world).kid, key }))).toBe('bad_signature');
    }
  });

  it('no signature is a MAC, nor a MAC a signature', async () => {
    const world = await worldOf();
    const { kid } = keyOf(world);
    expect(outcomeOf(await world.verify({ token: { header: { kid } } }))).toBe('unsupported_alg');
    expect(outcomeOf(await world.verify({ token: { header: { kid, alg: 'HS256' } } }))).toBe('bad_signature');
    const asSignature = { token: { header: { alg: 'ES256', kid: world.key.id } } };
    expect(outcomeOf(await verify(world, asSignature))).toBe('bad_signature');
  });

  it.each(['ES384', 'EdDSA', 'PS256', 'RS256'] as const)(
    'an instance with an %s key has proof keys as any',
    async (alg) => {
      const key = aKey(alg);
      const world = await aWorld({ proofKeys: proofKeysOf() }, { key });
      expect(told(await verify(world))).toBe('accepted');
      expect(outcomeOf(await world.verify())).toBe('accepted');
    },
  );
});

describe('a policy', () => {
  it('that asks for a signature takes no proof key', async () => {
    const world = await worldOf();
    const refused = await verify(world, {}, { proof: 'signature' });
    expect(told(refused)).toBe(SIGN);
    expect(refused.decision).toMatchObject({ proof: 'mac', detail: 'policy asks for a signature' });
    expect(outcomeOf(await world.verify({}, requiring({ proof: 'signature' })))).toBe('accepted');
  });

  it('gives the challenge that a signed token needs on a single-use route', async () => {
    const world = await worldOf();
    const strict: TrustRequirementOptions = { proof: 'signature', challenge: 'single-use' };
    const { nextChallenge } = await verify(world, {}, strict);
    const signed = await world.verify({ token: { claims: { nonce: nextChallenge } } }, requiring(strict));
    expect(outcomeOf(signed)).toBe('accepted');
  });

  it.each([
    ['strongbox', 'software', 'accepted'],
    ['strongbox', 'tee', SIGN],
    ['strongbox', 'strongbox', SIGN],
    ['tee', 'tee', SIGN],
    ['tee', 'strongbox', 'insufficient_trust'],
    ['software', 'software', 'accepted'],
    ['software', 'tee', 'insufficient_trust'],
    ['none', 'none', 'accepted'],
    ['none', 'software', 'insufficient_trust'],
  ] as const)('%s where %s is asked for: %s', async (assurance, required, expected) => {
    const world = await worldOf();
    await world.settings.bindings.saveInstance({ ...(await stored(world)), assurance, revision: 2 }, 1);
    expect(told(await verify(world, {}, { assurance: required }))).toBe(expected);
  });

  it('sees no more than software, and none once the attestation is over', async () => {
    const world = await worldOf();
    await world.settings.bindings.saveInstance({ ...(await stored(world)), assurance: 'strongbox', revision: 2 }, 1);
    const assured = async () => {
      const verification = await verify(world);
      return verification.accepted && verification.context.instance.assurance;
    };
    expect(await assured()).toBe('software');
    world.clock.advance(10_001);
    expect(await assured()).toBe('none');
    expect(told(await verify(world, {}, { assurance: 'tee' }))).toBe('step_up_required attestation');
  });

  it('has rules of its own that can tell', async () => {
    const world = await worldOf();
    const appraise = [(_evidence: unknown, { proof }: { proof: string }) => ({ flag: proof })];
    const verification = await verify(world, {}, { appraise });
    expect(verification.accepted && verification.context.flags).toEqual(['mac']);
  });

  it('that only watches lets it pass, and says so', async () => {
    const world = await worldOf();
    const { decision } = await verify(world, {}, { proof: 'signature', mode: 'monitor' });
    expect(decision).toMatchObject({ enforced: false, code: 'step_up_required', proof: 'mac' });
  });

  it('of two guards on one request, each asks for itself', async () => {
    const world = await worldOf();
    const request = world.request({ token: { proofKey: keyOf(world) } });
    expect(told(await world.verifier.verify(request, requiring()))).toBe('accepted');
    expect(told(await world.verifier.verify(request, requiring({ proof: 'signature' })))).toBe(SIGN);
  });

  it('is not passed by for a client that retires', async () => {
    const world = await worldOf();
    const request = world.request({ token: { proofKey: keyOf(world) } });
    const retirement = requiring({ proof: 'signature' });
    expect(told(await world.verifier.verify(request, retirement, { unappraised: true }))).toBe(SIGN);
    const signed = world.request();
    expect(told(await world.verifier.verify(signed, retirement, { unappraised: true }))).toBe('accepted');
  });
});

describe('the state counts at once', () => {
  const ending = { reason: 'lost', at: NOW };

  it.each([
    ['instance_revoked', (world: World) => world.settings.bindings.revoke(world.key.id, ending)],
    ['instance_suspended', (world: World) => world.settings.bindings.suspend(world.key.id, ending, [])],
  ] as const)('%s, at the next request', async (code, end) => {
    const world = await worldOf();
    const proofKey = keyOf(world);
    expect(told(await verify(world, {}, {}, proofKey))).toBe('accepted');
    await end(world);
    expect(told(await verify(world, {}, {}, proofKey))).toBe(code);
    expect(told(await verify(world, {}, {}, keyOf(world)))).toBe(code);
  });

  it.each([
    ['from before it', -16, SIGN],
    ['from about when it was', -15, 'accepted'],
    ['from after it', 1, 'accepted'],
  ])('a recovery: of a proof key %s', async (_what, seconds, expected) => {
    const world = await worldOf();
    const [recovered, revision] = [NOW - 100, 2];
    await world.settings.bindings.saveInstance({ ...(await stored(world)), statusAt: recovered, revision }, 1);
    expect(told(await verify(world, {}, {}, keyOf(world, { exp: recovered + seconds + 300 })))).toBe(expected);
    expect(outcomeOf(await world.verify())).toBe('accepted');
  });

  it('an enrolment leaves the keys alone that a node with a slower clock gave out', async () => {
    const world = await worldOf();
    const { createdAt, ...rest } = await stored(world);
    await world.settings.bindings.saveInstance({ ...rest, createdAt: NOW, statusAt: NOW, revision: 2 }, 1);
    expect(createdAt).toBe(NOW - 1000);
    expect(told(await verify(world, {}, {}, keyOf(world, { exp: NOW + 200 })))).toBe('accepted');
  });

  it('a session that ended', async () => {
    const world = await worldOf();
    const call = () => verify(world, { session: true }, { session: 'required' });
    expect(told(await call())).toBe('accepted');
    await world.settings.bindings.endSession(SESSION_ID, ending);
    expect(told(await call())).toBe('invalid_session');
  });

  it('a breach under a proof key suspends, as one that is signed', async () => {
    const world = await worldOf();
    const found = { token: { claims: { rt: { at: NOW, found: ['hooking'], clear: ['root', 'debugger'], sdk: 'x' } } } };
    expect(told(await verify(world, found))).toBe('insufficient_trust');
    expect((await stored(world)).status).toBe('suspended');
    expect(outcomeOf(await world.verify())).toBe('instance_suspended');
  });
});

async function stored(world: World) {
  const { instance } = await world.settings.bindings.load({ instanceId: world.key.id });
  if (instance === undefined) throw new Error('the instance of the world is enrolled');
  return instance;
}
