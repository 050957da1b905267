import { describe, expect, it } from 'vitest';
import { memoryStores } from '../../../lib/stores/memory/index.js';
import { aKey, anInstanceOf, claimKeyOf, sha, TestClock } from '../../utils/core/index.js';
import {
  aSet,
  aSignalWorld,
  aTransmitterKey,
  COMPLIANCE,
  eventSet,
  idp,
  INSTANCE,
  ISS,
  NOW,
  opaque,
  SESSION_ID,
  SESSION_REVOKED,
  signSet,
  user,
  KID,
  someClaims,
  SignalWorld,
} from './fixture.js';

const unfit = { current_status: 'not-compliant' };

/** Stores of which methods can be made to fail. */
function failingStores(clock: TestClock, durable = true) {
  const stores = memoryStores({ clock: clock.read });
  const down = new Set<string>();
  const claims: [string, number][] = [];
  const wrap = <T extends object>(store: T): T =>
    new Proxy(store, {
      get(target, name) {
        if (durable && name === 'volatility') return undefined;
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          if (name === 'claim') claims.push(args as [string, number]);
          if (down.has(String(name))) return Promise.reject(new Error(`${String(name)} is down`));
          return (value as (...args: unknown[]) => unknown).apply(target, args);
        };
      },
    });
  return { down, claims, stores: { nonces: wrap(stores.nonces), bindings: wrap(stores.bindings) } };
}

async function aFailingWorld(options: ConstructorParameters<typeof SignalWorld>[0] = {}) {
  const clock = new TestClock();
  const { stores, ...rest } = failingStores(clock);
  return { world: await aSignalWorld(options, {}, stores, clock), stores, ...rest };
}

describe('the same token again', () => {
  it('is acknowledged as the first time, and ends no newer session', async () => {
    const { world } = await aFailingWorld();
    const jwt = eventSet(SESSION_REVOKED, user('alice'));
    expect(await world.take(jwt)).toBe('acted');
    // In the same second, and later.
    await world.session('new');
    world.clock.advance(3600);
    await world.session('later');
    expect(await world.take(jwt)).toBe('duplicate');
    expect(await world.live()).toEqual(['later', 'new']);
    expect(world.records[1]).toMatchObject({ outcome: 'duplicate', changes: 0 });
  });

  it('does not suspend an instance that has recovered', async () => {
    const { world } = await aFailingWorld();
    const jwt = eventSet(COMPLIANCE, opaque(INSTANCE), unfit);
    expect(await world.take(jwt)).toBe('acted');
    const suspended = await world.instances.get(INSTANCE);
    const recovered = anInstanceOf(aKey(), { statusAt: NOW });
    expect(await world.settings.bindings.saveInstance(recovered, suspended?.revision)).toBe(true);
    expect(await world.take(jwt)).toBe('duplicate');
    expect(await world.status()).toBe('active');
  });

  it('is known signed again, and with another key', async () => {
    const next = aTransmitterKey('signals-2');
    const jwks = { keys: [...idp.jwks.keys, ...next.jwks.keys] };
    const world = await aSignalWorld({ transmitters: [{ iss: ISS, jwks }] });
    const claims = someClaims();
    const header = { typ: 'secevent+jwt', alg: 'ES256', kid: KID };
    expect(await world.take(signSet(header, claims))).toBe('acted');
    await world.session('new');
    expect(await world.take(signSet(header, claims))).toBe('duplicate');
    expect(await world.take(signSet({ ...header, kid: 'signals-2' }, claims, next.privateKey))).toBe('duplicate');
    expect(await world.live()).toEqual(['new']);
  });

  it('is refused where that is configured', async () => {
    const { world } = await aFailingWorld({ onDuplicate: 'refuse' });
    const jwt = aSet();
    expect(await world.take(jwt)).toBe('acted');
    await world.session('new');
    expect(await world.take(jwt)).toBe('invalid_request');
    expect(await world.live()).toEqual(['new']);
  });

  it('fifty times at once acts once', async () => {
    const { world } = await aFailingWorld();
    const jwt = eventSet(SESSION_REVOKED, opaque(SESSION_ID));
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => world.take(jwt)));
    expect(world.records.filter(({ changes }) => changes === 1)).toHaveLength(1);
    expect(new Set(outcomes)).toEqual(new Set(['acted', 'duplicate']));
  });

  it('on another node is known there', async () => {
    const { world, stores } = await aFailingWorld();
    const other = new SignalWorld({}, {}, stores, world.clock);
    const jwt = aSet();
    expect(await world.take(jwt)).toBe('acted');
    await world.session('new');
    expect(await other.take(jwt)).toBe('duplicate');
    expect(await world.live()).toEqual(['new']);
  });
});

describe('another token with a used jti', () => {
  it('is refused each time, and changes nothing', async () => {
    const { world } = await aFailingWorld();
    await world.session('bobs', { subject: 'bob' });
    expect(await world.take(aSet({ claims: { jti: 'one' } }))).toBe('acted');
    const other = aSet({ claims: { jti: 'one', sub_id: user('bob') } });
    for (let i = 0; i < 3; i += 1) expect(await world.take(other)).toBe('invalid_request');
    expect(await world.live('bob')).toEqual(['bobs']);
    expect(world.records[1]).toMatchObject({ outcome: 'refused', err: 'invalid_request', jti: 'one' });
  });

  it('is refused with another time too', async () => {
    const { world } = await aFailingWorld();
    await world.take(aSet({ claims: { jti: 'one' } }));
    world.clock.advance(10);
    expect(await world.take(aSet({ claims: { jti: 'one', iat: NOW + 10 } }))).toBe('invalid_request');
  });

  it('is not refused when it is another issuer, even one whose name and ids look alike when joined', async () => {
    const evil = aTransmitterKey();
    const transmitters = [
      { iss: 'https://idp.example', jwks: evil.jwks },
      { iss: 'https://idp.example.org', jwks: idp.jwks },
    ];
    const world = await aSignalWorld({ transmitters });
    const burning = { iss: 'https://idp.example', jti: 'org.7', sub_id: opaque(SESSION_ID) };
    expect(await world.take(aSet({ claims: burning, key: evil.privateKey }))).toBe('acted');
    await world.session('new');
    const honest = { iss: 'https://idp.example.org', jti: '7', sub_id: opaque('alice') };
    expect(await world.take(aSet({ claims: honest }))).toBe('acted');
    expect(await world.live()).toEqual([]);
  });
});

describe('the claim', () => {
  it('has a key of fixed size, and an expiry that every node computes alike', async () => {
    const { world, claims } = await aFailingWorld({ maxAge: 100 });
    const set = someClaims({ jti: 'one', iat: NOW - 50 });
    const jwt = signSet({ typ: 'secevent+jwt', alg: 'ES256', kid: KID }, set);
    await world.take(jwt);
    const until = NOW - 50 + 7 * 86_400 + 60;
    expect(claims).toEqual([
      [claimKeyOf(`set-content.${sha(ISS)}.${sha(jwt.split('.')[1] as string)}`), until],
      [claimKeyOf(`set.${sha(ISS)}.one`), until],
    ]);
  });

  it('is not made for events that are ignored', async () => {
    const { world, claims } = await aFailingWorld();
    await world.take(aSet({ claims: { events: { 'urn:other': {} } } }));
    expect(claims).toEqual([]);
  });
});

describe('a store that fails', () => {
  it.each(['load', 'findSessions', 'claim', 'endSessions'])(
    'in %s asks for another attempt, which succeeds',
    async (method) => {
      const { world, down } = await aFailingWorld();
      const subId = method === 'load' ? opaque(SESSION_ID) : user('alice');
      const jwt = eventSet(SESSION_REVOKED, subId, {}, { iat: NOW });
      down.add(method);
      expect(await world.take(jwt)).toBe('unavailable');
      expect(await world.live().catch(() => [SESSION_ID])).toEqual([SESSION_ID]);
      expect(world.records[0]).toMatchObject({ outcome: 'failed', detail: expect.stringMatching(/store failed/) });
      expect(world.records[0]?.err).toBeUndefined();
      down.clear();
      expect(await world.take(jwt)).toBe('acted');
      expect(await world.live()).toEqual([]);
    },
  );

  it('after the claim loses no suspension', async () => {
    const { world, down } = await aFailingWorld({ onDuplicate: 'refuse' });
    const jwt = eventSet(COMPLIANCE, opaque(INSTANCE), unfit);
    down.add('suspend');
    expect(await world.take(jwt)).toBe('unavailable');
    down.clear();
    world.clock.advance(60);
    expect(await world.take(jwt)).toBe('acted');
    expect(await world.status()).toBe('suspended');
    expect(await world.take(jwt)).toBe('invalid_request');
  });

  it('after the claim: another node finishes, and spares what began after the event', async () => {
    const { world, down, stores } = await aFailingWorld();
    const jwt = eventSet(SESSION_REVOKED, user('alice'));
    down.add('endSessions');
    expect(await world.take(jwt)).toBe('unavailable');
    down.clear();
    world.clock.advance(60);
    await world.session('new');
    const other = new SignalWorld({}, {}, stores, world.clock);
    expect(await other.take(jwt)).toBe('acted');
    expect(await world.live()).toEqual(['new']);
  });
});

describe('a store that forgot when it started', () => {
  it('lets no older token end what began after it', async () => {
    const clock = new TestClock();
    const { stores } = failingStores(clock, false);
    const world = await aSignalWorld({}, {}, stores, clock);
    await world.session('newer', { createdAt: NOW });
    expect(await world.take(aSet({ claims: { iat: NOW - 10 } }))).toBe('acted');
    expect(await world.live()).toEqual(['newer']);
  });
});
