import { TabError } from '../errors/tab-error.js';
import type { TabClaims } from './claims.types.js';
import { sha256OfField } from './digest.js';
import type { HeaderFields } from './request.js';

/** The credential of a request: an access token, API key or session cookie. */
export interface RequestCredential {
  /** The secret itself: never logged, stored or put into an error. */
  readonly value: string;
  /** `b64u(SHA-256(value))`, by which sessions name it. */
  readonly hash: string;
}

/** `credentials` of RFC 9110 section 11.4: a scheme, spaces, and the rest. */
const AUTHORIZATION = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+ +(\S.*)$/;

function mismatch(detail: string): TabError {
  return new TabError('request_mismatch', detail);
}

/** What follows scheme and spaces in the single Authorization header. */
function fromAuthorization(headers: HeaderFields): string | undefined {
  const [value, ...more] = headers.values('authorization');
  if (more.length > 0) throw mismatch('more than one Authorization header');
  if (value === undefined || value === '') return undefined;
  const credential = AUTHORIZATION.exec(value)?.[1];
  if (credential === undefined) throw mismatch('Authorization header without a credential');
  return credential;
}

/** The raw value of the named cookie (RFC 6265 section 4.2). */
function fromCookie(headers: HeaderFields, name: string): string | undefined {
  const found: string[] = [];
  for (const pair of headers.values('cookie').flatMap((value) => value.split(';'))) {
    const equals = pair.indexOf('=');
    if (equals !== -1 && pair.slice(0, equals).trim() === name) found.push(pair.slice(equals + 1).trim());
  }
  if (found.length > 1) throw mismatch('the credential cookie occurs more than once');
  return found[0] || undefined;
}

/**
 * Finds the credential of a request. Two of them are refused: we could not know which one the application goes by.
 *
 * @param cookie name of the cookie that holds a credential, if one does
 */
export function findCredential(headers: HeaderFields, cookie?: string): RequestCredential | undefined {
  const authorization = fromAuthorization(headers);
  const cookieValue = cookie === undefined ? undefined : fromCookie(headers, cookie);
  if (authorization !== undefined && cookieValue !== undefined)
    throw mismatch('both an Authorization header and a credential cookie');
  const value = authorization ?? cookieValue;
  return value === undefined ? undefined : { value, hash: sha256OfField(value) };
}

/** Ensures that the client knew the credential when it made the token; whose credential it is, this does not show. */
export function checkCredentialHash(claims: TabClaims, credential: RequestCredential | undefined): void {
  if (claims.ath !== credential?.hash) throw mismatch('ath is not of the credential');
}
