import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { memoryKeyStore, type KeyStore } from '../../../lib/defender/index.js';
import { refusal, T0 } from './fake-server.js';
import { failure, latch, useHarness } from './harness.js';

const harness = useHarness();
const SID = 'S'.repeat(22);
const starts = (id = SID, expires: number | string = T0 + 600) => ({
  headers: { 'TAB-Session': `${id}; expires=${expires}` },
});
const ends = { headers: { 'TAB-Session': '; expires=0' } };
const sids = () => harness.server.calls.map((call) => call.claims.sid);

async function calls(answers: { headers: Record<string, string> }[], count = answers.length) {
  const defender = harness.defender();
  harness.server.answers = [...answers];
  for (let index = 0; index < count; index += 1) await defender.fetch(`${harness.server.origin}/a`);
  return defender;
}

describe('sessions', () => {
  it('are kept and put into later tokens', async () => {
    const defender = await calls([starts()], 3);
    expect(sids()).toEqual([undefined, SID, SID]);
    expect(defender.session).toEqual({ id: SID, expires: T0 + 600 });
  });

  it('end when the server says so', async () => {
    const defender = await calls([starts(), ends], 3);
    expect(sids()).toEqual([undefined, SID, undefined]);
    expect(defender.session).toBeUndefined();
  });

  it('end with their time, by the clock of the server', async () => {
    const defender = await calls([starts()], 1);
    harness.clock.advance(599);
    await defender.fetch(`${harness.server.origin}/a`);
    harness.clock.advance(1);
    await defender.fetch(`${harness.server.origin}/a`);
    expect(sids()).toEqual([undefined, SID, undefined]);
  });

  it('are not named by an enrolment', async () => {
    const defender = await calls([starts()], 1);
    await defender.enrol();
    expect(defender.session?.id).toBe(SID);
    expect(harness.server.enrolments[1]?.claims).not.toHaveProperty('sid');
  });

  it('are replaced by newer ones', async () => {
    await calls([starts(), starts('N'.repeat(64))], 3);
    expect(sids()[2]).toBe('N'.repeat(64));
  });

  it('are not ended by a late answer about an older one', async () => {
    const defender = await calls([starts()], 1);
    const newer = latch();
    harness.server.gate = ({ target }) => (target === '/late' ? newer.opened : Promise.resolve());
    const late = defender.fetch(`${harness.server.origin}/late`);
    harness.server.answers = [starts('N'.repeat(22))];
    await defender.fetch(`${harness.server.origin}/login`);
    harness.server.answers = [ends];
    newer.open();
    await late;
    expect(defender.session?.id).toBe('N'.repeat(22));
  });

  it.each([
    `${SID}`,
    `${SID}; expires=soon`,
    `${SID}; expires=-1`,
    `${SID}; expires=${T0 + 5}; path=/`,
    `short; expires=${T0 + 5}`,
    `${SID}!; expires=${T0 + 5}`,
    `; expires=${T0 + 5}`,
    `${SID}; expires=${T0 + 5}, ${SID}; expires=${T0 + 6}`,
  ])('ignores %j', async (value) => {
    const defender = await calls([{ headers: { 'TAB-Session': value } }], 2);
    expect(sids()).toEqual([undefined, undefined]);
    expect(defender.session).toBeUndefined();
  });

  it('are kept per server', async () => {
    const defender = harness.defender({ api: [`${harness.server.origin}/x`, harness.server.origin] });
    harness.server.answers = [starts()];
    await defender.fetch(`${harness.server.origin}/a`);
    expect(defender.session).toBeUndefined();
    expect(defender.sessionAt(`${harness.server.origin}/b`)?.id).toBe(SID);
    expect(() => defender.sessionAt('https://evil.example')).toThrow(/not a configured api/);
  });

  it('survive a restart, and can be forgotten', async () => {
    const keyStore = memoryKeyStore();
    harness.server.challenges = 'none';
    harness.server.answers = [starts()];
    await harness.defender({ keyStore }).fetch(`${harness.server.origin}/a`);
    const restarted = harness.defender({ keyStore });
    await restarted.fetch(`${harness.server.origin}/a`);
    await restarted.forgetSession();
    await restarted.fetch(`${harness.server.origin}/a`);
    expect(sids()).toEqual([undefined, SID, undefined]);
  });

  it('a token made by token() carries it, with the challenge it is given', async () => {
    const defender = await calls([starts()], 1);
    const token = await defender.token({ method: 'POST', url: `${harness.server.origin}/a?b`, nonce: 'mine' });
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    expect(claims).toMatchObject({ htm: 'POST', htu: `${harness.server.origin}/a`, sid: SID, nonce: 'mine' });
  });
});

const failing = (override: Partial<KeyStore>): KeyStore => ({ ...memoryKeyStore(), ...override });
const broken = () => Promise.reject(new Error('disk'));

describe('a key store that fails', () => {
  it('does not take the answer away; close tells', async () => {
    const defender = harness.defender({ keyStore: failing({ saveState: broken }) });
    harness.server.answers = [starts()];
    expect((await defender.fetch(`${harness.server.origin}/a`)).status).toBe(200);
    expect(defender.session?.id).toBe(SID);
    await expect(defender.close()).rejects.toMatchObject({ code: 'key_store' });
  });

  it.each(['loadKey', 'loadState'] as const)('sends nothing without %s', async (method) => {
    const defender = harness.defender({ keyStore: failing({ [method]: broken }) });
    await expect(defender.fetch(`${harness.server.origin}/a`)).rejects.toMatchObject({ code: 'key_store' });
    expect(harness.server.challengesAsked).toBe(0);
  });

  it('is asked again by the next request', async () => {
    const store = memoryKeyStore();
    let failures = 1;
    const defender = harness.defender({
      keyStore: { ...store, loadKey: () => (failures-- > 0 ? broken() : store.loadKey()) },
    });
    await failure(defender.fetch(`${harness.server.origin}/a`));
    expect((await defender.fetch(`${harness.server.origin}/a`)).status).toBe(200);
  });
});

describe('errors', () => {
  it('hold no token, session or challenge', async () => {
    const secrets: string[] = [];
    const defender = await calls([starts()], 1);
    harness.server.onEnrol = ({ token, claims }) => {
      secrets.push(token, claims.nonce);
      return refusal('attestation_rejected', { 'TAB-Nonce': 'n'.repeat(30) }, 403);
    };
    const headers = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`x-${index}`, 'SECRET-VALUE']));
    const url = `${harness.server.origin}/a`;
    const errors = [
      await failure(defender.enrol()),
      await failure(defender.token({ method: 'GET', url, headers, credential: 'SECRET-VALUE' })),
      await failure(defender.fetch('https://evil.example/SECRET-VALUE?SECRET-VALUE')),
    ];
    const text = inspect(errors, { depth: 10, showHidden: true });
    expect(errors).toMatchObject([
      { code: 'enrolment_refused' },
      { code: 'token_too_large' },
      { code: 'foreign_origin' },
    ]);
    for (const secret of [...secrets, SID, 'SECRET-VALUE', 'n'.repeat(30)]) expect(text).not.toContain(secret);
  });
});
