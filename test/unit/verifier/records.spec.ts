import { describe, expect, it, vi } from 'vitest';
import { TabVerifier } from '../../../lib/verifier/tab-verifier.js';
import { importInstanceKey, KeyRing } from '../../../lib/verifier/key-ring.js';
import type { InstanceKey } from '../../../lib/token/signature.js';
import {
  aKey,
  anInstanceOf,
  aWorld,
  CREDENTIAL,
  NOW,
  outcomeOf,
  requiring,
  SECRET,
  SESSION_ID,
  sha,
  someEvidence,
  World,
} from '../../utils/core/index.js';

const REQUIRED = requiring({ session: 'required' });

describe('decision records', () => {
  it('hold no token, credential, challenge or secret, whatever the outcome', async () => {
    const world = await aWorld(
      {
        credential: {
          verify: () => {
            throw new Error(`cannot verify ${CREDENTIAL}`);
          },
        },
      },
      { session: true },
    );
    const nonce = world.challenge();
    const parts = { session: true, target: `/accounts?card=4111111111111111&token=${CREDENTIAL}` };
    const spoiled = [
      {},
      { signature: Buffer.alloc(64, 1) },
      { header: { typ: 'JWT' } },
      { header: { alg: 'none' } },
      { header: { jku: 'https://evil.example' } },
      { claims: { jti: 5 } },
      { claims: { htm: 'PUT' } },
      { claims: { nonce: `${nonce.slice(0, -4)}AAAA` } },
      { claims: { ath: sha(CREDENTIAL).toLowerCase() } },
      { claims: { hd: { authorization: sha('x') } } },
      { claims: { sid: 'u'.repeat(32) } },
      { key: aKey('ES256', 'stranger') },
    ];
    const tokens: string[] = [];
    for (const token of spoiled) {
      const request = world.request({ ...parts, token: { ...token, claims: { nonce, ...token.claims } } });
      tokens.push(...request.headers.values('tab-token'));
      const verification = await world.verifier.verify(request, REQUIRED);
      const text =
        JSON.stringify(world.decisions) +
        (verification.accepted ? '' : verification.error.message + JSON.stringify(verification.error));
      for (const secret of [
        CREDENTIAL,
        sha(CREDENTIAL),
        nonce,
        SECRET,
        '4111111111111111',
        'card=',
        world.key.jwk.kty === 'EC' ? world.key.jwk.x : '',
      ]) {
        expect(text).not.toContain(secret);
      }
      for (const token of tokens) for (const segment of token.split('.')) expect(text).not.toContain(segment);
    }
    expect(world.decisions).toHaveLength(spoiled.length);
  });

  it('say what was decided about whom', async () => {
    const world = await aWorld({}, { session: true });
    const verification = await world.verify(
      { session: true, target: '/a?b=c', token: { claims: { rt: someEvidence({ found: ['vpn'] }) } } },
      requiring({ session: 'required', runtime: { flag: ['vpn'] } }),
    );
    expect(outcomeOf(verification)).toBe('accepted');
    expect(world.decisions).toEqual([verification.decision]);
    expect(verification.decision).toEqual({
      id: expect.stringMatching(/^[A-Za-z0-9_-]{22}$/) as string,
      at: NOW * 1000 + 999,
      outcome: 'accepted',
      enforced: true,
      category: 'verified',
      method: 'GET',
      path: '/a',
      instanceId: world.key.id,
      proof: 'signature',
      appId: 'com.example.app',
      appVersion: '1.4.0',
      sessionId: SESSION_ID,
      subject: 'alice',
      threats: ['vpn'],
      flags: ['vpn'],
      watched: [],
      duration: expect.any(Number) as number,
    });
    expect(verification.accepted && verification.context.flags).toEqual(['vpn']);
    expect(Object.isFrozen(verification.accepted && verification.context)).toBe(true);
  });

  it('cut long paths', async () => {
    const world = await aWorld();
    expect((await world.verify({ target: `/${'a'.repeat(1000)}` })).decision.path).toHaveLength(256);
  });

  it('take no claim of a token that did not verify', async () => {
    const world = await aWorld();
    const { decision } = await world.verify({
      token: { signature: Buffer.alloc(64, 1), claims: { rt: someEvidence({ found: ['root'], clear: [] }) } },
    });
    expect(decision).toMatchObject({ code: 'bad_signature', threats: [], flags: [] });
    expect(decision).not.toHaveProperty('appId');
  });

  it('have an id of their own each', async () => {
    const world = await aWorld();
    for (let i = 0; i < 20; i += 1) await world.verify();
    expect(new Set(world.decisions.map(({ id }) => id)).size).toBe(20);
  });
});

describe('an observer of decisions that throws', () => {
  const throwing = async () => {
    const world = await aWorld();
    return {
      world,
      verifier: new TabVerifier(world.settings, () => {
        throw new Error('full disk');
      }),
    };
  };
  it('turns an acceptance into a refusal', async () => {
    const { world, verifier } = await throwing();
    expect(outcomeOf(await verifier.verify(world.request(), requiring()))).toBe('store_unavailable');
  });
  it('keeps no refusal from being answered', async () => {
    const { world, verifier } = await throwing();
    expect(outcomeOf(await verifier.verify(world.request({ token: { claims: { htm: 'PUT' } } }), requiring()))).toBe(
      'request_mismatch',
    );
  });
});

describe('the verifier', () => {
  it('needs no observer', async () => {
    const world = await aWorld();
    expect(outcomeOf(await new TabVerifier(world.settings).verify(world.request(), requiring()))).toBe('accepted');
  });

  it.each(['ES256', 'ES384', 'EdDSA', 'PS256', 'RS256'] as const)(
    'accepts an instance with a key for %s',
    async (alg) => {
      const world = await aWorld({}, { key: aKey(alg) });
      expect(outcomeOf(await world.verify())).toBe('accepted');
      expect(outcomeOf(await world.verify({ token: { signature: Buffer.alloc(alg === 'ES384' ? 96 : 64) } }))).toBe(
        'bad_signature',
      );
    },
  );

  it('takes Ed25519 for EdDSA', async () => {
    const world = await aWorld({}, { key: aKey('EdDSA') });
    expect(outcomeOf(await world.verify({ token: { header: { alg: 'Ed25519' } } }))).toBe('accepted');
  });

  it('keeps the algorithm of an RSA key, which two could use', async () => {
    const world = await aWorld({}, { key: aKey('RS256') });
    expect(outcomeOf(await world.verify({ token: { header: { alg: 'PS256' } } }))).toBe('unsupported_alg');
    expect(outcomeOf(await world.verify({ token: { key: { ...world.key, alg: 'PS256' } } }))).toBe('unsupported_alg');
  });

  it('the exploit: a key that was kept verifies nothing by the algorithm of an enrolment that is gone', async () => {
    const old = aKey('RS256');
    const world = await aWorld({}, { key: old });
    for (let i = 0; i < 2; i += 1) expect(outcomeOf(await world.verify())).toBe('accepted');
    const renewed = { ...old, alg: 'PS256' as const };
    world.settings.bindings.load = () => Promise.resolve({ instance: anInstanceOf(renewed) });
    expect(outcomeOf(await world.verify())).toBe('unsupported_alg');
    expect(outcomeOf(await world.verify({ token: { key: renewed } }))).toBe('accepted');
  });

  it('answers an unexpected error with a refusal', async () => {
    const world = await aWorld();
    const broken = { ...anInstanceOf(world.key), publicKey: { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' } } as never;
    world.settings.bindings.load = () => Promise.resolve({ instance: broken });
    expect(outcomeOf(await world.verify())).not.toBe('accepted');
    world.settings.bindings.load = () => Promise.resolve(null as never);
    expect(outcomeOf(await world.verify())).toBe('store_unavailable');
  });

  it('forgets the key unused for longest, and loads it again', async () => {
    const world = await new World({ keyCacheSize: 1 }).enrol();
    const other = aKey('ES256', 'second');
    await world.enrol(other);
    for (const key of [world.key, other, world.key, other])
      expect(outcomeOf(await world.verify({ token: { key } }))).toBe('accepted');
  });

  it('keeps a key from its second use on, and as many as it may', () => {
    const ring = new KeyRing(1);
    const [first, second] = ['first', 'second'].map((name) => ({
      id: name,
      key: importInstanceKey(anInstanceOf(aKey('ES256', name))),
    }));
    const use = (each: typeof first): void => ring.keep(each?.id ?? '', each?.key as InstanceKey);
    use(first);
    expect(ring.get('first')).toBeUndefined();
    use(first);
    expect(ring.get('first')).toBe(first?.key);
    use(second);
    expect(ring.get('first')).toBe(first?.key);
    use(second);
    expect([ring.get('first'), ring.get('second')]).toEqual([undefined, second?.key]);
  });

  it('keeps no key by which nothing has verified', async () => {
    const world = await aWorld();
    const keep = vi.spyOn(KeyRing.prototype, 'keep');
    for (let i = 0; i < 3; i += 1)
      expect(outcomeOf(await world.verify({ token: { signature: Buffer.alloc(64, 1) } }))).toBe('bad_signature');
    expect(keep).not.toHaveBeenCalled();
    expect(outcomeOf(await world.verify())).toBe('accepted');
    expect(keep).toHaveBeenCalledOnce();
    keep.mockRestore();
  });

  it('remembers no unknown instance: it is known as soon as it is enrolled', async () => {
    const world = new World();
    expect(outcomeOf(await world.verify())).toBe('unknown_instance');
    await world.enrol();
    expect(outcomeOf(await world.verify())).toBe('accepted');
  });
});
