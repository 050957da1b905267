import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DecisionSummary, TrustDecision } from 'nestjs-tab';
import { BankClient, startBank, TestClock, told, type RunningBank } from './sample.harness.js';

const KEY = 'an-operator-key-of-the-tests-0123456789';
const clock = new TestClock();
let bank: RunningBank;
let alice: BankClient;

const ask = (path: string, authorization?: string, url = bank.url): Promise<Response> =>
  fetch(`${url}/operator/${path}`, { headers: authorization === undefined ? {} : { Authorization: authorization } });
const operator = (path: string): Promise<Response> => ask(path, `Operator ${KEY}`);
const jsonOf = async <T>(response: Promise<Response>): Promise<T> => (await (await response).json()) as T;

beforeAll(async () => {
  bank = await startBank({ clock: clock.now, operatorKey: KEY });
  alice = new BankClient([bank], { clock: clock.now });
  await alice.logIn('alice');
  expect(told(await alice.send('GET', '/accounts'))).toBe('200');
  alice.answers['debugger'] = 'found';
  expect(told(await alice.send('GET', '/accounts'))).toBe('403 insufficient_trust');
});
afterAll(() => bank.app.close());

describe('who sees the decisions', () => {
  it.each(['decisions', 'summary'])('nobody without the key: %s', async (path) => {
    const wrong = [
      undefined,
      '',
      'Operator',
      'Operator ',
      `Operator ${KEY.slice(1)}`,
      `Operator ${KEY}x`,
      `Operator ${KEY} x`,
      `Bearer ${KEY}`,
      KEY,
      `Operator ${KEY.toUpperCase()}`,
    ];
    for (const authorization of wrong) {
      const response = await ask(path, authorization);
      expect(told(response)).toBe('401');
      expect(response.headers.get('www-authenticate')).toBe('Operator');
      expect(response.headers.get('cache-control')).toBe('private, no-store');
      expect(await response.text()).not.toContain('instanceId');
    }
  });

  it('nobody with an access token either', async () => {
    expect(told(await alice.send('GET', '/operator/decisions'))).toBe('401');
  });

  it('nobody at all where there is no key', async () => {
    const closed = await startBank();
    for (const authorization of [undefined, 'Operator ', 'Operator undefined', `Operator ${KEY}`]) {
      for (const path of ['decisions', 'summary']) expect(told(await ask(path, authorization, closed.url))).toBe('404');
    }
    await closed.app.close();
  });

  it('operators, with no TAB token', async () => {
    const response = await operator('decisions');
    expect(told(response)).toBe('200');
    expect(response.headers.get('cache-control')).toBe('private, no-store');
  });
});

describe('the decisions', () => {
  it('are listed, newest first', async () => {
    const decisions = await jsonOf<TrustDecision[]>(operator('decisions'));
    expect(decisions.length).toBeGreaterThanOrEqual(3);
    expect(decisions.map(({ at }) => at)).toEqual(decisions.map(({ at }) => at).sort((a, b) => b - a));
    const refused = decisions.find(({ threats }) => threats.includes('debugger'));
    expect(refused).toMatchObject({
      outcome: 'refused',
      code: 'insufficient_trust',
      detail: 'threat found: debugger',
      method: 'GET',
      path: '/accounts',
      route: '/accounts',
      subject: 'alice',
      appId: 'com.example.bank',
      appVersion: '1.0.0',
    });
  });

  it('are as many as asked for', async () => {
    clock.advance(1);
    await alice.send('GET', '/accounts');
    const [newest, ...rest] = await jsonOf<TrustDecision[]>(operator('decisions?limit=1'));
    expect(rest).toEqual([]);
    expect(newest).toMatchObject({ at: clock.ms, path: '/accounts' });
  });

  it('hold no token', async () => {
    const text = await (await operator('decisions?limit=1000')).text();
    expect(text).not.toContain(alice.accessToken);
    expect(text).not.toMatch(/eyJ/);
  });

  it('name the one whose id a refusal quotes', async () => {
    const { decision } = await jsonOf<{ decision: string }>(alice.send('GET', '/accounts'));
    const decisions = await jsonOf<TrustDecision[]>(operator('decisions'));
    expect(decisions.map(({ id }) => id)).toContain(decision);
  });
});

describe('the summary', () => {
  const keysBy = async (by: string): Promise<string[]> =>
    (await jsonOf<DecisionSummary>(operator(`summary?by=${by}`))).rows.map(({ key }) => key).sort();

  it.each([
    ['code', ['accepted', 'insufficient_trust']],
    ['threat', ['debugger']],
    ['version', ['com.example.bank@1.0.0']],
    ['route', ['/accounts', '/auth/login']],
  ])('counts by %s', async (by, keys) => expect(await keysBy(by)).toEqual(keys));

  it('counts a day by code unless told otherwise', async () => {
    const summary = await jsonOf<DecisionSummary>(operator('summary'));
    expect(summary).toMatchObject({ by: 'code', since: clock.ms - 24 * 3600 * 1000 });
    expect(summary.total).toBe(Object.values(summary.categories).reduce((sum, count) => sum + count, 0));
    expect(summary.rows.find(({ key }) => key === 'accepted')).toMatchObject({ accepted: 2, refused: 0 });
  });

  it('counts what came since a second', async () => {
    const later = Math.floor(clock.ms / 1000) + 60;
    expect(await jsonOf<DecisionSummary>(operator(`summary?since=${later}`))).toMatchObject({ total: 0, rows: [] });
    const all = await jsonOf<DecisionSummary>(operator('summary?since=0&by=route'));
    expect(all.total).toBeGreaterThanOrEqual(3);
  });
});

it.each([
  'decisions?limit=0',
  'decisions?limit=1001',
  'decisions?limit=-1',
  'decisions?limit=1.5',
  'decisions?limit=1e1',
  'decisions?limit=',
  'decisions?limit=%205',
  'decisions?limit=ten',
  'decisions?limit=1&limit=2',
  'decisions?limit[]=1',
  'decisions?limits=1',
  'summary?by=',
  'summary?by=subject',
  'summary?by=__proto__',
  'summary?by=code&by=route',
  'summary?since=yesterday',
  'summary?since=-1',
  'summary?since=99999999999999',
  'summary?since=9999999999999',
  'summary?since=1&since=2',
  'summary?until=1',
])('answers 400 to /operator/%s', async (path) => {
  const response = await operator(path);
  expect(told(response)).toBe('400');
  expect(await response.json()).toMatchObject({ statusCode: 400, message: expect.any(String) as string });
});
