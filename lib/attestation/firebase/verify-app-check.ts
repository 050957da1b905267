import type { JSONWebKeySet } from 'jose';
import type { JsonObject } from '../../token/json.js';
import { AttestationError } from '../attestation-error.js';
import { localJwks, type JwksSource, type KeyHint } from '../jose/jwks-source.js';
import { Members, timeFault } from '../jose/members.js';
import { checkHeader, parseSignedJwt, verifySignedJwt } from '../jose/signed-jwt.js';
import type { FirebaseAppCheckCheck, FirebaseAppCheckVerdict, FirebaseProject } from './firebase.types.js';

/** Longest token accepted, in characters. */
const TOKEN_MAX_LENGTH = 8192;
/** Firebase signs with nothing else. */
const ALGORITHMS: ReadonlySet<string> = new Set(['RS256']);
const ISSUER = 'https://firebaseappcheck.googleapis.com';
const DEBUG_PROVIDER = 'debug';

/** Refuses the token. `detail` never quotes it. */
export function reject(check: FirebaseAppCheckCheck, detail: string): never {
  throw new AttestationError(check, detail);
}

/** Whose tokens are accepted, ready to compare. */
export interface ExpectedProject {
  readonly issuer: string;
  readonly audience: string;
  readonly appIds: ReadonlySet<string>;
  readonly allowDebug: boolean;
}

export function expectedProject(project: FirebaseProject): ExpectedProject {
  const { projectId, projectNumber, appId, allowDebug = false } = project;
  return {
    issuer: `${ISSUER}/${projectNumber}`,
    audience: `projects/${projectId}`,
    appIds: new Set(typeof appId === 'string' ? [appId] : appId),
    allowDebug,
  };
}

/** A token whose claims are good, if it is Firebase who signed them. */
export interface UnverifiedToken {
  readonly token: string;
  readonly hint: KeyHint;
}

/**
 * Every check that needs no key.
 *
 * @throws AttestationError with a `FirebaseAppCheckCheck`
 */
export function examineToken(value: unknown, expected: ExpectedProject, now: number): UnverifiedToken {
  const { jwt, header, claims } = parseSignedJwt(value, TOKEN_MAX_LENGTH);
  const hint = checkHeader(header, 'JWT', ALGORITHMS);
  // Firebase publishes several keys: one that is not named is never searched for.
  if (hint.kid === undefined) reject('header', 'kid is absent');
  appraise(claims, expected, now);
  return { token: jwt, hint };
}

/** Verifies the signature and judges what was signed. @throws AttestationError; TabError `store_unavailable` */
export async function verifyToken(
  { token, hint }: UnverifiedToken,
  keys: JwksSource,
  expected: ExpectedProject,
  now: number,
): Promise<FirebaseAppCheckVerdict> {
  return appraise(await verifySignedJwt(token, hint, keys), expected, now);
}

function appraise(payload: JsonObject, expected: ExpectedProject, now: number): FirebaseAppCheckVerdict {
  const claims = new Members(payload, (detail) => reject('claims', detail));
  // Ensures that the project made it: all projects share one set of keys, so the whole `iss` counts.
  if (claims.text('iss') !== expected.issuer) reject('issuer', 'iss is not that of the project');
  // Ensures that it was made for the project.
  if (!claims.audience().includes(expected.audience)) reject('audience', 'aud does not name the project');
  // Ensures that another app of the same project is of no use here.
  const appId = claims.text('sub');
  if (!expected.appIds.has(appId)) reject('subject', 'sub is not a configured app id');
  const [iat, nbf, exp] = [claims.optionalTime('iat'), claims.optionalTime('nbf'), claims.time('exp')];
  // Ensures that it is valid now.
  const fault = timeFault({ iat, nbf, exp }, now);
  if (fault !== undefined) reject('time', fault);
  const provider = claims.optionalText('provider');
  // Ensures that a device was attested, not the knowledge of a developer's secret.
  if (provider === DEBUG_PROVIDER && !expected.allowDebug) reject('provider', 'made by the debug provider');
  return { appId, provider, jti: jtiOf(claims), issuedAt: iat, expiresAt: Math.floor(exp) };
}

function jtiOf(claims: Members): string | undefined {
  const jti = claims.optionalText('jti');
  // An empty id would be the same for all tokens.
  return jti === '' ? reject('claims', 'jti is empty') : jti;
}

/** What `verifyFirebaseAppCheck` is given. */
export interface VerifyFirebaseAppCheck extends FirebaseProject {
  /** The token, as the app sent it. */
  readonly token: unknown;
  /** Firebase's public keys. */
  readonly jwks: JSONWebKeySet;
  /** When to judge validity; default now. */
  readonly now?: Date;
}

/**
 * Verifies a Firebase App Check token with keys at hand, without any network. It does not say whether the token was used
 * before.
 *
 * @throws AttestationError with a `FirebaseAppCheckCheck`; TabConfigError when the keys cannot be used
 */
export async function verifyFirebaseAppCheck(input: VerifyFirebaseAppCheck): Promise<FirebaseAppCheckVerdict> {
  const { token, jwks, now = new Date() } = input;
  const seconds = Math.floor(now.getTime() / 1000);
  const expected = expectedProject(input);
  const keys = localJwks(jwks, 'verifyFirebaseAppCheck: jwks');
  return verifyToken(examineToken(token, expected, seconds), keys, expected, seconds);
}
