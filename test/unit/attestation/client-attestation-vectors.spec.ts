import { calculateJwkThumbprint, type JWK } from 'jose';
import { expect, it } from 'vitest';
import { clientAttestation } from '../../../lib/attestation/client-attestation/client-attestation.js';
import { jwkThumbprint } from '../../../lib/attestation/jose/jwk.js';
import { parseSignedJwt } from '../../../lib/attestation/jose/signed-jwt.js';
import { createAttestationIssuer } from '../../../lib/testing/attestation-issuer.js';
import type { PublicJwk } from '../../../lib/token/claims.types.js';
import { describeVectors } from '../../utils/vectors.js';
import { attempt, attesterWith, inputOf, instanceKey, issue, newInstanceKey } from './client-attestation.fixture.js';

interface Example {
  jwt: string;
  header: Record<string, unknown>;
  payload: { sub: string; iat: number; exp: number; cnf: { jwk: PublicJwk } };
}

interface DraftExamples {
  attestations: [Example];
  pops: { jwt: string; header: unknown; payload: unknown }[];
}

/** What makes the statement of a row, and the check that must refuse it. */
const ROWS: Record<string, [() => Promise<unknown>, string]> = {
  'attestation missing header': [() => Promise.resolve(undefined), 'statement'],
  'attestation sub absent': [() => mutant({ claims: { sub: undefined } }), 'claims'],
  'attestation exp absent': [() => mutant({ claims: { exp: undefined } }), 'claims'],
  'attestation cnf present but no jwk': [() => mutant({ claims: { cnf: {} } }), 'confirmation'],
  'attestation typ absent': [() => mutant({ header: { typ: undefined } }), 'header'],
  'cnf.jwk has private member d / priv / k': [
    () => mutant({ claims: { cnf: { jwk: { ...instanceKey, d: 'AA', priv: 'AA', k: 'AA' } } } }),
    'confirmation',
  ],
  // The enrolment token is the proof of possession here, and its key is the instance key.
  'pop signed by another key than cnf.jwk': [() => mutant({ publicKey: newInstanceKey() }), 'key-binding'],
};

/** Rows about a separate proof of possession or a token endpoint, which this format has not. */
const ELSEWHERE = [
  'pop aud absent or not the issuer',
  'pop jti is a number',
  'pop iat absent',
  'pop challenge absent',
  'refresh token used with another instance key',
  'legacy PoP (draft<=07) with iss equal attestation sub and nonce',
];

async function mutant(overrides: Parameters<typeof issue>[0]): Promise<unknown> {
  return { jwt: await issue(overrides) };
}

describeVectors('client-attestation', (vectors) => {
  const { cases } = vectors.json<{ cases: { mutation: string; expected: string }[] }>('cases.json');
  const examples = vectors.json<DraftExamples>('draft-examples.json');
  const [example] = examples.attestations;
  const { sub: clientId, iat: now } = example.payload;

  it('covers every row, or says that it belongs elsewhere', () => {
    expect(cases.map((row) => row.mutation).sort()).toEqual([...Object.keys(ROWS), ...ELSEWHERE].sort());
  });

  it.each(cases.filter((row) => row.mutation in ROWS))('$mutation: $expected', async ({ mutation, expected }) => {
    const [build, check] = ROWS[mutation] ?? [];
    expect(expected).toMatch(/^reject/);
    const outcome = await attempt(attesterWith(), inputOf(undefined, { statement: await build?.() }));
    expect(outcome).toMatchObject({ stage: 'examine', error: { code: 'attestation_rejected', check } });
  });

  it('reads the example of the draft', async () => {
    const { header, claims } = parseSignedJwt(example.jwt, 8192);
    expect({ header, claims }).toEqual({ header: example.header, claims: example.payload });
    const { jwk } = example.payload.cnf;
    expect(jwkThumbprint({ ...jwk })).toBe(await calculateJwkThumbprint(jwk as JWK));
  });

  it('finds nothing wrong with the example but the signature, its issuer being another', async () => {
    const { jwks } = createAttestationIssuer({ kid: '11' });
    const attester = clientAttestation({ clientId, issuers: [{ jwks }] });
    const thumbprint = await calculateJwkThumbprint(example.payload.cnf.jwk as JWK);
    const outcome = await attempt(attester, inputOf(example.jwt, { thumbprint, now }));
    expect(outcome).toMatchObject({ stage: 'finish', error: { check: 'signature' } });
  });

  it('refuses the example for another key and after its expiry', async () => {
    const attester = clientAttestation({ clientId, issuers: [{ jwks: createAttestationIssuer({ kid: '11' }).jwks }] });
    const thumbprint = await calculateJwkThumbprint(example.payload.cnf.jwk as JWK);
    const stolen = await attempt(attester, inputOf(example.jwt, { now }));
    expect(stolen).toMatchObject({ stage: 'examine', error: { check: 'key-binding' } });
    const late = await attempt(attester, inputOf(example.jwt, { thumbprint, now: example.payload.exp }));
    expect(late).toMatchObject({ stage: 'examine', error: { check: 'time' } });
  });

  it.each(examples.pops)('does not take a proof of possession for an attestation', async ({ jwt }) => {
    const outcome = await attempt(attesterWith(), inputOf(jwt, { now }));
    expect(outcome).toMatchObject({ stage: 'examine', error: { check: 'header' } });
  });
});
