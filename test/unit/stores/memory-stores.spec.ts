import { describe, expect, it } from 'vitest';
import { TabConfigError } from '../../../lib/errors/tab-error.js';
import { memoryStores } from '../../../lib/stores/memory/index.js';
import { aBlock, aBreach, aHash, aKey, anEnding, anInstance, aSession, fakeClock, NOW } from './factories.js';

const UNAVAILABLE = { code: 'store_unavailable' };

describe('the memory nonce store', () => {
  it('rejects when full of live claims, and still knows each of them', async () => {
    const { nonces } = memoryStores({ maxNonces: 3, clock: fakeClock().read });
    const keys = [aKey(), aKey(), aKey()];
    for (const key of keys) expect(await nonces.claim(key, NOW + 10)).toBe(true);
    await expect(nonces.claim(aKey(), NOW + 10)).rejects.toMatchObject(UNAVAILABLE);
    for (const key of keys) expect(await nonces.claim(key, NOW + 10)).toBe(false);
  });

  it('makes room by itself once claims have expired, and not a second before', async () => {
    const clock = fakeClock();
    const { nonces } = memoryStores({ maxNonces: 2, clock: clock.read });
    for (const key of [aKey(), aKey()]) await nonces.claim(key, NOW + 10);
    clock.set(NOW + 10);
    await expect(nonces.claim(aKey(), NOW + 20)).rejects.toMatchObject(UNAVAILABLE);
    clock.set(NOW + 11);
    expect(await nonces.claim(aKey(), NOW + 20)).toBe(true);
    expect(await nonces.sweep(NOW + 11, 10)).toBe(0);
  });

  it('keeps up with a steady load for any time, within its limit', async () => {
    const clock = fakeClock();
    const { nonces } = memoryStores({ maxNonces: 2_000, clock: clock.read });
    for (let second = 0; second < 1_000; second++) {
      clock.set(NOW + second);
      for (let count = 0; count < 10; count++) expect(await nonces.claim(aKey(), NOW + second + 180)).toBe(true);
    }
  });

  it('survives a clock that jumps by years', async () => {
    const clock = fakeClock();
    const { nonces } = memoryStores({ maxNonces: 1, clock: clock.read });
    await nonces.claim(aKey(), NOW + 10);
    clock.set(NOW + 1_000_000_000);
    const key = aKey();
    expect(await nonces.claim(key, NOW + 1_000_000_010)).toBe(true);
    clock.set(NOW);
    expect(await nonces.claim(key, NOW + 1_000_000_010)).toBe(false);
  });

  it('rejects a claim that is over already, since it could be won again', async () => {
    const { nonces } = memoryStores({ clock: fakeClock().read });
    const key = aKey();
    await expect(nonces.claim(key, NOW - 1)).rejects.toMatchObject(UNAVAILABLE);
    expect(await nonces.claim(key, NOW)).toBe(true);
    expect(await nonces.claim(key, NOW)).toBe(false);
  });

  it('loses a key whatever expiry it is presented with', async () => {
    const { nonces } = memoryStores({ clock: fakeClock().read });
    const key = aKey();
    await nonces.claim(key, NOW + 10);
    expect(await nonces.claim(key, NOW + 999)).toBe(false);
  });

  it('tells when its life began, by its clock', () => {
    const [one, two] = [memoryStores({ clock: fakeClock().read }), memoryStores({ clock: fakeClock().read })];
    expect(one.nonces.volatility?.startedAt).toBe(NOW);
    expect(one.nonces.volatility?.epoch).not.toBe(two.nonces.volatility?.epoch);
  });
});

describe('the memory binding store', () => {
  it('rejects instances and sessions beyond its limits', async () => {
    const { bindings } = memoryStores({ maxInstances: 1, maxSessions: 1 });
    const instance = anInstance();
    await bindings.saveInstance(instance);
    await expect(bindings.saveInstance(anInstance())).rejects.toMatchObject(UNAVAILABLE);
    expect(await bindings.saveInstance({ ...instance, appVersion: '2.0.0' }, 1)).toBe(true);
    const session = aSession(instance);
    await bindings.bind(session);
    await expect(bindings.bind(aSession(instance))).rejects.toMatchObject(UNAVAILABLE);
    await bindings.sweep({ sessionsBefore: session.expiresAt + 1, unattestedBefore: 0, breachesBefore: 0, limit: 10 });
    expect(await bindings.bind(aSession(instance))).toBe('bound');
  });

  it('still revokes and ends when it is full', async () => {
    const { bindings } = memoryStores({ maxInstances: 1, maxSessions: 1 });
    const instance = anInstance();
    await bindings.saveInstance(instance);
    await bindings.bind(aSession(instance));
    expect(await bindings.revoke(instance.id, anEnding())).toBe(true);
    expect((await bindings.findSessions('user-1'))[0]?.endedAt).toBe(NOW + 60);
  });

  it('forgets the oldest breach beyond its limit, never the newest', async () => {
    const { bindings } = memoryStores({ maxBreaches: 2 });
    const breaches = [aBreach(), aBreach({ at: NOW + 1 }), aBreach({ at: NOW + 2 })];
    for (const breach of breaches) await bindings.recordBreach(breach);
    expect(await bindings.findBreaches({})).toEqual(breaches.slice(1).toReversed());
  });

  it('rejects blocks of more apps than it has room for, and still renews those it has', async () => {
    const { bindings } = memoryStores();
    for (let index = 0; index < 1_000; index++) await bindings.blockVersions(aBlock({ appId: `app-${index}` }));
    await expect(bindings.blockVersions(aBlock({ appId: 'app-1000' }))).rejects.toMatchObject(UNAVAILABLE);
    await bindings.blockVersions(aBlock({ appId: 'app-7', reason: 'renewed' }));
    expect(await bindings.unblockVersions('app-8', '<3.2.0')).toBe(true);
    await bindings.blockVersions(aBlock({ appId: 'app-1000' }));
    expect(await bindings.findBlocks()).toHaveLength(1_000);
  });

  it('shares neither breaches nor blocks with callers', async () => {
    const { bindings } = memoryStores();
    const threats = ['root'];
    await bindings.recordBreach(aBreach({ threats }));
    await bindings.blockVersions(aBlock());
    threats.push('hooking');
    const [breach] = await bindings.findBreaches({});
    const [block] = await bindings.findBlocks();
    expect(breach?.threats).toEqual(['root']);
    for (const kept of [breach, breach?.threats, block]) expect(kept !== undefined && Object.isFrozen(kept)).toBe(true);
  });

  it('does not share its records with callers', async () => {
    const { bindings } = memoryStores();
    const claims = { nested: { level: 1 } };
    const instance = anInstance({ attestationClaims: claims });
    await bindings.saveInstance(instance);
    claims.nested.level = 2;
    const { instance: found } = await bindings.load({ instanceId: instance.id });
    expect(found?.attestationClaims).toEqual({ nested: { level: 1 } });
    expect(() => Object.assign(found ?? {}, { status: 'active' })).toThrow(TypeError);
    expect(() => Object.assign(found?.attestationClaims['nested'] ?? {}, { level: 3 })).toThrow(TypeError);
  });

  it('frees the credential of a session that was swept', async () => {
    const { bindings } = memoryStores();
    const instance = anInstance();
    await bindings.saveInstance(instance);
    const credentialHash = aHash();
    await bindings.bind(aSession(instance, { credentialHash, expiresAt: NOW }));
    await bindings.sweep({ sessionsBefore: NOW + 1, unattestedBefore: 0, breachesBefore: 0, limit: 10 });
    expect(await bindings.bind(aSession(instance, { credentialHash }))).toBe('bound');
  });
});

it.each([{ maxNonces: 0 }, { maxInstances: 1.5 }, { maxSessions: Number.NaN }, { maxBreaches: -1 }])(
  'refuses the limits %o',
  (options) => {
    expect(() => memoryStores(options)).toThrow(TabConfigError);
  },
);
