import { randomBytes } from 'node:crypto';
import { TabError } from '../errors/tab-error.js';
import { sha256OfField } from '../token/digest.js';
import type { TrustProvenance } from '../trust/trust-context.js';
import type { BoundSession } from './binding.types.js';

/** Seconds that a session lasts unless `ttl` says otherwise: 12 hours. */
export const DEFAULT_SESSION_TTL = 12 * 3600;

/** What a session is bound to, besides the instance that asked for it. */
export interface SessionStart {
  /** The user, as the application names it. Must just have been authenticated in this very request. */
  readonly subject: string;
  /** The credential that the application issues with the session; later requests must carry it. Required where no `credential` verifier is configured. */
  readonly credential?: string;
  /** Seconds; default 12 hours. */
  readonly ttl?: number;
}

/** By what a session names a credential: hashed as the header value in which the client will send it, one octet a character. */
export function credentialHashOf(credential: string): string {
  return sha256OfField(credential);
}

/**
 * Ensures that a session may start this way.
 *
 * @param verifiesCredentials whether a credential verifier is configured; without one, only named credentials can belong to a session
 * @throws TypeError for calls that cannot be right; TabError `invalid_session` for a credential found on the request
 */
export function checkSessionStart(
  { subject, credential, ttl }: SessionStart,
  provenance: TrustProvenance,
  verifiesCredentials: boolean,
): void {
  if (typeof subject !== 'string' || subject === '' || subject.length > 255)
    throw new TypeError('TabSessions.bind: subject must be 1 to 255 characters');
  if (ttl !== undefined && (!Number.isSafeInteger(ttl) || ttl <= 0))
    throw new TypeError('TabSessions.bind: ttl must be seconds, a whole number above 0');
  if (credential === '' || (credential === undefined && !verifiesCredentials)) {
    throw new TypeError(
      'TabSessions.bind: name the credential that you issue, or configure `credential` to verify credentials',
    );
  }
  if (!provenance.challenged)
    throw new TypeError("TabSessions.bind: the route must ask for a challenge (challenge: 'recent' or 'single-use')");
  // Presenting an access token is not authentication: whoever stole it could bind it to an instance of their own.
  if (credential !== undefined && credentialHashOf(credential) === provenance.credentialHash) {
    throw new TabError('invalid_session', 'a credential found on the request cannot start a session');
  }
}

/** A session that starts at `now` (seconds), with a `sid` of 192 random bits. */
export function newSession(instanceId: string, start: SessionStart, now: number): BoundSession {
  const { subject, credential, ttl = DEFAULT_SESSION_TTL } = start;
  return {
    id: randomBytes(24).toString('base64url'),
    instanceId,
    subject,
    credentialHash: credential === undefined ? null : credentialHashOf(credential),
    previousCredentialHash: null,
    previousValidUntil: null,
    createdAt: now,
    expiresAt: now + ttl,
    endedAt: null,
    endReason: null,
  };
}
