import { decodeJwt, decodeProtectedHeader } from 'jose';
import { AttestationError, clientAttestation } from 'nestjs-tab/attestation';
import { describe, expect, it } from 'vitest';
import { createAttestationIssuer } from '../../../lib/testing/attestation-issuer.js';
import { APP_ID, attempt, inputOf, instanceKey, NOW } from './client-attestation.fixture.js';

const request = { sub: APP_ID, publicKey: instanceKey };

describe('createAttestationIssuer', () => {
  it('issues what the public attester accepts', async () => {
    const issuer = createAttestationIssuer({ iss: 'https://issuer.example', clock: () => NOW });
    const attester = clientAttestation({ issuers: [{ iss: 'https://issuer.example', jwks: issuer.jwks }] });
    const accepted = await attempt(attester, inputOf(await issuer.issue({ ...request, expiresIn: 60 })));
    expect(accepted).toMatchObject({ result: { expiresAt: NOW + 60, claims: { iss: 'https://issuer.example' } } });
    const refused = await attempt(attester, inputOf(await issuer.issue({ ...request, sub: 'other' })));
    expect('error' in refused && refused.error).toBeInstanceOf(AttestationError);
  });

  it('publishes no private member and signs with a key of its own', () => {
    const [one, two] = [createAttestationIssuer(), createAttestationIssuer()];
    expect(one.jwks.keys).toHaveLength(1);
    expect(one.jwks.keys[0]).not.toHaveProperty('d');
    expect(one.jwks.keys[0]).not.toEqual(two.jwks.keys[0]);
  });

  it('follows the system clock unless told otherwise', async () => {
    const before = Math.floor(Date.now() / 1000);
    const { iat, exp } = decodeJwt(await createAttestationIssuer().issue(request));
    expect(iat).toBeGreaterThanOrEqual(before);
    expect(exp).toBe((iat ?? 0) + 3600);
  });

  it('lays overrides over header and claims, undefined removing a member', async () => {
    const jwt = await createAttestationIssuer({ clock: () => NOW }).issue({
      ...request,
      claims: { jti: undefined, nbf: NOW },
      header: { kid: undefined, typ: 'JWT' },
    });
    expect(decodeProtectedHeader(jwt)).toEqual({ alg: 'ES256', typ: 'JWT' });
    expect(decodeJwt(jwt)).toEqual({ sub: APP_ID, iat: NOW, exp: NOW + 3600, nbf: NOW, cnf: { jwk: instanceKey } });
  });
});
