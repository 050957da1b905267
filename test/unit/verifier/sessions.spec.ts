import { describe, expect, it } from 'vitest';
import type { BoundSession } from '../../../lib/bindings/binding.types.js';
import { TabError } from '../../../lib/errors/tab-error.js';
import type { CredentialFacts, CredentialVerifier } from '../../../lib/verifier/settings.js';
import {
  aKey,
  aWorld,
  CREDENTIAL,
  NOW,
  outcomeOf,
  requiring,
  SESSION_ID,
  sha,
  type CallParts,
} from '../../utils/core/index.js';

const REQUIRED = requiring({ session: 'required' });
const OTHER = 'another-credential';

interface Case {
  session?: Partial<BoundSession> | 'none';
  verify?: CredentialVerifier;
  parts?: CallParts;
  requirement?: typeof REQUIRED;
}

async function outcome({ session = {}, verify, parts = {}, requirement = REQUIRED }: Case) {
  const world = await aWorld({ credential: verify ? { verify } : {} });
  if (session !== 'none') {
    const key = session.instanceId === undefined ? world.key : aKey('ES256', 'second');
    await world.enrol(key);
    await world.startSession(key, session);
  }
  const verification = await world.verify({ session: true, ...parts }, requirement);
  return { code: outcomeOf(verification), verification };
}
const bearer = (credential: string): CallParts => ({
  session: false,
  headers: ['Authorization', `Bearer ${credential}`],
  token: { claims: { sid: SESSION_ID } },
});

describe('the life of a session', () => {
  it.each<[string, Case, string]>([
    ['active', {}, 'accepted'],
    ['unknown', { session: 'none' }, 'invalid_session'],
    ['ended', { session: { endedAt: NOW - 1, endReason: 'x' } }, 'invalid_session'],
    ['ended at time 0', { session: { endedAt: 0, endReason: 'x' } }, 'invalid_session'],
    ['expiring in a second', { session: { expiresAt: NOW + 1 } }, 'accepted'],
    ['expiring now', { session: { expiresAt: NOW } }, 'invalid_session'],
    ['of another instance', { session: { instanceId: aKey('ES256', 'second').id } }, 'invalid_session'],
    ['not named', { parts: { session: false, headers: ['Authorization', `Bearer ${CREDENTIAL}`] } }, 'invalid_session'],
    ['named with an impossible id', { parts: { token: { claims: { sid: 'x' } } } }, 'invalid_session'],
    ['named with an empty id', { parts: { token: { claims: { sid: '' } } } }, 'invalid_session'],
    ['named in another case', { parts: { token: { claims: { sid: SESSION_ID.toUpperCase() } } } }, 'invalid_session'],
    [
      'without a credential on the request',
      { parts: { session: false, token: { claims: { sid: SESSION_ID } } } },
      'invalid_session',
    ],
  ])('%s: %s', async (_what, made, code) => expect((await outcome(made)).code).toBe(code));

  it('is shown to the handler', async () => {
    const { verification } = await outcome({});
    expect(verification.accepted && verification.context).toMatchObject({
      session: { id: SESSION_ID, subject: 'alice', expiresAt: NOW + 3600 },
      subject: 'alice',
    });
    expect(verification.accepted && verification.credentialHash).toBe(sha(CREDENTIAL));
  });
});

describe('what the policy asks for', () => {
  it.each<[string, 'none' | 'optional' | 'required', boolean, Case['session'], string, boolean]>([
    ['none, nothing named', 'none', false, {}, 'accepted', false],
    ['none, a live one named', 'none', true, {}, 'accepted', false],
    ['none, an ended one named', 'none', true, { endedAt: NOW - 1 }, 'accepted', false],
    ['optional, nothing named', 'optional', false, {}, 'accepted', false],
    ['optional, a live one named', 'optional', true, {}, 'accepted', true],
    ['optional, an ended one named', 'optional', true, { endedAt: NOW - 1 }, 'invalid_session', false],
    ['optional, an unknown one named', 'optional', true, 'none', 'invalid_session', false],
    ['required, nothing named', 'required', false, {}, 'invalid_session', false],
    ['required, a live one named', 'required', true, {}, 'accepted', true],
  ])('%s', async (_what, session, named, bound, code, shown) => {
    const { code: given, verification } = await outcome({
      session: bound,
      parts: { session: named },
      requirement: requiring({ session }),
    });
    expect(given).toBe(code);
    if (verification.accepted) expect(verification.context.subject !== undefined).toBe(shown);
  });
});

describe('whose the credential is (PROTOCOL section 11)', () => {
  const facts =
    (given: CredentialFacts | undefined): CredentialVerifier =>
    () =>
      given;
  const instance = aKey().id;
  const unnamed = { credentialHash: null };
  const previous = (until: number) => ({
    credentialHash: sha('new'),
    previousCredentialHash: sha(CREDENTIAL),
    previousValidUntil: until,
  });

  it.each<[string, Case, string]>([
    ['(a) named', {}, 'accepted'],
    ['(a) another than named, no verifier', { parts: bearer(OTHER) }, 'invalid_session'],
    ['(a) none named, no verifier', { session: unnamed }, 'invalid_session'],
    ['(a) the one before, still valid', { session: previous(NOW + 1) }, 'accepted'],
    ['(a) the one before, no longer valid', { session: previous(NOW) }, 'invalid_session'],
    [
      '(a) the one before, without a time',
      { session: { ...previous(0), previousValidUntil: null } },
      'invalid_session',
    ],
    ['(a) named, though the verifier knows nothing of it', { verify: facts(undefined) }, 'accepted'],
    ['(b) bound to this instance', { session: unnamed, verify: facts({ jkt: instance }) }, 'accepted'],
    [
      '(b) bound to this instance, another named',
      { parts: bearer(OTHER), verify: facts({ jkt: instance }) },
      'accepted',
    ],
    [
      '(b) bound to another instance',
      { session: unnamed, verify: facts({ jkt: aKey('ES256', 'second').id }) },
      'invalid_session',
    ],
    ['(b) bound to nothing', { session: unnamed, verify: facts({ jkt: '' }) }, 'invalid_session'],
    ['(c) of the subject', { session: unnamed, verify: facts({ subject: 'alice' }) }, 'accepted'],
    [
      '(c) of the subject, bound elsewhere',
      { session: unnamed, verify: facts({ subject: 'alice', jkt: aKey('ES256', 'second').id }) },
      'accepted',
    ],
    ['(c) of another subject', { session: unnamed, verify: facts({ subject: 'bob' }) }, 'invalid_session'],
    [
      '(c) of the subject in another case',
      { session: unnamed, verify: facts({ subject: 'Alice' }) },
      'invalid_session',
    ],
    ['(c) of nobody', { session: unnamed, verify: facts({ subject: '' }) }, 'invalid_session'],
    ['verified, and nothing is known', { session: unnamed, verify: facts({}) }, 'invalid_session'],
    ['not good', { session: unnamed, verify: facts(undefined) }, 'invalid_session'],
    ['not good, as null', { session: unnamed, verify: () => null as never }, 'invalid_session'],
    ['good, as a promise', { session: unnamed, verify: () => Promise.resolve({ subject: 'alice' }) }, 'accepted'],
    [
      'the verifier throws',
      {
        session: unnamed,
        verify: () => {
          throw new Error('expired');
        },
      },
      'invalid_session',
    ],
    [
      'the verifier rejects',
      { session: unnamed, verify: () => Promise.reject(new Error('expired')) },
      'invalid_session',
    ],
    [
      'the verifier cannot tell',
      {
        session: unnamed,
        verify: () => {
          throw new TabError('store_unavailable', 'no keys');
        },
      },
      'store_unavailable',
    ],
  ])('%s: %s', async (_what, made, code) => expect((await outcome(made)).code).toBe(code));

  it('asks the verifier once a request, with the credential, and not before the signature', async () => {
    const seen: string[] = [];
    const verify = (credential: string) => (seen.push(credential), { subject: 'alice' });
    const world = await aWorld({ credential: { verify } });
    await world.startSession(world.key, unnamed);
    await world.verify({ session: true, token: { signature: Buffer.alloc(64, 1) } }, REQUIRED);
    expect(seen).toEqual([]);
    const request = world.request({ session: true });
    await world.verifier.verify(request, REQUIRED);
    await world.verifier.verify(request, requiring({ session: 'optional' }));
    expect(seen).toEqual([CREDENTIAL]);
  });

  it('takes the credential from the configured cookie', async () => {
    const world = await aWorld({ credential: { cookie: 'session' } }, { session: true });
    const parts = {
      headers: ['Cookie', `session=${CREDENTIAL}`],
      token: { claims: { sid: SESSION_ID, ath: sha(CREDENTIAL) } },
    };
    expect(outcomeOf(await world.verify(parts, REQUIRED))).toBe('accepted');
  });

  it('notices at once that a session has ended, and that an instance is revoked', async () => {
    const world = await aWorld({}, { session: true });
    expect(outcomeOf(await world.verify({ session: true }, REQUIRED))).toBe('accepted');
    await world.settings.bindings.endSession(SESSION_ID, { reason: 'logout', at: NOW });
    expect(outcomeOf(await world.verify({ session: true }, REQUIRED))).toBe('invalid_session');
    await world.settings.bindings.revoke(world.key.id, { reason: 'lost', at: NOW });
    expect(outcomeOf(await world.verify())).toBe('instance_revoked');
  });
});
