import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SignJWT } from 'jose';
import { BankClient, startBank, TestClock, told, type RunningBank } from './sample.harness.js';

const clock = new TestClock();
const jwtSecret = new TextEncoder().encode('a secret of the tests, 32 octets or more');
let bank: RunningBank;
let alice: BankClient;
let bob: BankClient;

beforeAll(async () => {
  bank = await startBank({ clock: clock.now, jwtSecret });
});
afterAll(() => bank.app.close());

const newClient = (): BankClient => new BankClient([bank], { clock: clock.now });
const transfer = (change: object = {}) => ({ from: 'alice-current', to: 'bob-current', amount: 100, ...change });

beforeEach(async () => {
  [alice, bob] = [newClient(), newClient()];
  await alice.logIn('alice');
  await bob.logIn('bob');
});

describe('without a TAB token', () => {
  it('answers GET /health', async () => {
    const response = await fetch(`${bank.url}/health`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ status: 'ok' });
  });

  it.each([
    ['POST', '/auth/login'],
    ['POST', '/auth/refresh'],
    ['DELETE', '/auth/session'],
    ['GET', '/accounts'],
    ['HEAD', '/accounts'],
    ['POST', '/transfers'],
  ])('refuses %s %s', async (method, path) => {
    const headers = { Authorization: `Bearer ${alice.accessToken}` };
    const response = await fetch(`${bank.url}${path}`, { method, headers });
    expect(told(response)).toBe('401 missing_token');
    expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  });

  it('answers an unknown path in JSON', async () => {
    const response = await fetch(`${bank.url}/nowhere`);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ statusCode: 404 });
  });
});

describe('login', () => {
  it('starts a session of this instance', async () => {
    const client = newClient();
    const response = await client.send('POST', '/auth/login', { username: 'alice', password: 'alice-secret' });
    const body = (await response.json()) as Record<string, unknown>;
    expect(response.status).toBe(200);
    expect(Object.keys(body).sort()).toEqual(['accessToken', 'expiresIn', 'sessionId']);
    expect(body['expiresIn']).toBe(300);
    expect(response.headers.get('tab-session')).toMatch(new RegExp(`^${String(body['sessionId'])}; expires=\\d+$`));
  });

  it.each([
    ['a wrong password', { username: 'alice', password: 'bob-secret' }],
    ['an unknown user', { username: 'carol', password: 'alice-secret' }],
    ['a user in other letters', { username: 'ALICE', password: 'alice-secret' }],
    ['a name that no database takes', { username: 'al\u0000ice', password: 'alice-secret' }],
  ])('refuses %s as the app itself', async (_what, body) => {
    const response = await newClient().send('POST', '/auth/login', body);
    expect(told(response)).toBe('401');
    expect(response.headers.get('tab-session')).toBeNull();
    expect(await response.json()).toEqual({
      statusCode: 401,
      error: 'Unauthorized',
      message: 'Wrong username or password',
    });
  });

  it.each([
    undefined,
    [],
    { username: 'alice' },
    { password: 'x' },
    { username: '', password: 'x' },
    { username: ['alice'], password: 'alice-secret' },
    { username: 'alice', password: { $ne: '' } },
    { username: 'alice', password: 'x'.repeat(201) },
  ])('answers 400 to %j', async (body) => {
    expect(told(await newClient().send('POST', '/auth/login', body))).toBe('400');
  });
});

describe('accounts', () => {
  it('lists those of the user only', async () => {
    const response = await bob.send('GET', '/accounts');
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual([{ id: 'bob-current', owner: 'bob', balance: expect.any(Number) as number }]);
    expect(response.headers.get('cache-control')).toBe('private, no-store');
  });

  it('wants an access token that has not expired, though the session lives', async () => {
    clock.advance(300);
    const response = await alice.send('GET', '/accounts');
    expect(told(response)).toBe('401');
    expect(response.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
    expect(told(await alice.send('POST', '/transfers', transfer()))).toBe('401');
  });

  it('takes the access token as Bearer only', async () => {
    const headers = { Authorization: `Basic ${alice.accessToken}` };
    expect(told(await alice.defender.fetch('http://localhost:3000/accounts', { headers }))).toBe('401');
  });
});

describe('refresh', () => {
  const refresh = async (client: BankClient): Promise<string> => {
    const response = await client.send('POST', '/auth/refresh');
    expect(response.status).toBe(200);
    const body = (await response.json()) as { accessToken: string };
    expect(body).toEqual({ accessToken: expect.any(String) as string, expiresIn: 300 });
    return body.accessToken;
  };

  it('gives another access token, in the same second too', async () => {
    const before = alice.accessToken;
    alice.accessToken = await refresh(alice);
    expect(alice.accessToken).not.toBe(before);
    expect(told(await alice.send('GET', '/accounts'))).toBe('200');
  });

  it('works with an access token that has expired', async () => {
    clock.advance(3600);
    alice.accessToken = await refresh(alice);
    expect(told(await alice.send('GET', '/accounts'))).toBe('200');
  });

  it('leaves the access token before valid for 30 s', async () => {
    clock.advance(3600);
    await refresh(alice);
    clock.advance(29);
    // Answered by the app: the session still vouches for it, and it has expired.
    expect(told(await alice.send('GET', '/accounts'))).toBe('401');
    clock.advance(1);
    expect(told(await alice.send('GET', '/accounts'))).toBe('401 invalid_session');
    expect(told(await alice.send('POST', '/auth/refresh'))).toBe('401 invalid_session');
  });

  it('refuses an expired access token of another session of the user', async () => {
    const other = newClient();
    await other.logIn('alice');
    clock.advance(301);
    other.accessToken = alice.accessToken;
    expect(told(await other.send('POST', '/auth/refresh'))).toBe('401 invalid_session');
  });
});

describe('logout', () => {
  it('ends the session, here and on the client', async () => {
    const response = await alice.send('DELETE', '/auth/session');
    expect(response.status).toBe(204);
    expect(response.headers.get('tab-session')).toBe('; expires=0');
    expect(alice.defender.session).toBeUndefined();
    expect(told(await alice.send('GET', '/accounts'))).toBe('401 invalid_session');
  });

  it('is possible with an access token that has expired', async () => {
    clock.advance(600);
    expect(told(await alice.send('DELETE', '/auth/session'))).toBe('204');
  });

  it('leaves the other sessions of the user alone', async () => {
    const other = newClient();
    await other.logIn('alice');
    await alice.send('DELETE', '/auth/session');
    expect(told(await other.send('GET', '/accounts'))).toBe('200');
  });
});

describe('transfers', () => {
  it('moves money', async () => {
    const before = { ...(await alice.balances()), ...(await bob.balances()) };
    const response = await alice.send('POST', '/transfers', transfer());
    expect(response.status).toBe(201);
    expect(await response.json()).toEqual({ id: expect.any(String) as string, ...transfer() });
    const after = { ...(await alice.balances()), ...(await bob.balances()) };
    expect(after).toEqual({
      ...before,
      'alice-current': (before['alice-current'] ?? 0) - 100,
      'bob-current': (before['bob-current'] ?? 0) + 100,
    });
  });

  it('moves money between accounts of one user, in both orders of their ids', async () => {
    const before = await alice.balances();
    const there = { from: 'alice-current', to: 'alice-savings', amount: 7 };
    expect(told(await alice.send('POST', '/transfers', there))).toBe('201');
    expect(told(await alice.send('POST', '/transfers', { ...there, from: there.to, to: there.from }))).toBe('201');
    expect(await alice.balances()).toEqual(before);
  });

  it.each<[string, string, unknown]>([
    ['no body', '400', undefined],
    ['a list', '400', [transfer()]],
    ['an amount of 0', '400', transfer({ amount: 0 })],
    ['a negative amount', '400', transfer({ amount: -100 })],
    ['a fraction of a cent', '400', transfer({ amount: 1.5 })],
    ['an amount as text', '400', transfer({ amount: '100' })],
    ['an amount that is no safe integer', '400', transfer({ amount: 2 ** 53 })],
    ['no amount', '400', transfer({ amount: undefined })],
    ['no account', '400', transfer({ from: undefined })],
    ['an account that is an object', '400', transfer({ to: { id: 'bob-current' } })],
    ['an account in other letters', '400', transfer({ from: 'ALICE-current' })],
    ['one account for both', '400', transfer({ to: 'alice-current' })],
    ['an unknown source', '404', transfer({ from: 'carol-current' })],
    ['an unknown target', '404', transfer({ to: 'carol-current' })],
    ['money of somebody else', '403', transfer({ from: 'bob-current', to: 'alice-current' })],
    ['more than there is', '422', transfer({ amount: 10 ** 12 })],
    [
      'more than there is, to an account before',
      '422',
      { from: 'alice-savings', to: 'alice-current', amount: 10 ** 12 },
    ],
  ])('refuses %s with %s and moves nothing', async (_what, expected, body) => {
    const before = { ...(await alice.balances()), ...(await bob.balances()) };
    const response = await alice.send('POST', '/transfers', body);
    expect(told(response)).toBe(expected);
    expect(await response.json()).toMatchObject({ statusCode: Number(expected) });
    expect({ ...(await alice.balances()), ...(await bob.balances()) }).toEqual(before);
  });
});

describe('what a thief has', () => {
  it("Alice's access token, in Bob's own instance and session", async () => {
    bob.accessToken = alice.accessToken;
    expect(told(await bob.send('GET', '/accounts'))).toBe('401 invalid_session');
    expect(told(await bob.send('POST', '/transfers', transfer()))).toBe('401 invalid_session');
    expect(told(await bob.send('POST', '/auth/refresh'))).toBe('401 invalid_session');
  });

  it("Alice's access token, in an instance without a session", async () => {
    const thief = newClient();
    thief.accessToken = alice.accessToken;
    expect(told(await thief.send('GET', '/accounts'))).toBe('401 invalid_session');
  });

  it("Alice's access token and session id, in Bob's instance", async () => {
    const state = await bob.keyStore.loadState();
    const api = 'http://localhost:3000';
    await bob.keyStore.saveState({
      instanceId: state?.instanceId ?? '',
      apis: { [api]: { ...state?.apis[api], session: alice.defender.session } },
    });
    const thief = new BankClient([bank], { clock: clock.now, keyStore: bob.keyStore });
    thief.accessToken = alice.accessToken;
    expect(told(await thief.send('GET', '/accounts'))).toBe('401 invalid_session');
    expect(thief.defender.session?.id).toBe(alice.defender.session?.id);
  });

  it("a session id of Alice's, with an access token of his own", async () => {
    const state = await bob.keyStore.loadState();
    const api = 'http://localhost:3000';
    const session = alice.defender.session;
    await bob.keyStore.saveState({
      instanceId: state?.instanceId ?? '',
      apis: { [api]: { ...state?.apis[api], session } },
    });
    const thief = new BankClient([bank], { clock: clock.now, keyStore: bob.keyStore });
    thief.accessToken = bob.accessToken;
    expect(told(await thief.send('GET', '/accounts'))).toBe('401 invalid_session');
  });

  it.each<[string, Uint8Array, Record<string, unknown>, string]>([
    ['another secret', new Uint8Array(32), {}, 'HS256'],
    ['another algorithm', jwtSecret, {}, 'HS512'],
    ['another audience', jwtSecret, { aud: 'com.example.shop' }, 'HS256'],
    ['another type', jwtSecret, { typ: 'JWT' }, 'HS256'],
    ['no expiry', jwtSecret, { exp: undefined }, 'HS256'],
  ])(
    "an access token for Alice under %s, in Alice's own session",
    async (_what, key, { typ = 'at+jwt', ...change }, alg) => {
      const claims = {
        iss: 'com.example.bank',
        aud: 'com.example.bank',
        sub: 'alice',
        jti: 'x',
        exp: clock.ms / 1000 + 60,
        ...change,
      };
      alice.accessToken = await new SignJWT(claims).setProtectedHeader({ alg, typ: String(typ) }).sign(key);
      expect(told(await alice.send('GET', '/accounts'))).toBe('401 invalid_session');
    },
  );

  it('a whole request, to send again', async () => {
    expect(told(await alice.send('POST', '/transfers', transfer()))).toBe('201');
    expect(told(await alice.repeat())).toBe('401 use_tab_nonce');
    expect(told(await alice.send('GET', '/accounts'))).toBe('200');
    expect(told(await alice.repeat())).toBe('401 replayed_token');
  });
});
