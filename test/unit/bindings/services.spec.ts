import { describe, expect, it, vi } from 'vitest';
import { TabInstances } from '../../../lib/bindings/tab-instances.js';
import type { SessionStart } from '../../../lib/bindings/session-start.js';
import { TabSessions, type SessionServiceSettings } from '../../../lib/bindings/tab-sessions.js';
import type { TabErrorCode } from '../../../lib/errors/codes.js';
import { TabError } from '../../../lib/errors/tab-error.js';
import { TabException } from '../../../lib/errors/tab-exception.js';
import { markProvenance, UnverifiedContext, type TrustContext } from '../../../lib/trust/trust-context.js';
import { sessionRefusal } from '../../../lib/verifier/decision-record.js';
import {
  aKey,
  anInstanceOf,
  aSessionOf,
  aWorld,
  CREDENTIAL,
  NOW,
  outcomeOf,
  requiring,
  SESSION_ID,
  sha,
  type CallParts,
  type World,
} from '../../utils/core/index.js';

/** A world, its services, and contexts as a guard makes them. */
async function setUp(change: Partial<SessionServiceSettings> = {}, options: { session?: boolean } = {}) {
  const world = await aWorld({}, options);
  const headers: Record<string, string> = {};
  const settings = { ...world.settings, verifiesCredentials: false, exposeDetail: false, ...change };
  const contextOf = async (parts: CallParts = {}, requirement = requiring()): Promise<TrustContext> => {
    const verification = await world.verify(parts, requirement);
    expect(outcomeOf(verification)).toBe('accepted');
    if (!verification.accepted) throw new Error('not accepted');
    const { context, challenged, credentialHash } = verification;
    markProvenance(context, { challenged, credentialHash, setHeader: (name, value) => void (headers[name] = value) });
    return context;
  };
  return { world, headers, contextOf, sessions: new TabSessions(settings), instances: new TabInstances(settings) };
}
const START: SessionStart = { subject: 'bob', credential: 'new-token' };
const within: CallParts = { session: true };
const REQUIRED = requiring({ session: 'required' });

async function codeOf(call: () => Promise<unknown>): Promise<TabErrorCode | 'accepted' | 'TypeError'> {
  try {
    await call();
    return 'accepted';
  } catch (error) {
    if (error instanceof TypeError) return 'TypeError';
    expect(error).toBeInstanceOf(TabException);
    return (error as TabException).error.code;
  }
}
const storedSession = async (world: World, sessionId: string) =>
  (await world.settings.bindings.load({ instanceId: world.key.id, sessionId })).session;

describe('TabSessions.bind', () => {
  it('starts a session and answers it, with a challenge', async () => {
    const { world, sessions, contextOf, headers } = await setUp();
    const session = await sessions.bind(await contextOf(), START);
    expect(session).toEqual({
      id: session.id,
      instanceId: world.key.id,
      subject: 'bob',
      credentialHash: sha('new-token'),
      previousCredentialHash: null,
      previousValidUntil: null,
      createdAt: NOW,
      expiresAt: NOW + 12 * 3600,
      endedAt: null,
      endReason: null,
    });
    expect(session.id).toMatch(/^[A-Za-z0-9_-]{22,64}$/);
    expect(await storedSession(world, session.id)).toEqual(session);
    expect(headers['TAB-Session']).toBe(`${session.id}; expires=${NOW + 12 * 3600}`);
    expect(() => world.settings.challenges.check(headers['TAB-Nonce'], 'request', NOW, world.key.id)).not.toThrow();
  });

  it('makes an id that is never the same', async () => {
    const { sessions, contextOf } = await setUp();
    const ids = new Set<string>();
    for (let i = 0; i < 20; i += 1)
      ids.add((await sessions.bind(await contextOf(), { subject: 'bob', credential: `token-${i}` })).id);
    expect(ids.size).toBe(20);
  });

  it('takes the life that is asked for', async () => {
    const { sessions, contextOf } = await setUp();
    expect((await sessions.bind(await contextOf(), { ...START, ttl: 60 })).expiresAt).toBe(NOW + 60);
  });

  it.each<[string, Partial<SessionStart>]>([
    ['an empty subject', { subject: '' }],
    ['a long subject', { subject: 'x'.repeat(256) }],
    ['no subject', { subject: undefined }],
    ['an object as subject', { subject: {} as never }],
    ['an empty credential', { credential: '' }],
    ['no credential, though none is verified', { credential: undefined }],
    ['ttl 0', { ttl: 0 }],
    ['a negative ttl', { ttl: -1 }],
    ['half a second', { ttl: 0.5 }],
    ['ttl as text', { ttl: '60' as never }],
    ['an endless ttl', { ttl: Infinity }],
  ])('refuses %s', async (_what, change) => {
    const { sessions, contextOf, headers } = await setUp();
    const context = await contextOf();
    expect(await codeOf(() => sessions.bind(context, { ...START, ...change }))).toBe('TypeError');
    expect(headers).toEqual({});
  });

  it('needs no credential where credentials are verified', async () => {
    const { sessions, contextOf } = await setUp({ verifiesCredentials: true });
    expect((await sessions.bind(await contextOf(), { subject: 'bob' })).credentialHash).toBeNull();
  });

  it('refuses contexts that no verification made', async () => {
    const { sessions, contextOf } = await setUp();
    const context = await contextOf();
    const forged = [
      { ...context },
      structuredClone(context),
      Object.create(context) as TrustContext,
      JSON.parse(JSON.stringify(context)) as TrustContext,
    ];
    for (const each of forged) expect(await codeOf(() => sessions.bind(each, START))).toBe('TypeError');
    for (const each of [undefined, null, {}, 'x'])
      expect(await codeOf(() => sessions.bind(each as never, START))).toBe('TypeError');
  });

  it('refuses an unverified context, in monitor mode too, with the code of the request', async () => {
    const { sessions, headers } = await setUp();
    const context = new UnverifiedContext('bad_signature', 'id');
    markProvenance(context, {
      challenged: true,
      credentialHash: undefined,
      setHeader: (name, value) => void (headers[name] = value),
    });
    expect(await codeOf(() => sessions.bind(context, START))).toBe('bad_signature');
    expect(headers).toMatchObject({
      'TAB-Error': 'bad_signature',
      'WWW-Authenticate': 'TAB error="bad_signature"',
      'Content-Type': 'application/problem+json',
    });
    expect(headers).not.toHaveProperty('TAB-Session');
  });

  it('refuses a request without a challenge', async () => {
    const { world, sessions, contextOf } = await setUp();
    world.clock.advance(20);
    const context = await contextOf({}, requiring({ challenge: 'none' }));
    expect(await codeOf(() => sessions.bind(context, START))).toBe('TypeError');
  });

  it('refuses the credential that was found on the request', async () => {
    const { sessions, contextOf } = await setUp();
    const context = await contextOf({ headers: ['Authorization', 'Bearer stolen'] });
    expect(await codeOf(() => sessions.bind(context, { subject: 'bob', credential: 'stolen' }))).toBe(
      'invalid_session',
    );
    expect(await codeOf(() => sessions.bind(context, { subject: 'bob', credential: 'fresh' }))).toBe('accepted');
  });

  it('refuses a credential of another session, and ends that one', async () => {
    const { world, sessions, contextOf, headers } = await setUp({}, { session: true });
    const context = await contextOf();
    expect(await codeOf(() => sessions.bind(context, { subject: 'mallory', credential: CREDENTIAL }))).toBe(
      'invalid_session',
    );
    expect((await storedSession(world, SESSION_ID))?.endedAt).toBe(NOW);
    expect(headers).not.toHaveProperty('TAB-Session');
  });

  it.each([
    ['suspended', 'instance_suspended'],
    ['revoked', 'instance_revoked'],
    ['deleted', 'unknown_instance'],
  ] as const)('refuses an instance that was %s meanwhile', async (state, code) => {
    const { world, sessions, instances, contextOf } = await setUp();
    const context = await contextOf();
    if (state === 'suspended') await instances.suspend(world.key.id, 'x');
    if (state === 'revoked') await instances.revoke(world.key.id, 'x');
    if (state === 'deleted') {
      world.settings.bindings.bind = () => Promise.resolve('instance_inactive');
      world.settings.bindings.load = () => Promise.resolve({});
    }
    expect(await codeOf(() => sessions.bind(context, START))).toBe(code);
  });

  it('answers a store that fails with 503', async () => {
    const { world, sessions, contextOf, headers } = await setUp();
    const context = await contextOf();
    world.settings.bindings.bind = () => Promise.reject(new Error('down'));
    expect(await codeOf(() => sessions.bind(context, START))).toBe('store_unavailable');
    expect(headers['Retry-After']).toBe('2');
  });
});

describe('TabSessions.rebind and end', () => {
  it('replaces the credential; the one before stays valid for 30 s', async () => {
    const { world, sessions, contextOf } = await setUp({}, { session: true });
    await sessions.rebind(await contextOf(within, REQUIRED), { credential: 'refreshed' });
    expect(await storedSession(world, SESSION_ID)).toMatchObject({
      credentialHash: sha('refreshed'),
      previousCredentialHash: sha(CREDENTIAL),
      previousValidUntil: NOW + 30,
    });
    const refreshed: CallParts = {
      headers: ['Authorization', 'Bearer refreshed'],
      token: { claims: { sid: SESSION_ID } },
    };
    world.clock.advance(29);
    expect([
      outcomeOf(await world.verify(within, REQUIRED)),
      outcomeOf(await world.verify(refreshed, REQUIRED)),
    ]).toEqual(['accepted', 'accepted']);
    world.clock.advance(1);
    expect([
      outcomeOf(await world.verify(within, REQUIRED)),
      outcomeOf(await world.verify(refreshed, REQUIRED)),
    ]).toEqual(['invalid_session', 'accepted']);
  });

  it.each(['', undefined, null, 5])('refuses the credential %j', async (credential) => {
    const { world, sessions, contextOf } = await setUp({}, { session: true });
    const context = await contextOf(within, REQUIRED);
    expect(await codeOf(() => sessions.rebind(context, { credential: credential as never }))).toBe('TypeError');
    expect((await storedSession(world, SESSION_ID))?.credentialHash).toBe(sha(CREDENTIAL));
  });

  it('refuses a request without a session', async () => {
    const { sessions, contextOf } = await setUp();
    const context = await contextOf();
    expect(await codeOf(() => sessions.rebind(context, { credential: 'x' }))).toBe('TypeError');
    expect(await codeOf(() => sessions.end(context, 'logout'))).toBe('TypeError');
  });

  it('refuses a session that ended meanwhile', async () => {
    const { sessions, contextOf } = await setUp({}, { session: true });
    const context = await contextOf(within, REQUIRED);
    expect(await sessions.revoke(SESSION_ID, 'admin')).toBe(true);
    expect(await codeOf(() => sessions.rebind(context, { credential: 'x' }))).toBe('invalid_session');
  });

  it('refuses the credential of another session, and ends that one', async () => {
    const { world, sessions, contextOf } = await setUp({}, { session: true });
    await world.settings.bindings.bind(
      aSessionOf(world.key, { id: 'v'.repeat(32), subject: 'victim', credentialHash: sha('victims') }),
    );
    const context = await contextOf(within, REQUIRED);
    expect(await codeOf(() => sessions.rebind(context, { credential: 'victims' }))).toBe('invalid_session');
    expect((await storedSession(world, 'v'.repeat(32)))?.endedAt).toBe(NOW);
  });

  it('ends the session and tells the client', async () => {
    const { world, sessions, contextOf, headers } = await setUp({}, { session: true });
    const context = await contextOf(within, REQUIRED);
    expect(await sessions.end(context, 'logout')).toBe(true);
    expect(headers['TAB-Session']).toBe('; expires=0');
    expect(await sessions.end(context, 'logout')).toBe(false);
    expect(await storedSession(world, SESSION_ID)).toMatchObject({ endedAt: NOW, endReason: 'logout' });
    expect(outcomeOf(await world.verify(within, REQUIRED))).toBe('invalid_session');
  });

  it.each(['rebind', 'end'] as const)('refuses forged contexts in %s', async (method) => {
    const { sessions, contextOf } = await setUp({}, { session: true });
    const forged = { ...(await contextOf(within, REQUIRED)) };
    expect(
      await codeOf(() => (method === 'end' ? sessions.end(forged, 'x') : sessions.rebind(forged, { credential: 'x' }))),
    ).toBe('TypeError');
  });
});

describe('TabSessions for operators', () => {
  it('ends all sessions of a subject, and lists them', async () => {
    const { world, sessions } = await setUp({}, { session: true });
    await world.settings.bindings.bind(
      aSessionOf(world.key, { id: 'b'.repeat(32), credentialHash: null, createdAt: NOW - 1 }),
    );
    await world.settings.bindings.bind(
      aSessionOf(world.key, { id: 'c'.repeat(32), credentialHash: null, subject: 'bob' }),
    );
    expect((await sessions.list('alice')).map(({ id }) => id)).toEqual(['b'.repeat(32), SESSION_ID]);
    expect(await sessions.revokeSubject('alice', 'x'.repeat(300))).toBe(2);
    expect(
      (await sessions.list('alice')).every(({ endedAt, endReason }) => endedAt === NOW && endReason?.length === 200),
    ).toBe(true);
    expect((await sessions.list('bob'))[0]?.endedAt).toBeNull();
    expect(await sessions.revoke('unknown', 'x')).toBe(false);
  });
});

describe('refused session changes', () => {
  it('are recorded under an id of their own, which the answer quotes', async () => {
    const { world, contextOf } = await setUp({}, { session: true });
    const records: [TabErrorCode, string, TrustContext][] = [];
    const settings = { ...world.settings, verifiesCredentials: false, exposeDetail: false };
    const sessions = new TabSessions(settings, undefined, (error, trust) => {
      records.push([error.code, error.detail, trust]);
      return `record-${records.length}`;
    });
    const context = await contextOf(within);
    const reused = await sessions
      .bind(context, { subject: 'bob', credential: CREDENTIAL })
      .catch((error: unknown) => error);
    expect(reused).toMatchObject({ decision: 'record-1', error: { code: 'invalid_session' } });
    expect((reused as TabException).getResponse()).toMatchObject({ decision: 'record-1' });
    await world.settings.bindings.suspend(world.key.id, { reason: 'x', at: NOW }, []);
    await expect(sessions.bind(context, START)).rejects.toMatchObject({ decision: 'record-2' });
    expect(records).toEqual([
      ['invalid_session', 'a credential found on the request cannot start a session', context],
      ['instance_suspended', 'instance is suspended', context],
    ]);
  });

  it('are not recorded where they are mistakes of the application, or none', async () => {
    const { world, contextOf } = await setUp();
    const record = vi.fn(() => 'id');
    const sessions = new TabSessions(
      { ...world.settings, verifiesCredentials: false, exposeDetail: false },
      undefined,
      record,
    );
    const context = await contextOf();
    await expect(sessions.bind(context, { subject: '' })).rejects.toThrow(TypeError);
    await sessions.bind(context, START);
    expect(record).not.toHaveBeenCalled();
  });

  it('record whom they are about, and no credential', async () => {
    const { contextOf } = await setUp({}, { session: true });
    const context = await contextOf(within, REQUIRED);
    const record = sessionRefusal(new TabError('invalid_session', 'why'), context, NOW * 1000);
    expect(record).toMatchObject({
      at: NOW * 1000,
      outcome: 'refused',
      enforced: true,
      category: 'invalid',
      code: 'invalid_session',
      detail: `session change in request ${context.decision}: why`,
      instanceId: aKey().id,
      sessionId: SESSION_ID,
      subject: 'alice',
    });
    expect(record.id).not.toBe(context.decision);
    const unverified = { verified: false, code: 'stale_token', decision: 'd' } as const;
    expect(sessionRefusal(new TabError('stale_token', 'why'), unverified, 1)).not.toHaveProperty('instanceId');
  });
});

describe('TabInstances', () => {
  it('finds, lists, suspends and revokes', async () => {
    const { world, instances } = await setUp();
    await world.settings.bindings.saveInstance(anInstanceOf(aKey('ES256', 'second'), { appId: 'com.example.other' }));
    expect((await instances.get(world.key.id))?.id).toBe(world.key.id);
    expect(await instances.get('unknown')).toBeUndefined();
    expect(await instances.list()).toHaveLength(2);
    expect(await instances.list({ appId: 'com.example.other' })).toHaveLength(1);
    expect(await instances.suspend(world.key.id, 'r'.repeat(300), ['root'])).toBe(true);
    expect(await instances.get(world.key.id)).toMatchObject({
      status: 'suspended',
      statusReason: 'r'.repeat(200),
      statusAt: NOW,
      suspendedBy: ['root'],
    });
    expect(await instances.suspend('unknown', 'x')).toBe(false);
    expect(await instances.revoke(world.key.id, 'lost')).toBe(true);
    expect(await instances.revoke(world.key.id, 'lost')).toBe(false);
    expect(await instances.suspend(world.key.id, 'x')).toBe(false);
  });

  it('answers a store that fails with store_unavailable', async () => {
    const { world, instances } = await setUp();
    world.settings.bindings.load = () => Promise.reject(new Error('down'));
    await expect(instances.get('x')).rejects.toMatchObject({ code: 'store_unavailable' });
  });
});
