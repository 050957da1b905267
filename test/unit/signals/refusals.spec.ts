import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { memoryStores } from '../../../lib/stores/memory/index.js';
import { TestClock } from '../../utils/core/index.js';
import {
  aSet,
  aSignalWorld,
  aTransmitterKey,
  AUDIENCE,
  COMPLIANCE,
  complex,
  eventSet,
  idp,
  INSTANCE,
  ISS,
  KID,
  NOW,
  opaque,
  RISK,
  SESSION_ID,
  SESSION_REVOKED,
  signSet,
  someClaims,
  stranger,
  user,
  type SetParts,
  type SignalWorld,
} from './fixture.js';

const HEADER = { typ: 'secevent+jwt', alg: 'ES256', kid: KID };

/** Stores that count what changes them. */
function countingStores(clock: TestClock) {
  const stores = memoryStores({ clock: clock.read });
  const changes: string[] = [];
  const watch = <T extends object>(store: T): T =>
    new Proxy(store, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          if (['claim', 'suspend', 'revoke', 'endSession', 'endSessions'].includes(String(name)))
            changes.push(String(name));
          return (value as (...args: unknown[]) => unknown).apply(target, args);
        };
      },
    });
  return { changes, stores: { nonces: watch(stores.nonces), bindings: watch(stores.bindings) } };
}

async function refusalOf(jwt: string): Promise<string> {
  const clock = new TestClock();
  const { changes, stores } = countingStores(clock);
  const world = await aSignalWorld({}, {}, stores, clock);
  const code = await world.take(jwt);
  // Nothing changed, nothing was spent, and it was reported.
  expect(changes).toEqual([]);
  expect(await world.live()).toEqual([SESSION_ID]);
  expect(await world.status()).toBe('active');
  expect(world.records).toMatchObject([{ outcome: 'refused', err: code, detail: expect.stringMatching(/./) }]);
  return code;
}

function unsigned(): string {
  const segment = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${segment({ typ: 'secevent+jwt', alg: 'none' })}.${segment(someClaims())}.`;
}

/** Signed with the public key as the secret of a MAC. */
function confused(): string {
  const jwt = aSet({ header: { alg: 'HS256' } })
    .split('.')
    .slice(0, 2)
    .join('.');
  const secret = idp.publicKey.export({ type: 'spki', format: 'pem' });
  return `${jwt}.${createHmac('sha256', secret).update(jwt).digest('base64url')}`;
}

const claims = (change: SetParts['claims']) => aSet({ claims: change });

describe('a token that is not accepted changes nothing', () => {
  const bad: [what: string, jwt: () => string, code: string][] = [
    ['no token', () => '', 'invalid_request'],
    ['noise', () => 'not a token', 'invalid_request'],
    ['two segments', () => aSet().split('.').slice(0, 2).join('.'), 'invalid_request'],
    ['four segments', () => `${aSet()}.x`, 'invalid_request'],
    ['a payload that is no object', () => signSet(HEADER, '[]'), 'invalid_request'],
    ['a space at its end', () => `${aSet()} `, 'invalid_request'],
    ['padding', () => `${aSet()}=`, 'invalid_request'],
    ['more than 64 KiB', () => claims({ pad: 'x'.repeat(65_536) }), 'invalid_request'],

    ['no typ', () => aSet({ header: { typ: undefined } }), 'invalid_request'],
    ['typ of any JWT', () => aSet({ header: { typ: 'JWT' } }), 'invalid_request'],
    ['typ of an access token', () => aSet({ header: { typ: 'at+jwt' } }), 'invalid_request'],
    ['typ in other letters', () => aSet({ header: { typ: 'SECEVENT+JWT' } }), 'invalid_request'],
    ['the media type as typ', () => aSet({ header: { typ: 'application/secevent+jwt' } }), 'invalid_request'],
    ['crit', () => aSet({ header: { crit: ['x'], x: 1 } }), 'invalid_request'],
    ['b64', () => aSet({ header: { b64: false } }), 'invalid_request'],

    ['no signature', unsigned, 'invalid_request'],
    ['alg none with a signature', () => aSet({ header: { alg: 'none' } }), 'invalid_key'],
    ['the public key as a secret', confused, 'invalid_key'],
    ['an algorithm that is not allowed', () => aSet({ header: { alg: 'RS512' } }), 'invalid_key'],
    ['an unknown kid', () => aSet({ header: { kid: 'other' } }), 'invalid_key'],
    ["a stranger's key", () => aSet({ key: stranger.privateKey }), 'authentication_failed'],
    [
      "a stranger's key in the header",
      () => aSet({ key: stranger.privateKey, header: { jwk: stranger.jwks.keys[0] } }),
      'authentication_failed',
    ],
    [
      'another payload under the signature',
      () => {
        const [header, , signature] = aSet().split('.');
        return `${header}.${Buffer.from(JSON.stringify(someClaims())).toString('base64url')}.${signature}`;
      },
      'authentication_failed',
    ],

    ['no iss', () => claims({ iss: undefined }), 'invalid_issuer'],
    ['iss of somebody else', () => claims({ iss: 'https://evil.example' }), 'invalid_issuer'],
    ['iss with a slash', () => claims({ iss: `${ISS}/` }), 'invalid_issuer'],
    ['iss as a list', () => claims({ iss: [ISS] }), 'invalid_issuer'],
    ['iss named like a member of all objects', () => claims({ iss: '__proto__' }), 'invalid_issuer'],
    ['no aud', () => claims({ aud: undefined }), 'invalid_audience'],
    ['aud of somebody else', () => claims({ aud: 'https://other.example' }), 'invalid_audience'],
    ['no aud in the list', () => claims({ aud: [] }), 'invalid_audience'],
    ['aud that begins like ours', () => claims({ aud: `${AUDIENCE}/x` }), 'invalid_audience'],
    ['ill-typed aud', () => claims({ aud: [AUDIENCE, 1] }), 'invalid_audience'],

    ['no jti', () => claims({ jti: undefined }), 'invalid_request'],
    ['an empty jti', () => claims({ jti: '' }), 'invalid_request'],
    ['a number as jti', () => claims({ jti: 7 }), 'invalid_request'],
    ['no iat', () => claims({ iat: undefined }), 'invalid_request'],
    ['iat as text', () => claims({ iat: String(NOW) }), 'invalid_request'],
    ['iat in the future', () => claims({ iat: NOW + 61 }), 'invalid_request'],
    ['iat more than 7 days ago', () => claims({ iat: NOW - 604_801 }), 'invalid_request'],
    ['exp', () => claims({ exp: NOW + 3600 }), 'invalid_request'],
    ['sub', () => claims({ sub: 'alice' }), 'invalid_request'],

    ['no events', () => claims({ events: undefined }), 'invalid_request'],
    ['events as a list', () => claims({ events: [SESSION_REVOKED] }), 'invalid_request'],
    ['an empty events', () => claims({ events: {} }), 'invalid_request'],
    ['an event that is no object', () => claims({ events: { [SESSION_REVOKED]: true } }), 'invalid_request'],
    [
      'two events',
      () => claims({ events: { [SESSION_REVOKED]: {}, [COMPLIANCE]: { current_status: 'not-compliant' } } }),
      'invalid_request',
    ],
    ['a compliance without status', () => eventSet(COMPLIANCE, opaque(INSTANCE)), 'invalid_request'],
    [
      'a compliance of an unknown status',
      () => eventSet(COMPLIANCE, opaque(INSTANCE), { current_status: 'NOT-COMPLIANT' }),
      'invalid_request',
    ],
    ['a risk without principal', () => eventSet(RISK, user('alice'), { current_level: 'HIGH' }), 'invalid_request'],
    [
      'a risk of an unknown level',
      () => eventSet(RISK, user('alice'), { principal: 'USER', current_level: 'EXTREME' }),
      'invalid_request',
    ],
  ];
  it.each(bad)('%s', async (_what, jwt, code) => {
    expect(await refusalOf(jwt())).toBe(code);
  });

  const nobody: [what: string, subId: unknown, type?: string, payload?: Record<string, unknown>][] = [
    ['no sub_id', undefined],
    ['text', 'alice'],
    ['no format', { sub: 'alice', iss: ISS }],
    ['a format that is not mapped', { format: 'email', email: 'alice@bank.example' }],
    ['an unknown user', user('mallory')],
    ['a user of another issuer', user('alice', 'https://other.example')],
    ['an unknown opaque id', opaque('nobody')],
    ['an ill-typed id', { format: 'opaque', id: ['alice'] }],
    ['an empty complex subject', complex({})],
    ['a complex subject of members that are not looked at', complex({ tenant: opaque('t') })],
    ['a known user on an unknown device', complex({ user: user('alice'), device: opaque('nothing') })],
    ['a known user with a device that is not understood', complex({ user: user('alice'), device: user('d') })],
    [
      'a known device with a user that is not understood',
      complex({ user: { format: 'email', email: 'a@b.example' }, device: opaque(INSTANCE) }),
    ],
    ["a session in another user's name", complex({ session: opaque(SESSION_ID), user: user('bob') })],
    ['a session on another device', complex({ session: opaque(SESSION_ID), device: opaque('other') })],
    ['an unknown session of a known user', complex({ session: opaque('unknown-session'), user: user('alice') })],
    ['an unknown device', opaque('nothing'), COMPLIANCE, { current_status: 'not-compliant' }],
    ['an unknown device that is compliant', opaque('nothing'), COMPLIANCE, { current_status: 'compliant' }],
    ['a user where a device is meant', user('alice'), COMPLIANCE, { current_status: 'not-compliant' }],
    [
      'a device where a user is meant',
      complex({ device: opaque(INSTANCE) }),
      RISK,
      { principal: 'USER', current_level: 'HIGH' },
    ],
    ['an unknown user at low risk', user('mallory'), RISK, { principal: 'USER', current_level: 'LOW' }],
  ];
  it.each(nobody)('about nobody known here: %s', async (_what, subId, type = SESSION_REVOKED, payload = {}) => {
    expect(await refusalOf(eventSet(type, subId, payload))).toBe('invalid_request');
  });

  it('by the keys of another transmitter', async () => {
    const other = aTransmitterKey();
    const transmitters = [
      { iss: ISS, jwks: idp.jwks },
      { iss: 'https://other.example', jwks: other.jwks },
    ];
    const world = await aSignalWorld({ transmitters });
    expect(await world.take(aSet({ key: other.privateKey }))).toBe('authentication_failed');
    const foreign = { iss: 'https://other.example', sub_id: user('alice') };
    expect(await world.take(aSet({ claims: foreign, key: other.privateKey }))).toBe('invalid_request');
    expect(await world.live()).toEqual([SESSION_ID]);
  });

  it('tells nothing of the token but fixed texts', async () => {
    const world = await aSignalWorld();
    await world.take(aSet({ claims: { jti: 'secret-jti', sub_id: user('secret-user') }, key: stranger.privateKey }));
    await world.take(claims({ iss: 'https://secret.example' }));
    expect(JSON.stringify(world.records)).not.toContain('secret');
    expect(world.records.map(({ iss }) => iss)).toEqual([ISS, undefined]);
  });
});

describe('Authorization', () => {
  const secret = 'Bearer 0123456789abcdef';
  const check = (world: SignalWorld, values: string[]) => {
    try {
      world.receiver.authorize(values);
      return 'accepted';
    } catch (error) {
      return (error as { err?: string }).err;
    }
  };

  it('is not asked for unless configured', async () => {
    expect(check(await aSignalWorld(), [])).toBe('accepted');
  });

  it('must be the one value, whole and once', async () => {
    const world = await aSignalWorld({ authorization: secret });
    expect(check(world, [secret])).toBe('accepted');
    for (const values of [[], [''], [secret, secret], [secret.toLowerCase()], [`${secret} `], [secret.slice(0, -1)]])
      expect(check(world, values)).toBe('authentication_failed');
    expect(world.records).toHaveLength(6);
    expect(JSON.stringify(world.records)).not.toContain('0123456789abcdef');
  });
});
