import { describe, expect, it } from 'vitest';
import { aKey, claimKeyOf, codeOf, NOW } from '../../utils/core/index.js';
import { Enrolments } from './attempt.js';

describe('evidence that is good for one enrolment', () => {
  const claim = { issuer: 'https://issuer.example', id: 'token-1', expiresAt: NOW + 100 };

  it('is spent, under the key and for the time of PROTOCOL section 6', async () => {
    const server = new Enrolments();
    server.attester.result = { claim };
    await server.enrol();
    expect(server.nonces.calls.at(-1)).toEqual([
      claimKeyOf('attestation.fake.https://issuer.example.token-1'),
      NOW + 100 + 60,
    ]);
  });

  it('is refused the second time, whoever brings it', async () => {
    const server = new Enrolments();
    server.attester.result = { claim };
    await server.enrol();
    const other = aKey('ES256', 'second');
    expect(await codeOf(() => server.enrol())).toBe('attestation_rejected');
    expect(await codeOf(() => server.enrol({ key: other }))).toBe('attestation_rejected');
    expect(await server.stored(other)).toBeUndefined();
  });
});

describe('what was proved before', () => {
  it('is told to the attester', async () => {
    const server = new Enrolments();
    server.attester.result = { counter: 4, claims: { keyId: 'k' } };
    await server.enrol();
    server.attester.result = { counter: 5, claims: { keyId: 'k' } };
    await server.enrol();
    expect(server.attester.asked.at(-1)?.previous).toEqual({
      format: 'fake',
      claims: { keyId: 'k', keyBound: true, assertionCounter: 4 },
      counter: 4,
    });
    expect((await server.stored())?.attestationClaims).toEqual({ keyId: 'k', keyBound: true, assertionCounter: 5 });
  });

  it('a counter that requests have raised meanwhile is not set back', async () => {
    const server = new Enrolments();
    server.attester.result = { counter: 4, claims: { keyId: 'k' } };
    const { instance } = await server.enrol();
    server.attester.result = { counter: 5, claims: { keyId: 'k' } };
    server.attester.onFinish = () =>
      server.settings.bindings.saveInstance(
        { ...instance, attestationClaims: { ...instance.attestationClaims, assertionCounter: 9 }, revision: 2 },
        1,
      );
    expect(await codeOf(() => server.enrol())).toBe('attestation_rejected');
    expect((await server.stored())?.attestationClaims['assertionCounter']).toBe(9);
  });

  it('another platform key starts anew', async () => {
    const server = new Enrolments();
    server.attester.result = { counter: 4, claims: { keyId: 'k' } };
    await server.enrol();
    server.attester.result = { counter: 0, claims: { keyId: 'other' } };
    await server.enrol();
    expect((await server.stored())?.attestationClaims['assertionCounter']).toBe(0);
  });
});

describe('a counter that is none', () => {
  it.each([Number.NaN, -1, 4.5, 2 ** 53])('does not set back what requests have raised: %s', async (counter) => {
    const server = new Enrolments();
    server.attester.result = { counter: 4, claims: { keyId: 'k' } };
    await server.enrol();
    server.attester.result = { counter, claims: { keyId: 'k' } };
    expect(await codeOf(() => server.enrol())).toBe('attestation_rejected');
    expect((await server.stored())?.attestationClaims['assertionCounter']).toBe(4);
  });

  it('is no claim of the evidence', async () => {
    const server = new Enrolments();
    server.attester.result = { claims: { assertionCounter: 9, keyBound: false } };
    await server.enrol();
    expect((await server.stored())?.attestationClaims).toEqual({ keyBound: true });
  });
});

describe('evidence that is not tied to the key, where it was before', () => {
  // What a clean device was given can be carried to another that holds the key: it must not wash that one clean.
  it('is refused by default, at the same assurance', async () => {
    const server = new Enrolments();
    await server.enrol();
    server.attester.result = { keyBound: false };
    expect(await codeOf(() => server.enrol())).toBe('attestation_rejected');
    expect((await server.stored())?.attestationClaims['keyBound']).toBe(true);
  });

  it('passes where the app allows less, or proves more', async () => {
    const server = new Enrolments({ allowDowngrade: true });
    await server.enrol();
    server.attester.result = { keyBound: false };
    expect(await codeOf(() => server.enrol())).toBe('accepted');
    expect((await server.stored())?.attestationClaims['keyBound']).toBe(false);
    const other = new Enrolments();
    other.attester.result = { keyBound: false };
    await other.enrol();
    expect(await codeOf(() => other.enrol())).toBe('accepted');
    other.attester.result = {};
    expect(await codeOf(() => other.enrol())).toBe('accepted');
  });

  it('never ends a suspension', async () => {
    const server = new Enrolments({ allowDowngrade: true });
    await server.enrol();
    await server.settings.bindings.suspend(aKey().id, { reason: 'test', at: NOW }, []);
    server.clock.advance(10);
    server.attester.result = { keyBound: false };
    expect(await codeOf(() => server.enrol())).toBe('attestation_rejected');
    expect((await server.stored())?.status).toBe('suspended');
    server.attester.result = {};
    expect(await codeOf(() => server.enrol())).toBe('accepted');
  });
});

describe('less assurance than before', () => {
  it('is refused by default', async () => {
    const server = new Enrolments();
    await server.enrol();
    server.attester.result = { assurance: 'software' };
    expect(await codeOf(() => server.enrol())).toBe('attestation_rejected');
    expect((await server.stored())?.assurance).toBe('tee');
  });

  it('passes where the app allows it', async () => {
    const server = new Enrolments({ allowDowngrade: true });
    await server.enrol();
    server.attester.result = { assurance: 'software' };
    expect(await codeOf(() => server.enrol())).toBe('accepted');
    expect((await server.stored())?.assurance).toBe('software');
  });

  it.each(['none', 'software'] as const)('never ends a suspension: %s', async (assurance) => {
    const server = new Enrolments({ allowDowngrade: true });
    await server.enrol();
    await server.settings.bindings.suspend(aKey().id, { reason: 'test', at: NOW }, []);
    server.clock.advance(10);
    server.attester.result = { assurance };
    expect(await codeOf(() => server.enrol())).toBe('attestation_rejected');
    expect((await server.stored())?.status).toBe('suspended');
  });
});
