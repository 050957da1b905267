import type { JSONWebKeySet } from 'jose';
import { expect, it } from 'vitest';
import { AttestationError } from '../../lib/attestation/attestation-error.js';
import { firebaseAppCheck } from '../../lib/attestation/firebase/firebase-app-check.js';
import type { FirebaseAppCheckVerdict } from '../../lib/attestation/firebase/firebase.types.js';
import { verifyFirebaseAppCheck } from '../../lib/attestation/firebase/verify-app-check.js';
import { attempt, inputOf } from '../unit/attestation/client-attestation.fixture.js';
import { describeVectors } from '../utils/vectors.js';

interface Cases {
  evaluateAt: string;
  projectNumber: string;
  projectId: string;
  appId: string;
  cases: { name: string; token: string; expected: string }[];
  nonStringInputsThatMustReject: unknown[];
}

describeVectors('firebase-app-check', (vectors) => {
  const data = vectors.json<Cases>('cases.json');
  const jwks = vectors.json<JSONWebKeySet>('jwks.json');
  const { evaluateAt, projectId, projectNumber, appId, cases } = data;
  const now = new Date(evaluateAt);
  const project = { projectId, projectNumber, appId };
  const accepted = cases.filter(({ expected }) => expected.startsWith('accept'));
  const refused = cases.filter(({ expected }) => expected.startsWith('reject'));
  const verify = (token: unknown, overrides: object = {}): Promise<FirebaseAppCheckVerdict> =>
    verifyFirebaseAppCheck({ token, ...project, jwks, now, ...overrides });

  it('knows what every case expects', () => {
    expect(accepted.length).toBeGreaterThan(0);
    expect(accepted.length + refused.length).toBe(cases.length);
  });

  it.each(accepted)('$name: $expected', async ({ token }) => {
    const verdict = await verify(token);
    expect(verdict).toMatchObject({ appId, issuedAt: 1_767_225_600, expiresAt: 1_767_229_200 });
    const attester = firebaseAppCheck({ ...project, jwks });
    const outcome = await attempt(attester, inputOf(undefined, { statement: { token }, now: now.getTime() / 1000 }));
    expect(outcome).toMatchObject({ result: { assurance: 'none', keyBound: false, claims: { appId } } });
  });

  it.each(refused)('$name: $expected', async ({ token }) => {
    await expect(verify(token)).rejects.toBeInstanceOf(AttestationError);
  });

  it.each(data.nonStringInputsThatMustReject)('refuses %j', async (token) => {
    await expect(verify(token)).rejects.toMatchObject({ check: 'structure' });
  });

  it.each([
    ['another number of the project', { projectNumber: '1234567' }, 'issuer'],
    ['a number that begins alike', { projectNumber: '123456789' }, 'issuer'],
    ['another project', { projectId: 'project' }, 'audience'],
    ['another app', { appId: ['12345678:app:OTHER'] }, 'subject'],
    ['a time after its end', { now: new Date(1_767_229_200_000) }, 'time'],
    ['a time before its beginning', { now: new Date(1_767_225_584_000) }, 'time'],
    ['a clock that shows no time', { now: new Date(Number.NaN) }, 'time'],
  ])('refuses the accepted token for %s', async (_what, overrides, check) => {
    await expect(verify(accepted[0]?.token, overrides)).rejects.toMatchObject({ check });
  });

  it('accepts no token with any one bit of any character changed', async () => {
    const token = accepted[0]?.token ?? '';
    for (let at = 0; at < token.length; at += 1) {
      const flipped = String.fromCharCode(token.charCodeAt(at) ^ (1 << (at % 7)));
      const mutant = token.slice(0, at) + flipped + token.slice(at + 1);
      await expect(verify(mutant), `character ${at}`).rejects.toBeInstanceOf(AttestationError);
    }
  });
});
