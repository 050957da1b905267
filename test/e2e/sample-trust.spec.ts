import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TabInstances, TabSessions } from 'nestjs-tab';
import type { ClientAttester, DefenderError } from 'nestjs-tab/defender';
import { createAttestationIssuer } from 'nestjs-tab/testing';
import { attesterOf, BankClient, startBank, TestClock, told, type RunningBank } from './sample.harness.js';

const clock = new TestClock();
const seconds = (): number => Math.floor(clock.ms / 1000);
const issuer = createAttestationIssuer({ clock: seconds });
const otherKey = (({ kty, crv, x, y }) => ({ kty, crv, x, y }))(createAttestationIssuer().jwks.keys[0] ?? { kty: '' });
const transfer = { from: 'alice-current', to: 'bob-current', amount: 100 };

let bank: RunningBank;
beforeAll(async () => {
  bank = await startBank({ clock: clock.now, attesterJwks: issuer.jwks });
});
afterAll(() => bank.app.close());

/** Alice, logged in; attested unless said otherwise. */
async function newClient(attester: ClientAttester = attesterOf(issuer), at = bank): Promise<BankClient> {
  const client = new BankClient([at], { clock: clock.now, attester });
  await client.logIn('alice');
  return client;
}
const newUnattested = async (at = bank): Promise<BankClient> => {
  const client = new BankClient([at], { clock: clock.now });
  await client.logIn('alice');
  return client;
};
const move = async (client: BankClient): Promise<string> => told(await client.send('POST', '/transfers', transfer));
const read = async (client: BankClient): Promise<string> => told(await client.send('GET', '/accounts'));
const enrol = (client: BankClient): Promise<string> =>
  client.defender.enrol().then(
    ({ attestation }) => `enrolled by ${attestation.format}`,
    (error: DefenderError) => `${error.status} ${error.tabError}`,
  );

describe('the attested app', () => {
  it('does what the other does', async () => {
    const client = await newClient();
    expect(await read(client)).toBe('200');
    expect(await move(client)).toBe('201');
    const instance = await bank.app.get(TabInstances).get(client.defender.instanceId ?? '');
    expect(instance).toMatchObject({ appId: 'com.example.bank.attested', format: 'client-attestation' });
  });

  it.each<[string, ClientAttester]>([
    ['no attestation', { format: 'none', attest: () => undefined }],
    ['an attestation by somebody else', attesterOf(createAttestationIssuer({ clock: seconds }))],
    [
      'an attestation of another key',
      attesterOf({ ...issuer, issue: ({ sub }) => issuer.issue({ sub, publicKey: otherKey }) }),
    ],
    [
      'an attestation of another app',
      attesterOf({ ...issuer, issue: (request) => issuer.issue({ ...request, sub: 'com.example.bank' }) }),
    ],
  ])('does not enrol with %s', async (_what, attester) => {
    const client = new BankClient([bank], { clock: clock.now, attester });
    expect(await enrol(client)).toBe('403 attestation_rejected');
  });

  it('is not there without an attester', async () => {
    const closed = await startBank({ clock: clock.now });
    const client = new BankClient([closed], { clock: clock.now, attester: attesterOf(issuer) });
    expect(await enrol(client)).toBe('403 attestation_rejected');
    expect(await move(await newUnattested(closed))).toBe('201');
    await closed.app.close();
  });
});

describe('tampering', () => {
  let client: BankClient;
  beforeEach(async () => {
    client = await newClient();
    client.answers['tamper'] = 'found';
    expect(await read(client)).toBe('403 insufficient_trust');
  });

  it('suspends the instance, which does not recover by itself', async () => {
    expect(await read(client)).toBe('403 instance_suspended');
    client.answers['tamper'] = 'clear';
    expect(await read(client)).toBe('403 instance_suspended');
    expect(await move(client)).toBe('403 instance_suspended');
    await expect(client.logIn('alice')).rejects.toThrow('403');
    clock.advance(24 * 3600);
    expect(await read(client)).toBe('403 instance_suspended');
  });

  it('ends by attesting anew, clean and later', async () => {
    client.answers['tamper'] = 'clear';
    expect(await enrol(client)).toBe('403 instance_suspended');
    clock.advance(1);
    client.answers['tamper'] = 'found';
    expect(await enrol(client)).toBe('403 instance_suspended');
    client.answers['tamper'] = 'unknown';
    expect(await enrol(client)).toBe('403 instance_suspended');
    expect(await read(client)).toBe('403 instance_suspended');
    client.answers['tamper'] = 'clear';
    expect(await enrol(client)).toBe('enrolled by client-attestation');
    expect(await read(client)).toBe('200');
    expect(await move(client)).toBe('201');
  });

  it('is of this instance only', async () => {
    expect(await read(await newClient())).toBe('200');
  });
});

it('tampering with the unattested app is refused, and no more', async () => {
  const client = await newUnattested();
  client.answers['tamper'] = 'found';
  expect(await read(client)).toBe('403 insufficient_trust');
  client.answers['tamper'] = 'clear';
  expect(await read(client)).toBe('200');
});

describe('a changed SIM', () => {
  const change = async (client: BankClient): Promise<BankClient> => {
    client.answers['x-bank-sim-change'] = 'found';
    return client;
  };

  it('asks who can attest to do so anew, which the client does by itself', async () => {
    const client = await change(await newClient());
    expect(await move(client)).toBe('201');
    clock.advance(121);
    const { attestedAt } = (await bank.app.get(TabInstances).get(client.defender.instanceId ?? '')) ?? {};
    expect(await move(client)).toBe('201');
    const instance = await bank.app.get(TabInstances).get(client.defender.instanceId ?? '');
    expect(instance?.attestedAt).toBe((attestedAt ?? 0) + 121);
    // Once an hour at most: the next time, the user has to be asked.
    clock.advance(121);
    const response = await client.send('POST', '/transfers', transfer);
    expect(told(response)).toBe('401 step_up_required');
    expect(response.headers.get('www-authenticate')).toMatch(/requirement="attestation".*max_age=120/);
  });

  it('keeps nobody from reading, who is told', async () => {
    for (const client of [await newClient(), await newUnattested()]) {
      await change(client);
      const response = await client.send('GET', '/accounts');
      expect(told(response)).toBe('200');
      expect(response.headers.get('bank-notice')).toBe('transfers-limited; found="x-bank-sim-change"');
    }
  });

  it('keeps an app that cannot attest from moving money', async () => {
    expect(await move(await change(await newUnattested()))).toBe('401 step_up_required');
  });
});

describe('what is odd', () => {
  let client: BankClient;
  beforeEach(async () => {
    client = await newUnattested();
  });

  it('does not change what is read', async () => {
    const before = await client.send('GET', '/accounts');
    expect(before.headers.get('bank-notice')).toBeNull();
    Object.assign(client.answers, { vpn: 'found', 'developer-mode': 'found' });
    const after = await client.send('GET', '/accounts');
    expect(after.status).toBe(200);
    expect(after.headers.get('bank-notice')).toBe('transfers-limited; found="developer-mode vpn"');
    expect(await after.json()).toEqual(await before.json());
  });

  it.each(['vpn', 'developer-mode'])('moves no money: %s', async (threat) => {
    client.answers[threat] = 'found';
    expect(await move(client)).toBe('403 insufficient_trust');
    expect(told(await client.send('POST', '/auth/refresh'))).toBe('403 insufficient_trust');
  });

  it.each(['root', 'debugger', 'x-other-vendor', 'unheard-of'])('is not read with: %s', async (threat) => {
    client.answers[threat] = 'found';
    expect(await read(client)).toBe('403 insufficient_trust');
  });
});

describe('watch mode', () => {
  let watching: RunningBank;
  let client: BankClient;
  beforeAll(async () => {
    watching = await startBank({ clock: clock.now, mode: 'monitor', attesterJwks: issuer.jwks });
  });
  afterAll(() => watching.app.close());
  beforeEach(async () => {
    client = await newUnattested(watching);
  });

  it('does what would be refused, for the user of the access token, and says so', async () => {
    const before = await client.balances();
    client.answers['debugger'] = 'found';
    const reading = await client.send('GET', '/accounts');
    expect(reading.status).toBe(200);
    expect(reading.headers.get('tab-monitor')).toBe('insufficient_trust');
    expect(reading.headers.get('bank-notice')).toBeNull();
    const moving = await client.send('POST', '/transfers', transfer);
    expect(moving.status).toBe(201);
    expect(moving.headers.get('tab-monitor')).toBe('insufficient_trust');
    expect((await client.balances())['alice-current']).toBe((before['alice-current'] ?? 0) - 100);
  });

  it('says nothing about honest requests', async () => {
    const response = await client.send('GET', '/accounts');
    expect(response.status).toBe(200);
    expect(response.headers.get('tab-monitor')).toBeNull();
  });

  it('asks for no TAB token, as before', async () => {
    const headers = { Authorization: `Bearer ${client.accessToken}` };
    const response = await fetch(`${watching.url}/accounts`, { headers });
    expect(response.status).toBe(200);
    expect(response.headers.get('tab-monitor')).toBe('missing_token');
  });

  it('is no way around the access token', async () => {
    for (const [method, path] of [
      ['GET', '/accounts'],
      ['POST', '/transfers'],
      ['POST', '/auth/refresh'],
      ['DELETE', '/auth/session'],
    ]) {
      for (const authorization of ['', 'Bearer x', `Basic ${client.accessToken}`]) {
        const init = { method, headers: { Authorization: authorization } };
        expect((await fetch(`${watching.url}${path}`, init)).status).toBe(401);
      }
    }
    const foreign = { from: 'bob-current', to: 'alice-current', amount: 1 };
    client.answers['debugger'] = 'found';
    expect((await client.send('POST', '/transfers', foreign)).status).toBe(403);
  });

  it('starts no session for who is not verified, and suspends nobody', async () => {
    const attested = await newClient(undefined, watching);
    attested.answers['tamper'] = 'found';
    expect(await read(attested)).toBe('200');
    await expect(attested.logIn('alice')).rejects.toThrow('403');
    attested.answers['tamper'] = 'clear';
    const login = await attested.logIn('alice');
    expect(login.expiresIn).toBe(300);
  });
});

describe('events of an identity provider', () => {
  const IDP = 'https://idp.example';
  const provider = createAttestationIssuer();
  let listening: RunningBank;
  let client: BankClient;
  beforeAll(async () => {
    listening = await startBank({ clock: clock.now, transmitter: { iss: IDP, jwks: provider.jwks } });
  });
  afterAll(() => listening.app.close());
  beforeEach(async () => {
    client = await newUnattested(listening);
  });

  const event = (sessionId: string, change: Record<string, unknown> = {}, signer = provider): Promise<string> =>
    signer.issue({
      sub: 'unused',
      publicKey: {},
      claims: {
        sub: undefined,
        exp: undefined,
        cnf: undefined,
        iss: IDP,
        aud: 'com.example.bank',
        iat: seconds(),
        sub_id: { format: 'opaque', id: sessionId },
        events: { 'https://schemas.openid.net/secevent/caep/event-type/session-revoked': {} },
        ...change,
      },
      header: { typ: 'secevent+jwt' },
    });
  const push = (body: string, at = listening): Promise<Response> =>
    fetch(`${at.url}/tab/events`, { method: 'POST', headers: { 'Content-Type': 'application/secevent+jwt' }, body });

  it('end the session that they name, and no other', async () => {
    const other = await newUnattested(listening);
    const response = await push(await event(client.defender.session?.id ?? ''));
    expect(response.status).toBe(202);
    expect(await response.text()).toBe('');
    expect(await read(client)).toBe('401 invalid_session');
    expect(await read(other)).toBe('200');
    const [ended] = (await listening.app.get(TabSessions).list('alice')).filter(({ endedAt }) => endedAt !== null);
    expect(ended?.endReason).toContain(IDP);
  });

  it.each<[string, string, () => Promise<string>]>([
    ['another signer', 'invalid_key', () => event('x', {}, createAttestationIssuer())],
    ['another issuer', 'invalid_issuer', () => event('x', { iss: 'https://other.example' })],
    ['another audience', 'invalid_audience', () => event('x', { aud: 'com.example.shop' })],
    ['an unknown session', 'invalid_request', () => event('x'.repeat(32))],
    ['no token', 'invalid_request', async () => 'x'],
  ])('change nothing: %s', async (_what, err, make) => {
    const response = await push(await make());
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ err });
    expect(await read(client)).toBe('200');
  });

  it('are not taken where nobody is believed', async () => {
    expect((await push(await event('x'), bank)).status).toBe(404);
  });
});

afterEach(() => clock.advance(1));
