import { TabInstances, TabSessions } from 'nestjs-tab';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FrozenClock, startApp, toldBy, type TestApp } from '../utils/http/app.js';
import { randomId, type Call, type Device } from '../utils/http/client.js';
import { expectAccepted, expectRefusal } from '../utils/http/expectations.js';
import { digest } from '../utils/http/keys.js';
import { PLATFORMS } from '../utils/http/platforms.js';
import type { Answer } from '../utils/http/wire.js';
import { SessionController } from './controllers.js';

const STARTED = /^([A-Za-z0-9_-]{22,64}); expires=(\d+)$/;

/** A user who has signed in on a device. */
interface SignedIn {
  readonly device: Device;
  readonly sid: string;
  readonly credential: string;
  readonly answer: Answer;
  /** `GET /session`, or another call of this user. */
  call(call?: Call): Promise<Answer>;
}

interface SignIn {
  readonly subject?: string;
  readonly credential?: string | null;
  readonly ttl?: number;
  readonly device?: Device;
}

async function signIn(app: TestApp, { subject = 'anna', credential, ttl, device }: SignIn = {}): Promise<SignedIn> {
  const used = device ?? (await app.device().enrolled());
  const named = credential === null ? undefined : (credential ?? `access-${randomId()}`);
  const body = JSON.stringify({ subject, credential: named, ttl });
  const answer = await used.send({ method: 'POST', target: '/session', body });
  expectAccepted(answer);
  const sid = STARTED.exec(answer.header('tab-session') ?? '')?.[1] ?? 'no session';
  const carried = named ?? '';
  const call = (over: Call = {}) => used.send({ target: '/session', sid, credential: carried, ...over });
  return { device: used, sid, credential: carried, answer, call };
}

describe.each(PLATFORMS)('sessions on $name', (platform) => {
  let app: TestApp;
  let sessions: TabSessions;

  beforeAll(async () => {
    app = await startApp(platform, { controllers: [SessionController] });
    sessions = app.nest.get(TabSessions, { strict: false });
  });
  afterAll(() => app.stop());

  it('start with TAB-Session and a challenge', async () => {
    const { answer, device, call, sid } = await signIn(app, { ttl: 600 });
    const expires = STARTED.exec(answer.header('tab-session') ?? '')?.[2];
    expect(Number(expires)).toBe(app.clock.seconds + 600);
    expect(answer.header('tab-nonce')).toMatch(/^[A-Za-z0-9._-]{22,256}$/);
    const who = await call();
    expectAccepted(who);
    expect(who.json()).toEqual({ subject: 'anna', session: { id: sid, subject: 'anna', expiresAt: device.now + 600 } });
  });

  it('last 12 hours unless said otherwise', async () => {
    const { answer } = await signIn(app);
    expect(answer.header('tab-session')).toMatch(new RegExp(`; expires=${app.clock.seconds + 12 * 3600}$`));
  });

  it('end when they expire', async () => {
    const { call, device } = await signIn(app, { ttl: 100 });
    app.clock.advance(99);
    expectAccepted(await call());
    app.clock.advance(1);
    expectRefusal(await call(), 'invalid_session');
    expectAccepted(await device.send({ target: '/session/optional' }));
  });

  it.each([
    ['no sid', { sid: undefined }],
    ['an unknown sid', { sid: randomId() }],
    ['a sid that is none', { sid: '../../etc/passwd' }],
    ['an empty sid', { sid: '' }],
    ['no credential', { credential: undefined }],
    ['another credential', { credential: 'another one' }],
  ] as const)('are refused with %s', async (_title, over) => {
    const { call } = await signIn(app);
    expectRefusal(await call(over), 'invalid_session');
    expectAccepted(await call());
  });

  it('are of one instance: the sid of another user is of no use', async () => {
    const [anna, ben] = [await signIn(app), await signIn(app, { subject: 'ben' })];
    expectRefusal(await ben.call({ sid: anna.sid }), 'invalid_session');
    expectRefusal(await ben.call({ sid: anna.sid, credential: anna.credential }), 'invalid_session');
  });

  it('do not take a stolen access token, in whatever session the thief has', async () => {
    const [anna, thief] = [await signIn(app), await signIn(app, { subject: 'thief' })];
    expectRefusal(await thief.call({ credential: anna.credential }), 'invalid_session');
    const bare = await app.device().enrolled();
    expectRefusal(await bare.send({ target: '/session', credential: anna.credential }), 'invalid_session');
    expectAccepted(await anna.call());
  });

  it('do not start from an access token that the request only presents', async () => {
    const [anna, thief] = [await signIn(app), await app.device().enrolled()];
    const body = JSON.stringify({ subject: 'anna', credential: anna.credential });
    const answer = await thief.send({ method: 'POST', target: '/session', body, credential: anna.credential });
    expectRefusal(answer, 'invalid_session');
    expect(answer.header('tab-session')).toBeUndefined();
    expectAccepted(await anna.call());
  });

  it('have a credential each: naming one again is refused and ends the first', async () => {
    const anna = await signIn(app);
    const other = await app.device().enrolled();
    const body = JSON.stringify({ subject: 'ben', credential: anna.credential });
    expectRefusal(await other.send({ method: 'POST', target: '/session', body }), 'invalid_session');
    expectRefusal(await anna.call(), 'invalid_session');
  });

  it('are refreshed, the credential before being good for 30 s more', async () => {
    const anna = await signIn(app);
    const fresh = `fresh-${randomId()}`;
    const refresh: Call = { method: 'POST', target: '/session/refresh', body: JSON.stringify({ credential: fresh }) };
    expectAccepted(await anna.call(refresh));
    expectAccepted(await anna.call({ credential: fresh }));
    app.clock.advance(29);
    expectAccepted(await anna.call());
    app.clock.advance(1);
    expectRefusal(await anna.call(), 'invalid_session');
    expectAccepted(await anna.call({ credential: fresh }));
  });

  it('are not refreshed to a credential of somebody else', async () => {
    const [anna, ben] = [await signIn(app), await signIn(app, { subject: 'ben' })];
    const body = JSON.stringify({ credential: ben.credential });
    expectRefusal(await anna.call({ method: 'POST', target: '/session/refresh', body }), 'invalid_session');
    expectRefusal(await ben.call(), 'invalid_session');
  });

  it('are ended by the user', async () => {
    const anna = await signIn(app);
    const answer = await anna.call({ method: 'POST', target: '/session/end' });
    expectAccepted(answer);
    expect(answer.json()).toEqual({ ended: true });
    expect(answer.header('tab-session')).toBe('; expires=0');
    expectRefusal(await anna.call(), 'invalid_session');
  });

  it('are revoked from the next request on', async () => {
    const anna = await signIn(app);
    expect(await sessions.revoke(anna.sid, 'reported stolen')).toBe(true);
    expectRefusal(await anna.call(), 'invalid_session');
    expect(await sessions.revoke(anna.sid, 'again')).toBe(false);
  });

  it('are revoked by subject, on all instances and for nobody else', async () => {
    const subject = `user-${randomId()}`;
    const [phone, tablet, ben] = [await signIn(app, { subject }), await signIn(app, { subject }), await signIn(app)];
    expect(await sessions.revokeSubject(subject, 'password changed')).toBe(2);
    expectRefusal(await phone.call(), 'invalid_session');
    expectRefusal(await tablet.call(), 'invalid_session');
    expectAccepted(await ben.call());
    expect((await sessions.list(subject)).map(({ endReason }) => endReason)).toEqual([
      'password changed',
      'password changed',
    ]);
  });

  it('end with their instance', async () => {
    const anna = await signIn(app);
    await app.nest.get(TabInstances, { strict: false }).revoke(anna.device.id, 'lost');
    expectRefusal(await anna.call(), 'instance_revoked');
    expect((await sessions.list('anna')).find(({ id }) => id === anna.sid)?.endedAt).not.toBeNull();
  });

  it('do not hold while their instance is suspended, and none start', async () => {
    const anna = await signIn(app);
    await app.nest.get(TabInstances, { strict: false }).suspend(anna.device.id, 'under review');
    expectRefusal(await anna.call(), 'instance_suspended');
    const body = JSON.stringify({ subject: 'anna', credential: 'another' });
    expectRefusal(await anna.device.send({ method: 'POST', target: '/session', body }), 'instance_suspended');
  });

  it('are optional where a route says so, but a sid that is sent has to be good', async () => {
    const anna = await signIn(app);
    const optional = { target: '/session/optional' };
    expect((await anna.call(optional)).json()).toEqual({ subject: 'anna' });
    const without = await anna.device.send(optional);
    expectAccepted(without);
    expect(without.json()).toEqual({ subject: null });
    expectRefusal(await anna.call({ ...optional, sid: randomId() }), 'invalid_session');
  });

  it('leave no credential in any log or record', async () => {
    const anna = await signIn(app);
    await anna.call({ credential: 'a wrong credential', sid: randomId() });
    const told = toldBy(app);
    for (const secret of [anna.credential, 'a wrong credential']) expect(told).not.toContain(secret);
  });
});

describe.each(PLATFORMS)('sessions with a credential verifier on $name', (platform) => {
  const clock = new FrozenClock();
  let app: TestApp;
  let annasKey = '';

  beforeAll(async () => {
    app = await startApp(platform, {
      clock,
      controllers: [SessionController],
      tab: {
        credential: (credential) => {
          if (credential.startsWith('subject:')) return { subject: credential.split(':')[1] };
          if (credential.startsWith('bound:')) return { subject: 'somebody', jkt: annasKey };
          if (credential === 'throws') throw new Error('credential throws');
          return undefined;
        },
      },
    });
  });
  afterAll(() => app.stop());

  it('take any verified credential of their subject', async () => {
    const anna = await signIn(app, { credential: null });
    expectAccepted(await anna.call({ credential: 'subject:anna:1' }));
    expectAccepted(await anna.call({ credential: 'subject:anna:2' }));
    expectRefusal(await anna.call({ credential: 'subject:ben:1' }), 'invalid_session');
  });

  it('take a verified credential that is bound to their instance', async () => {
    const anna = await signIn(app, { credential: null });
    annasKey = anna.device.id;
    expectAccepted(await anna.call({ credential: 'bound:1' }));
    const thief = await signIn(app, { subject: 'thief', credential: null });
    expectRefusal(await thief.call({ credential: 'bound:1' }), 'invalid_session');
  });

  it.each(['unverified', 'throws'])('do not take one that is %s', async (credential) => {
    const anna = await signIn(app, { credential: null });
    expectRefusal(await anna.call({ credential }), 'invalid_session');
    expect(toldBy(app)).not.toContain('credential throws');
  });

  it('still take the one that they name', async () => {
    const anna = await signIn(app, { credential: 'opaque and named' });
    expectAccepted(await anna.call());
  });
});

describe.each(PLATFORMS)('sessions with a cookie on $name', (platform) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp(platform, { controllers: [SessionController], tab: { credential: { cookie: '__Host-at' } } });
  });
  afterAll(() => app.stop());

  const cookie = (value: string): Call => ({ headers: [['Cookie', value]], credential: undefined });

  it('take the raw value of the cookie', async () => {
    const anna = await signIn(app, { credential: 'a%20b' });
    const ath = digest('a%20b');
    expectAccepted(await anna.call({ ...cookie('x=1; __Host-at=a%20b; y=2'), claims: { ath } }));
    expectRefusal(
      await anna.call({ ...cookie('__Host-at=a%20b'), claims: { ath: digest('a b') } }),
      'request_mismatch',
    );
    expectRefusal(await anna.call(cookie('__Host-at=a%20b')), 'request_mismatch');
  });

  it('refuse two of them, and one beside Authorization', async () => {
    const anna = await signIn(app, { credential: 'cookie' });
    const claims = { ath: digest('cookie') };
    expectRefusal(await anna.call({ ...cookie('__Host-at=cookie; __Host-at=cookie'), claims }), 'request_mismatch');
    const both: Call = { headers: [['Cookie', '__Host-at=cookie']], credential: 'cookie' };
    expectRefusal(await anna.call(both), 'request_mismatch');
  });
});
