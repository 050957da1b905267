import { generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto';
import { SignJWT, type JSONWebKeySet, type JWK, type JWTPayload } from 'jose';
import type { PublicJwk } from '../token/claims.types.js';
import { p256Jwk } from './ec-jwk.js';

/** Options of `createAttestationIssuer`. */
export interface AttestationIssuerOptions {
  /** The `iss` of its attestations; default none, as in the draft's examples. */
  readonly iss?: string;
  /** Seconds since the epoch; default the system clock. */
  readonly clock?: () => number;
  /** The `kid` of its key; default a random one. */
  readonly kid?: string;
}

/** What to attest. */
export interface AttestationRequest {
  /** The client id, for TAB the app id unless configured otherwise. */
  readonly sub: string;
  /** The instance public key, put into `cnf.jwk` as given. */
  readonly publicKey: PublicJwk | JWK;
  /** Life in seconds; default 3600. */
  readonly expiresIn?: number;
  /** Laid over the claims; undefined removes one. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** Laid over the protected header; undefined removes a member. */
  readonly header?: Readonly<Record<string, unknown>>;
}

/** A Client Attester for tests: one ES256 key, made for it. */
export interface AttestationIssuer {
  /** Its public key set, as `jwks` of an issuer in the options of `clientAttestation`. */
  readonly jwks: JSONWebKeySet;
  /** For tests that forge. */
  readonly privateKey: KeyObject;
  /** Makes an `oauth-client-attestation+jwt`. Rejects what jose refuses to sign, such as an unknown `crit`. */
  issue(request: AttestationRequest): Promise<string>;
}

/**
 * Makes a Client Attester of draft-ietf-oauth-attestation-based-client-auth with a key of its own.
 *
 * @example
 * const issuer = createAttestationIssuer();
 * const attester = clientAttestation({ issuers: [{ jwks: issuer.jwks }] });
 * const jwt = await issuer.issue({ sub: 'bank.android', publicKey });
 */
export function createAttestationIssuer(options: AttestationIssuerOptions = {}): AttestationIssuer {
  const { iss, clock = systemClock, kid = randomUUID() } = options;
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk: JWK = { ...p256Jwk(publicKey), kid, alg: 'ES256', use: 'sig' };
  return {
    jwks: { keys: [jwk] },
    privateKey,
    issue: ({ sub, publicKey: attested, expiresIn = 3600, claims = {}, header = {} }) => {
      const iat = clock();
      const payload: JWTPayload = {
        iss,
        sub,
        iat,
        exp: iat + expiresIn,
        jti: randomUUID(),
        cnf: { jwk: attested },
        ...claims,
      };
      const protectedHeader = { typ: 'oauth-client-attestation+jwt', alg: 'ES256', kid, ...header };
      return new SignJWT(payload).setProtectedHeader(protectedHeader).sign(privateKey);
    },
  };
}

function systemClock(): number {
  return Math.floor(Date.now() / 1000);
}
