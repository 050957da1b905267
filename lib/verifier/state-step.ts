import type { AppInstance, Bindings, BoundSession } from '../bindings/binding.types.js';
import { TabError } from '../errors/tab-error.js';
import type { TabClaims } from '../token/claims.types.js';
import { NODE_CLOCK_DIFFERENCE } from '../token/clock.js';
import type { RequestCredential } from '../token/credential.js';
import { signatureNeeded } from '../token/signature-needed.js';
import type { TrustRequirement } from '../trust/requirement.js';
import type { CredentialFacts } from './settings.js';
import type { AuthenticToken } from './steps.types.js';

const SESSION_ID = /^[A-Za-z0-9_-]{22,64}$/;

/** The `sid` to look up: one that could be a session id, so that a store is never asked for anything else. */
export function sessionIdOf(claims: TabClaims): string | undefined {
  return claims.sid !== undefined && SESSION_ID.test(claims.sid) ? claims.sid : undefined;
}

/** Ensures that the instance may act: the one that the token is of, enrolled, neither suspended nor revoked, and the same app as enrolled. */
export function checkInstance(
  instance: AppInstance | undefined,
  { claims, instanceId, algorithm, proofIssuedAt }: Omit<AuthenticToken, 'preloaded' | 'proof'>,
): AppInstance {
  if (instance === undefined || instance.id !== instanceId)
    throw new TabError('unknown_instance', 'instance is not enrolled');
  // Ensures that a key that was kept is not used by an algorithm that it is enrolled for no longer.
  if (algorithm !== undefined && algorithm !== instance.algorithm)
    throw new TabError('unsupported_alg', 'alg is not that of the enrolled key');
  if (instance.status === 'suspended') throw new TabError('instance_suspended', 'instance is suspended');
  if (instance.status === 'revoked') throw new TabError('instance_revoked', 'instance is revoked');
  if (instance.appId !== claims.app.id) throw new TabError('request_mismatch', 'app.id is not the enrolled app');
  if (proofIssuedAt !== undefined) checkProofKeyAge(instance, proofIssuedAt);
  return instance;
}

/** Ensures that a recovery leaves behind the proof keys from before it: somebody may have them for whom the instance was suspended. */
function checkProofKeyAge({ createdAt, statusAt }: AppInstance, issuedAt: number): void {
  const hasRecovered = statusAt > createdAt;
  if (hasRecovered && issuedAt + NODE_CLOCK_DIFFERENCE < statusAt)
    throw signatureNeeded('proof key is from before the instance recovered');
}

function invalid(detail: string): TabError {
  return new TabError('invalid_session', detail);
}

/** Ensures that the session exists, lives, and is bound to this instance. */
function checkLife(session: BoundSession | undefined, instance: AppInstance, now: number): BoundSession {
  if (session === undefined) throw invalid('session is unknown');
  if (session.instanceId !== instance.id) throw invalid('session is of another instance');
  if (session.endedAt !== null) throw invalid('session has ended');
  if (now >= session.expiresAt) throw invalid('session has expired');
  return session;
}

/** Whether the session names this credential: its current one, or for a short while the one before (PROTOCOL section 11 a). */
function isNamed(hash: string, session: BoundSession, now: number): boolean {
  if (session.credentialHash === hash) return true;
  return (
    session.previousCredentialHash === hash && session.previousValidUntil !== null && now < session.previousValidUntil
  );
}

/** Ensures that the credential is this session's: named by it, or verified and bound to this instance, or verified and of its subject. */
function checkOwnership(
  session: BoundSession,
  { instance, credential, factsOf, now }: SessionCheck,
): BoundSession | Promise<BoundSession> {
  if (credential === undefined) throw invalid('request has no credential');
  if (isNamed(credential.hash, session, now)) return session;
  return factsOf(credential).then((facts) => {
    if (facts?.jkt !== undefined && facts.jkt === instance.id) return session;
    if (facts?.subject !== undefined && facts.subject === session.subject) return session;
    throw invalid('credential is not of this session');
  });
}

/** Everything that the session part of step 4 looks at. */
export interface SessionCheck {
  readonly bindings: Bindings;
  readonly instance: AppInstance;
  readonly claims: TabClaims;
  readonly credential: RequestCredential | undefined;
  readonly factsOf: (credential: RequestCredential) => Promise<CredentialFacts | undefined>;
  /** Seconds since the epoch. */
  readonly now: number;
}

/**
 * Ensures that the session that the policy asks for is there and is the user's own; undefined where none is asked for. A
 * promise only where the credential has to be verified.
 */
export function checkSession(
  check: SessionCheck,
  requirement: Pick<TrustRequirement, 'session'>,
): BoundSession | undefined | Promise<BoundSession | undefined> {
  if (requirement.session === 'none') return undefined;
  if (check.claims.sid === undefined) {
    if (requirement.session === 'optional') return undefined;
    throw invalid('sid is missing');
  }
  const session = checkLife(check.bindings.session, check.instance, check.now);
  return checkOwnership(session, check);
}
