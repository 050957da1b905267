import { hash } from 'node:crypto';

/** Seconds after `iat` for which a `jti` is kept: a constant of version 1, so that a replay names the same bucket everywhere. */
export const JTI_KEPT = 180;
/** Seconds after its expiry for which a challenge is kept. */
export const CHALLENGE_KEPT = 60;

/** `b64u` of the first 16 octets of SHA-256: fixed size, whatever the client sent (PROTOCOL section 6, claims). */
export function claimKey(text: string): string {
  return hash('sha256', text, 'buffer').toString('base64url', 0, 16);
}

/** The claim key of a token id. It names the instance, so that instances cannot spend each other's ids. */
export function jtiClaimKey(instanceId: string, jti: string): string {
  return claimKey(`jti.${instanceId}.${jti}`);
}

/** Seconds after its own expiry for which the id of an attestation is kept. */
export const ATTESTATION_KEPT = 60;

/** The claim key of an attestation that may be used once, by the id that its issuer gave it. */
export function attestationClaimKey(format: string, issuer: string, id: string): string {
  return claimKey(`attestation.${format}.${issuer}.${id}`);
}

/** The claim key of a challenge. */
export function challengeClaimKey(challenge: string): string {
  return claimKey(`challenge.${challenge}`);
}
