import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { AttestationError } from '../../../lib/attestation/attestation-error.js';
import { enrolmentBinding } from '../../../lib/enrolment/binding-value.js';
import { TabError } from '../../../lib/errors/tab-error.js';
import type { TabAlgorithm } from '../../../lib/token/claims.types.js';
import {
  aKey,
  anInstanceOf,
  aSessionOf,
  claimKeyOf,
  codeOf,
  NOW,
  outcomeOf,
  requiring,
  World,
} from '../../utils/core/index.js';
import { Enrolments, type AttemptParts } from './attempt.js';

const none: AttemptParts = { attestation: { format: 'none', statement: undefined } };

describe('an enrolment', () => {
  it('writes the instance', async () => {
    const server = new Enrolments();
    const { instance, created } = await server.enrol();
    expect(created).toBe(true);
    expect(instance).toEqual({
      id: aKey().id,
      appId: 'com.example.app',
      appVersion: '1.4.0',
      platform: 'android',
      algorithm: 'ES256',
      publicKey: aKey().jwk,
      status: 'active',
      statusReason: null,
      statusAt: NOW,
      suspendedBy: [],
      assurance: 'tee',
      format: 'fake',
      attestedAt: NOW,
      attestationExpiresAt: NOW + 30 * 86_400,
      attestationClaims: { patch: 5, keyBound: true },
      createdAt: NOW,
      revision: 1,
    });
    expect(await server.stored()).toEqual(instance);
  });

  it('gives a challenge for requests of this instance', async () => {
    const server = new Enrolments();
    const { nextChallenge } = await server.enrol();
    const check = (id: string) => codeOf(() => server.settings.challenges.check(nextChallenge, 'request', NOW, id));
    expect([await check(aKey().id), await check(aKey('ES256', 'second').id)]).toEqual(['accepted', 'use_tab_nonce']);
  });

  it('spends the challenge, under the key and for the time of PROTOCOL section 6', async () => {
    const server = new Enrolments();
    const nonce = server.challenge();
    await server.enrol({ claims: { nonce } });
    expect(server.nonces.calls).toEqual([[claimKeyOf(`challenge.${nonce}`), NOW + 300 + 60]]);
    expect(await codeOf(() => server.enrol({ claims: { nonce } }))).toBe('use_tab_nonce');
    expect(await codeOf(() => server.enrol({ key: aKey('ES256', 'second'), claims: { nonce } }))).toBe('use_tab_nonce');
  });

  it('asks the attester about this very enrolment', async () => {
    const server = new Enrolments();
    const challenge = server.challenge();
    await server.enrol({ claims: { nonce: challenge } });
    const text = `tab-enroll-v1\nhttps://api.example.com\n${challenge}\ncom.example.app\n`;
    const sha256 = (value: string) => createHash('sha256').update(value).digest();
    expect(server.attester.asked).toEqual([
      {
        statement: { proof: 1 },
        publicKey: aKey().jwk,
        thumbprint: aKey().id,
        app: { id: 'com.example.app', ver: '1.4.0', platform: 'android' },
        challenge,
        binding: sha256(text + aKey().id),
        keylessBinding: sha256(text),
        previous: undefined,
        now: NOW,
      },
    ]);
  });

  it('binds as PROTOCOL section 5 says', () => {
    // printf 'tab-enroll-v1\nhttps://a.example\nc\napp\nt' | openssl dgst -sha256
    expect(
      enrolmentBinding({ origin: 'https://a.example', challenge: 'c', appId: 'app', thumbprint: 't' }).toString('hex'),
    ).toBe('0f5d718c616a165523a40ed66717a1e925470f7f771d7c0db0b00ae4b78a89e9');
  });

  it('ends the attestation when its evidence ends, or the cap of the app', async () => {
    const server = new Enrolments({ attestationMaxAge: 3600 });
    server.attester.result = { expiresAt: NOW + 10 };
    expect((await server.enrol()).instance.attestationExpiresAt).toBe(NOW + 10);
    server.attester.result = {};
    expect((await server.enrol()).instance.attestationExpiresAt).toBe(NOW + 3600);
  });

  it.each(['ES256', 'ES384', 'EdDSA', 'PS256', 'RS256'] as const)('takes a key for %s', async (alg) => {
    const server = new Enrolments();
    expect((await server.enrol({ key: aKey(alg) })).instance).toMatchObject({ id: aKey(alg).id, algorithm: alg });
  });

  it.each<[TabAlgorithm, TabAlgorithm]>([
    ['ES256', 'ES384'],
    ['ES384', 'ES256'],
    ['EdDSA', 'ES256'],
    ['RS256', 'ES256'],
    ['ES256', 'RS256'],
    ['ES256', 'EdDSA'],
  ])('refuses alg %s for a key of %s', async (alg, of) =>
    expect(await codeOf(() => new Enrolments().enrol({ key: aKey(of), header: { alg } }))).toBe('unsupported_alg'),
  );

  it.each<[string, AttemptParts, string]>([
    [
      'a request challenge',
      { claims: { nonce: new Enrolments().settings.challenges.issue('request', NOW) } },
      'use_tab_nonce',
    ],
    ['no challenge', { claims: { nonce: undefined } }, 'use_tab_nonce'],
    [
      'an expired challenge',
      { claims: { nonce: new Enrolments().settings.challenges.issue('enrol', NOW - 300) } },
      'use_tab_nonce',
    ],
    ['a private jwk', { header: { jwk: { ...aKey().jwk, d: 'AQ' } } }, 'malformed_token'],
    ['the jwk of another', { header: { jwk: aKey('ES256', 'second').jwk } }, 'bad_signature'],
    [
      'a point off the curve',
      {
        header: {
          jwk: {
            ...aKey().jwk,
            x: aKey('ES256', 'second').jwk.kty === 'EC' ? (aKey('ES256', 'second').jwk as { x: string }).x : '',
          },
        },
      },
      'malformed_token',
    ],
    ['no jwk', { header: { jwk: undefined } }, 'malformed_token'],
    ['a request token', { header: { typ: 'tab+jwt', kid: aKey().id, jwk: undefined } }, 'malformed_token'],
    ['another app in the body', { app: { id: 'com.example.other' } }, 'request_mismatch'],
    ['another version in the body', { app: { ver: '1.4.0+1' } }, 'request_mismatch'],
    [
      'an app that is not registered',
      { app: { id: 'com.example.other' }, claims: { app: { id: 'com.example.other', ver: '1.4.0' } } },
      'attestation_rejected',
    ],
    ['another platform', { app: { platform: 'ios' } }, 'attestation_rejected'],
    ['an unknown format', { attestation: { format: 'other' } }, 'attestation_rejected'],
    [
      'a format named like a member of every object',
      { attestation: { format: 'constructor' } },
      'attestation_rejected',
    ],
    [
      'a body that was not signed',
      {
        sent: JSON.stringify({
          app: { id: 'com.example.app', ver: '1.4.0', platform: 'android' },
          attestation: { format: 'fake', statement: 2 },
        }),
      },
      'request_mismatch',
    ],
  ])('refuses %s', async (_what, parts, code) => {
    const server = new Enrolments();
    expect(await codeOf(() => server.enrol(parts))).toBe(code);
    expect(await server.stored()).toBeUndefined();
    expect(server.nonces.calls).toEqual([]);
  });

  it('refuses format none where the app does not say so', async () => {
    expect(await codeOf(() => new Enrolments({ allowUnattested: false }).enrol(none))).toBe('attestation_rejected');
  });

  it('counts format none for nothing, from the start', async () => {
    const server = new Enrolments();
    const { instance } = await server.enrol(none);
    expect(instance).toMatchObject({ assurance: 'none', format: 'none', attestationExpiresAt: NOW });
    expect(server.attester.asked).toEqual([]);
  });
});

describe('a failed attempt changes nothing', () => {
  it.each<[string, (server: Enrolments) => void]>([
    [
      'evidence that fails at once',
      (server) =>
        (server.attester.onExamine = () => {
          throw new AttestationError('x', 'y');
        }),
    ],
    [
      'evidence that fails later',
      (server) => (server.attester.onFinish = () => Promise.reject(new AttestationError('x', 'y'))),
    ],
    [
      'a service that cannot be reached',
      (server) =>
        (server.attester.onFinish = () =>
          Promise.reject(new TabError('store_unavailable', 'x', { hints: { retryAfter: 1 } }))),
    ],
    ['lower assurance than before', (server) => (server.attester.result = { assurance: 'software' })],
    ['assurance none', (server) => (server.attester.result = { assurance: 'none' })],
  ])('%s', async (_what, spoil) => {
    const server = new Enrolments();
    await server.enrol();
    const before = await server.stored();
    spoil(server);
    server.clock.advance(5);
    expect(await codeOf(() => server.enrol())).not.toBe('accepted');
    expect(await server.stored()).toEqual(before);
  });

  it('nor does an attester that breaks', async () => {
    const server = new Enrolments();
    server.attester.onFinish = () => {
      throw new RangeError('bug');
    };
    await expect(server.enrol()).rejects.toThrow('bug');
    expect(await server.stored()).toBeUndefined();
  });

  it.each([
    ['bindings', 'load'],
    ['bindings', 'saveInstance'],
    ['nonces', 'claim'],
  ] as const)('nor does %s.%s that fails', async (store, method) => {
    const server = new Enrolments();
    (server.settings[store] as unknown as Record<string, unknown>)[method] = () => Promise.reject(new Error('down'));
    expect(await codeOf(() => server.enrol())).toBe('store_unavailable');
  });
});

describe('a known key', () => {
  it('is renewed', async () => {
    const server = new Enrolments();
    const first = await server.enrol();
    server.clock.advance(100);
    const second = await server.enrol({
      app: { ver: '1.5.0' },
      claims: { app: { id: 'com.example.app', ver: '1.5.0' } },
    });
    expect(second.created).toBe(false);
    expect(second.instance).toEqual({
      ...first.instance,
      appVersion: '1.5.0',
      attestedAt: NOW + 100,
      attestationExpiresAt: NOW + 100 + 30 * 86_400,
      revision: 2,
    });
    expect(await server.stored()).toEqual(second.instance);
  });

  it('may rise in assurance and never fall', async () => {
    const server = new Enrolments();
    await server.enrol(none);
    expect((await server.enrol()).instance.assurance).toBe('tee');
    server.attester.result = { assurance: 'strongbox' };
    expect((await server.enrol()).instance.assurance).toBe('strongbox');
    server.attester.result = { assurance: 'tee' };
    expect(await codeOf(() => server.enrol())).toBe('attestation_rejected');
    expect(await codeOf(() => server.enrol(none))).toBe('attestation_rejected');
    expect((await server.stored())?.assurance).toBe('strongbox');
  });

  it('is renewed in nothing by format none', async () => {
    const server = new Enrolments();
    const first = await server.enrol(none);
    server.clock.advance(100);
    const second = await server.enrol({
      ...none,
      app: { ver: '1.5.0' },
      claims: { app: { id: 'com.example.app', ver: '1.5.0' } },
    });
    expect(second).toMatchObject({ created: false, instance: first.instance });
    expect(await server.stored()).toEqual(first.instance);
  });

  it('is refused for ever once revoked', async () => {
    const server = new Enrolments();
    await server.enrol();
    await server.service.retire(aKey().id);
    expect((await server.stored())?.status).toBe('revoked');
    for (const parts of [{}, none]) expect(await codeOf(() => server.enrol(parts))).toBe('instance_revoked');
  });

  it('is refused for another app', async () => {
    const server = new Enrolments();
    await server.settings.bindings.saveInstance(anInstanceOf(aKey(), { appId: 'com.example.other' }));
    expect(await codeOf(() => server.enrol())).toBe('attestation_rejected');
  });

  it('is refused with another algorithm', async () => {
    const server = new Enrolments();
    const key = aKey('RS256');
    await server.enrol({ key });
    expect(await codeOf(() => server.enrol({ key: { ...key, alg: 'PS256' } }))).toBe('unsupported_alg');
  });

  it('is revoked meanwhile: refused, and stays revoked', async () => {
    const server = new Enrolments();
    await server.enrol();
    server.attester.onFinish = () => server.settings.bindings.revoke(aKey().id, { reason: 'lost', at: NOW });
    expect(await codeOf(() => server.enrol())).toBe('instance_revoked');
    expect((await server.stored())?.status).toBe('revoked');
  });

  it('is suspended meanwhile: refused, and stays suspended', async () => {
    const server = new Enrolments();
    await server.enrol();
    server.attester.onFinish = () => server.settings.bindings.suspend(aKey().id, { reason: 'x', at: NOW + 1 }, []);
    expect(await codeOf(() => server.enrol())).toBe('instance_suspended');
    expect((await server.stored())?.status).toBe('suspended');
  });

  it('that keeps changing is given up', async () => {
    const server = new Enrolments();
    server.settings.bindings.saveInstance = () => Promise.resolve(false);
    expect(await codeOf(() => server.enrol())).toBe('store_unavailable');
  });

  it('enrolled 20 times at once: all go through, one created it', async () => {
    const server = new Enrolments();
    const enrolled = await Promise.allSettled(Array.from({ length: 20 }, () => server.enrol()));
    const done = enrolled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    expect(done.filter(({ created }) => created)).toHaveLength(1);
    for (const each of enrolled)
      if (each.status === 'rejected') expect(each.reason).toMatchObject({ code: 'store_unavailable' });
    expect((await server.stored())?.revision).toBe(done.length);
  });

  it('enrolled 20 times at once over one challenge: one goes through', async () => {
    const server = new Enrolments();
    const nonce = server.challenge();
    const codes = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        codeOf(() => server.enrol({ key: aKey('ES256', i % 2 ? 'first' : 'second'), claims: { nonce } })),
      ),
    );
    expect(codes.filter((code) => code === 'accepted')).toHaveLength(1);
    expect(codes.filter((code) => code === 'use_tab_nonce')).toHaveLength(19);
  });
});

describe('recovery from a suspension', () => {
  const suspended = async (threats: string[] = ['hooking']) => {
    const server = new Enrolments();
    await server.enrol();
    const early = server.challenge();
    await server.settings.bindings.suspend(aKey().id, { reason: 'threat found', at: NOW }, threats);
    server.clock.advance(10);
    return { server, early };
  };
  const rt = (change: Record<string, unknown>) => ({
    claims: { rt: { at: NOW + 10, found: [], clear: ['hooking'], sdk: 'x/1', ...change } },
  });

  it('ends it, with clean evidence', async () => {
    const { server } = await suspended();
    expect((await server.enrol()).instance).toMatchObject({
      status: 'active',
      statusReason: null,
      statusAt: NOW + 10,
      suspendedBy: [],
      createdAt: NOW,
    });
  });

  it.each<[string, AttemptParts | ((early: string) => AttemptParts), string]>([
    ['a challenge from before', (nonce) => ({ claims: { nonce } }), 'instance_suspended'],
    ['evidence from before', rt({ at: NOW - 1 }), 'instance_suspended'],
    ['evidence of the very second', rt({ at: NOW }), 'instance_suspended'],
    ['evidence of the second after', rt({ at: NOW + 1 }), 'accepted'],
    ['the threat not checked', rt({ clear: ['root'] }), 'instance_suspended'],
    ['the threat found', rt({ found: ['hooking'], clear: ['root'] }), 'instance_suspended'],
    ['no attestation', none, 'instance_suspended'],
    ['another key', { key: aKey('ES256', 'second') }, 'accepted'],
  ])('%s: %s', async (_what, made, code) => {
    const { server, early } = await suspended();
    expect(await codeOf(() => server.enrol(typeof made === 'function' ? made(early) : made))).toBe(code);
    expect((await server.stored())?.status).toBe(code === 'accepted' && !('key' in made) ? 'active' : 'suspended');
  });

  it('needs every suspending threat in clear', async () => {
    const { server } = await suspended(['hooking', 'root']);
    expect(await codeOf(() => server.enrol(rt({ clear: ['hooking'] })))).toBe('instance_suspended');
    expect(await codeOf(() => server.enrol(rt({ clear: ['root', 'hooking'] })))).toBe('accepted');
  });

  it('needs an attestation not weaker than before', async () => {
    const { server } = await suspended();
    server.attester.result = { assurance: 'software' };
    expect(await codeOf(() => server.enrol())).toBe('attestation_rejected');
    expect((await server.stored())?.status).toBe('suspended');
  });

  it('holds for all sessions, and lets them live again', async () => {
    const world = await new World().enrol();
    await world.settings.bindings.bind(aSessionOf(world.key));
    await world.settings.bindings.suspend(world.key.id, { reason: 'x', at: NOW }, []);
    expect(outcomeOf(await world.verify({ session: true }, requiring({ session: 'required' })))).toBe(
      'instance_suspended',
    );
    expect(
      await world.settings.bindings.bind(aSessionOf(world.key, { id: 'n'.repeat(32), credentialHash: null })),
    ).toBe('instance_inactive');
  });
});
