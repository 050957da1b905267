import { describe, expect, it } from 'vitest';
import {
  aSet,
  aSignalWorld,
  AUDIENCE,
  CAEP,
  COMPLIANCE,
  complex,
  eventSet,
  INSTANCE,
  ISS,
  NOW,
  opaque,
  RISK,
  SESSION_ID,
  SESSION_REVOKED,
  stranger,
  user,
} from './fixture.js';
import { aKey, anInstanceOf } from '../../utils/core/index.js';

const OTHER = aKey('ES256', 'second');

/** Alice has a second session, on another device; Bob one on the first. */
async function twoDevices(...parts: Parameters<typeof aSignalWorld>) {
  const world = await aSignalWorld(...parts);
  await world.settings.bindings.saveInstance(anInstanceOf(OTHER));
  await world.session('elsewhere', { instanceId: OTHER.id });
  await world.session('bobs', { subject: 'bob' });
  return world;
}

describe('session-revoked', () => {
  it('of a user ends all sessions of the user, and no other', async () => {
    const world = await twoDevices();
    expect(await world.take(eventSet(SESSION_REVOKED, user('alice')))).toBe('acted');
    expect(await world.live()).toEqual([]);
    expect(await world.live('bob')).toEqual(['bobs']);
    expect(await world.status()).toBe('active');
    expect(world.records).toMatchObject([{ outcome: 'acted', iss: ISS, event: 'session-revoked', changes: 2 }]);
    const [session] = await world.sessions.list('alice');
    expect(session?.endReason).toBe(`signal session-revoked from ${ISS}`);
  });

  const one: [what: string, subId: unknown][] = [
    ['by its id', opaque(SESSION_ID)],
    ['in a complex subject', complex({ session: opaque(SESSION_ID) })],
    ['of its user', complex({ session: opaque(SESSION_ID), user: user('alice') })],
    ['with everything', complex({ session: opaque(SESSION_ID), user: opaque('alice'), device: opaque(INSTANCE) })],
    ['by user and device', complex({ user: user('alice'), device: opaque(INSTANCE), tenant: opaque('t') })],
  ];
  it.each(one)('of a session ends that one: %s', async (_what, subId) => {
    const world = await twoDevices();
    expect(await world.take(eventSet(SESSION_REVOKED, subId))).toBe('acted');
    expect(await world.live()).toEqual(['elsewhere']);
    expect(await world.live('bob')).toEqual(['bobs']);
  });

  it('of an opaque user ends the sessions of the user', async () => {
    const world = await twoDevices();
    expect(await world.take(eventSet(SESSION_REVOKED, opaque('bob')))).toBe('acted');
    expect(await world.live('bob')).toEqual([]);
    expect(await world.live()).toHaveLength(2);
  });

  it('of a device suspends it', async () => {
    const world = await twoDevices();
    expect(await world.take(eventSet(SESSION_REVOKED, complex({ device: opaque(INSTANCE) })))).toBe('acted');
    expect([await world.status(), await world.status(OTHER.id)]).toEqual(['suspended', 'active']);
  });

  it('of a session that has ended already is accepted', async () => {
    const world = await aSignalWorld();
    await world.sessions.revoke(SESSION_ID, 'before');
    expect(await world.take(eventSet(SESSION_REVOKED, opaque(SESSION_ID)))).toBe('acted');
    expect((await world.sessions.list('alice'))[0]?.endReason).toBe('before');
  });
});

describe('device-compliance-change', () => {
  const device = complex({ device: opaque(INSTANCE), user: user('whoever') });

  it('to not-compliant suspends the instance', async () => {
    const world = await aSignalWorld();
    expect(await world.take(eventSet(COMPLIANCE, device, { current_status: 'not-compliant' }))).toBe('acted');
    expect(await world.instances.get(INSTANCE)).toMatchObject({
      status: 'suspended',
      statusReason: `signal device-compliance-change from ${ISS}`,
      statusAt: NOW,
      suspendedBy: [],
    });
  });

  it('to compliant is recorded, and ends no suspension', async () => {
    const world = await aSignalWorld();
    await world.instances.suspend(INSTANCE, 'a threat', ['root']);
    expect(await world.take(eventSet(COMPLIANCE, opaque(INSTANCE), { current_status: 'compliant' }))).toBe('recorded');
    expect(await world.instances.get(INSTANCE)).toMatchObject({ status: 'suspended', suspendedBy: ['root'] });
  });

  it('does not bring a revoked instance back', async () => {
    const world = await aSignalWorld();
    await world.instances.revoke(INSTANCE, 'stolen');
    expect(await world.take(eventSet(COMPLIANCE, device, { current_status: 'not-compliant' }))).toBe('acted');
    expect(await world.status()).toBe('revoked');
  });
});

describe('risk-level-change', () => {
  const risk = (principal: string, subId: unknown, level = 'HIGH') =>
    eventSet(RISK, subId, { principal, current_level: level, risk_reason: 'x' });

  it('HIGH for a user ends the sessions of the user', async () => {
    const world = await twoDevices();
    const subId = complex({ user: user('alice'), device: opaque(INSTANCE) });
    expect(await world.take(risk('USER', subId))).toBe('acted');
    expect(await world.live()).toEqual([]);
    expect(await world.status()).toBe('active');
  });

  it('HIGH for a device suspends it', async () => {
    const world = await twoDevices();
    expect(await world.take(risk('DEVICE', opaque(INSTANCE)))).toBe('acted');
    expect([await world.status(), await world.status(OTHER.id)]).toEqual(['suspended', 'active']);
  });

  it('HIGH for a session ends it', async () => {
    const world = await twoDevices();
    expect(await world.take(risk('SESSION', opaque(SESSION_ID)))).toBe('acted');
    expect(await world.live()).toEqual(['elsewhere']);
  });

  it.each([
    ['LOW', 'USER'],
    ['MEDIUM', 'USER'],
    ['HIGH', 'TENANT'],
  ])('%s for a %s is recorded', async (level, principal) => {
    const world = await aSignalWorld();
    expect(await world.take(risk(principal, user('alice'), level))).toBe('recorded');
    expect(await world.live()).toEqual([SESSION_ID]);
  });

  it('HIGH is only recorded where that is configured', async () => {
    const world = await aSignalWorld({}, { onHighRisk: 'record' });
    expect(await world.take(risk('USER', user('alice')))).toBe('recorded');
    expect(await world.live()).toEqual([SESSION_ID]);
    expect(await world.take(aSet())).toBe('acted');
  });
});

describe('events that are not acted on', () => {
  it.each([
    'https://schemas.openid.net/secevent/ssf/event-type/verification',
    `${CAEP}credential-change`,
    `${SESSION_REVOKED}/`,
    'constructor',
  ])('are accepted and ignored: %s', async (type) => {
    const world = await aSignalWorld();
    expect(await world.take(eventSet(type, opaque('stream'), { state: 'x' }))).toBe('ignored');
    expect(await world.live()).toEqual([SESSION_ID]);
    expect(world.records).toMatchObject([{ outcome: 'ignored', iss: ISS }]);
  });

  it('are refused all the same when nobody trusted signed them', async () => {
    const world = await aSignalWorld();
    const jwt = aSet({ claims: { events: { 'urn:x': {} } }, key: stranger.privateKey });
    expect(await world.take(jwt)).toBe('authentication_failed');
  });
});

describe('what else is accepted', () => {
  it.each([
    ['aud in a list', { aud: ['https://other.example', AUDIENCE] }],
    ['claims that are not known', { txn: 'x', toe: NOW }],
    ['a clock a minute ahead', { iat: NOW + 60 }],
    ['an iat with fractions', { iat: NOW - 0.5 }],
  ])('%s', async (_what, change) => {
    const world = await aSignalWorld();
    expect(await world.take(aSet({ claims: change }))).toBe('acted');
    expect(await world.live()).toEqual([]);
  });

  it('one of several audiences', async () => {
    const world = await aSignalWorld({ audience: ['urn:a', 'urn:b'] });
    expect(await world.take(aSet({ claims: { aud: 'urn:b' } }))).toBe('acted');
    expect(await world.take(aSet())).toBe('invalid_audience');
  });

  it('tokens as old as configured', async () => {
    const world = await aSignalWorld({ maxAge: 100 });
    expect(await world.take(aSet({ claims: { iat: NOW - 100, sub_id: opaque(SESSION_ID) } }))).toBe('acted');
    expect(await world.take(aSet({ claims: { iat: NOW - 101 } }))).toBe('invalid_request');
  });
});

describe('a mapping function', () => {
  it('stands in place of the default mapping', async () => {
    const seen: unknown[] = [];
    const world = await aSignalWorld(
      {},
      {
        subject: (subId, event) => {
          seen.push([subId, event]);
          return subId['email'] === 'alice@bank.example' ? { subject: 'alice' } : undefined;
        },
      },
    );
    const email = { format: 'email', email: 'alice@bank.example' };
    expect(await world.take(eventSet(SESSION_REVOKED, user('alice')))).toBe('invalid_request');
    expect(await world.take(eventSet(SESSION_REVOKED, email))).toBe('acted');
    expect(seen[1]).toEqual([email, { type: 'session-revoked' }]);
    expect(await world.live()).toEqual([]);
  });

  it('may answer later', async () => {
    const world = await aSignalWorld({}, { subject: () => Promise.resolve({ sessionId: SESSION_ID }) });
    expect(await world.take(aSet())).toBe('acted');
  });

  it('is asked only about what was signed', async () => {
    let asked = 0;
    const world = await aSignalWorld({}, { subject: () => void (asked += 1) });
    await world.take(aSet({ key: stranger.privateKey }));
    expect(asked).toBe(0);
  });

  it.each([
    {},
    { subject: '' },
    { subject: 'alice', instanceId: '' },
    { subject: 7 },
    { subject: 'alice', sessionId: 5 },
  ])('that names nobody properly changes nothing: %j', async (target) => {
    const world = await aSignalWorld({}, { subject: () => target as never });
    expect(await world.take(aSet())).toBe('invalid_request');
    expect(await world.live()).toEqual([SESSION_ID]);
  });

  it('that fails is no acceptance, and its error is not told', async () => {
    const world = await aSignalWorld({}, { subject: () => Promise.reject(new RangeError('secret of the mapping')) });
    const jwt = aSet();
    expect(await world.take(jwt)).toBe('unavailable');
    expect(await world.live()).toEqual([SESSION_ID]);
    expect(JSON.stringify(world.records)).not.toContain('secret');
    expect(world.records).toMatchObject([{ outcome: 'failed', detail: 'unexpected RangeError' }]);
  });
});
