import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { calculateJwkThumbprint, type JWK } from 'jose';
import type { AttestationInput, AttestationResult, Attester } from '../../../lib/attestation/attester.js';
import { clientAttestation } from '../../../lib/attestation/client-attestation/client-attestation.js';
import type {
  ClientAttestationIssuer,
  ClientAttestationOptions,
} from '../../../lib/attestation/client-attestation/client-attestation.types.js';
import { createAttestationIssuer, type AttestationRequest } from '../../../lib/testing/attestation-issuer.js';
import type { PublicJwk } from '../../../lib/token/claims.types.js';

export const NOW = 1_800_000_000;
export const APP_ID = 'bank.android';
export const KID = 'issuer-key-1';

export function newInstanceKey(): PublicJwk {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return publicKey.export({ format: 'jwk' }) as PublicJwk;
}

export const instanceKey = newInstanceKey();
export const thumbprint = await calculateJwkThumbprint(instanceKey as JWK);
export const issuer = createAttestationIssuer({ clock: () => NOW, kid: KID });

/** An attester that trusts `issuer`, with its keys in the configuration. */
export function attesterWith(
  options: Partial<ClientAttestationOptions> = {},
  issuerOptions: Partial<ClientAttestationIssuer> = {},
): Attester {
  return clientAttestation({ issuers: [{ jwks: issuer.jwks, ...issuerOptions }], ...options });
}

/** A valid attestation of the instance key. */
export function issue(overrides: Partial<AttestationRequest> = {}): Promise<string> {
  return issuer.issue({ sub: APP_ID, publicKey: instanceKey, ...overrides });
}

export function inputOf(jwt: unknown, overrides: Partial<AttestationInput> = {}): AttestationInput {
  return {
    statement: { jwt },
    publicKey: instanceKey,
    thumbprint,
    app: { id: APP_ID, ver: '1.0.0', platform: 'android' },
    challenge: 'challenge-of-the-enrolment',
    keylessBinding: new Uint8Array(32),
    binding: new Uint8Array(32),
    now: NOW,
    ...overrides,
  };
}

export type Outcome = { result: AttestationResult } | { stage: 'examine' | 'finish'; error: unknown };

/** Runs both parts of the check and says where it ended. */
export async function attempt(attester: Attester, input: AttestationInput): Promise<Outcome> {
  let stage: 'examine' | 'finish' = 'examine';
  try {
    const finish = attester.examine(input);
    stage = 'finish';
    return { result: await finish() };
  } catch (error) {
    return { stage, error };
  }
}

function segment(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
}

export const VALID_HEADER = { typ: 'oauth-client-attestation+jwt', alg: 'ES256', kid: KID };

export function validClaims(): Record<string, unknown> {
  return { sub: APP_ID, iat: NOW, exp: NOW + 3600, jti: 'attestation-1', cnf: { jwk: instanceKey } };
}

/** Signs whatever it is given with ES256, text as it is; the issuer's key unless another is named. */
export function forge(header: unknown, claims: unknown, key: KeyObject = issuer.privateKey): string {
  const input = `${segment(header)}.${segment(claims)}`;
  return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}
