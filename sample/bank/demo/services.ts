import { randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair, SignJWT, type JSONWebKeySet, type JWTPayload } from 'jose';
import type { ClientAttester } from 'nestjs-tab/defender';
import { ATTESTED_APP, BANK_AUDIENCE } from '../tab-options.js';

/** A service that the bank trusts, with a key that only it has. */
export interface TrustedService {
  /** What the bank is told about it. */
  readonly jwks: JSONWebKeySet;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  sign(typ: string, claims: JWTPayload): Promise<string>;
}

/** The `iss` of the identity provider. */
export const IDENTITY_PROVIDER = 'https://idp.example';

/** Seconds that an attestation lasts. */
const ATTESTATION_LIFETIME = 3600;
const SESSION_REVOKED = 'https://schemas.openid.net/secevent/caep/event-type/session-revoked';

/** A service with a new ES256 key. */
export async function createService(clock: () => number): Promise<TrustedService> {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const kid = randomUUID();
  return {
    jwks: { keys: [{ ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' }] },
    clock,
    sign: (typ, claims) => new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid, typ }).sign(privateKey),
  };
}

/**
 * Attests whatever asks: this one looks at nothing, a real one looks at the device first. What is signed is which app it is
 * and which key is its own.
 */
export function attesterBy(service: TrustedService): ClientAttester {
  return {
    format: 'client-attestation',
    attest: async ({ publicKey }) => {
      const iat = secondsOf(service);
      const claims = { sub: ATTESTED_APP.id, iat, exp: iat + ATTESTATION_LIFETIME, cnf: { jwk: publicKey } };
      return { jwt: await service.sign('oauth-client-attestation+jwt', claims) };
    },
  };
}

/** The event by which an identity provider says that a session has ended (RFC 8417, CAEP 1.0). */
export function sessionRevokedEvent(service: TrustedService, sessionId: string): Promise<string> {
  return service.sign('secevent+jwt', {
    iss: IDENTITY_PROVIDER,
    aud: BANK_AUDIENCE,
    iat: secondsOf(service),
    jti: randomUUID(),
    sub_id: { format: 'opaque', id: sessionId },
    events: { [SESSION_REVOKED]: { event_timestamp: secondsOf(service) } },
  });
}

function secondsOf({ clock }: TrustedService): number {
  return Math.floor(clock() / 1000);
}
