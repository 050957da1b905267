import { TabError } from '../errors/tab-error.js';
import type { TabClaims } from './claims.types.js';
import { sha256, sha256OfField } from './digest.js';
import { isTargetUri, type Origin } from './origins.js';
import type { HeaderFields, TabRequest } from './request.js';
import type { RequestTarget } from './target.js';

function mismatch(detail: string): TabError {
  return new TabError('request_mismatch', detail);
}

/** Ensures that the token is for the method on the wire, and that nothing chose the handler by another method. */
export function checkMethod(claims: TabClaims, request: TabRequest): void {
  if (claims.htm !== request.method) throw mismatch('htm is not the method');
  if (request.handlerMethod !== request.method)
    throw mismatch('the handler was chosen by another method than the one sent');
}

/** Ensures that the token is for this origin and path. */
export function checkTargetUri(claims: TabClaims, origin: Origin, target: RequestTarget): void {
  if (!isTargetUri(claims.htu, origin, target.path)) throw mismatch('htu is not the target');
}

/** Ensures that the token is for this query; absent exactly when there is none. */
export function checkQuery(claims: TabClaims, target: RequestTarget): void {
  const expected = target.query === '' ? undefined : sha256(target.query);
  if (claims.qsh !== expected) throw mismatch('qsh is not of the query');
}

/** Ensures that the content is not an encoded form, of which the octets we hold might not be those that were sent. */
export function checkContentEncoding(headers: HeaderFields): void {
  for (const value of headers.values('content-encoding')) {
    if (value.trim().toLowerCase() !== 'identity') throw mismatch('content has a content coding');
  }
}

/**
 * Ensures that `bh` is there exactly when there is content, and that we hold the octets to check it against.
 *
 * @param bound whether the policy binds bodies; where it does not, a client may still send `bh`
 */
export function checkContentPresence(claims: TabClaims, request: TabRequest, bound: boolean): void {
  const hasContent = request.content.kind !== 'none';
  if (claims.bh !== undefined && !hasContent) throw mismatch('bh without content');
  if (!bound) return;
  if (claims.bh === undefined && hasContent) throw mismatch('content without bh');
  if (request.content.kind === 'unavailable') throw mismatch('the octets of the content are not available');
}

/** `type/subtype` of the Content-Type in lower case, or undefined without one; an empty field names none. */
function mediaType(headers: HeaderFields): string | undefined {
  const values = headers.values('content-type');
  if (values.length > 1) throw mismatch('more than one Content-Type');
  return values[0]?.split(';', 1)[0]?.trim().toLowerCase() || undefined;
}

/** Parameters as every parser reads them: plain names, plain values, no escapes. */
const PARAMETERS = /^(?:[ \t]*;[ \t]*[a-z0-9-]+=(?:[a-z0-9!#$%&'*+.^_`|~-]+|"[^"\\]*"))*[ \t]*$/i;
const PARAMETER = /;[ \t]*([a-z0-9-]+)=(?:"([^"]*)"|([^;" \t]+))/gi;

/** Whether a parameter could make a parser find something else in the same octets. */
function changesMeaning(name: string, value: string): boolean {
  return (name === 'charset' && value.toLowerCase() !== 'utf-8') || name === 'boundary';
}

/**
 * Ensures that no parameter makes the application read the signed octets as something else: a parser that believes
 * `charset=utf-7` finds other JSON in them. A client that needs such a parameter binds `content-type` itself in `hd`.
 */
function checkContentParameters(claims: TabClaims, headers: HeaderFields): void {
  if (claims.hd !== undefined && Object.hasOwn(claims.hd, 'content-type')) return;
  const [value = ''] = headers.values('content-type');
  const semicolon = value.indexOf(';');
  if (semicolon === -1) return;
  const parameters = value.slice(semicolon);
  if (!PARAMETERS.test(parameters)) throw mismatch('Content-Type has parameters that parsers may read differently');
  const names = new Set<string>();
  for (const [, name = '', quoted, plain = ''] of parameters.matchAll(PARAMETER)) {
    const lower = name.toLowerCase();
    if (names.has(lower) || changesMeaning(lower, quoted ?? plain)) {
      throw mismatch('Content-Type has a parameter that is not bound');
    }
    names.add(lower);
  }
}

/**
 * Ensures that the content is taken as the type it was signed as: `ct` is there exactly when `bh` is and there is a
 * Content-Type.
 *
 * @param bound whether the policy binds bodies; a body that is not bound, such as an upload, may have any parameters
 */
export function checkContentType(claims: TabClaims, headers: HeaderFields, bound: boolean): void {
  const expected = claims.bh === undefined ? undefined : mediaType(headers);
  if (claims.ct !== expected) throw mismatch('ct is not the content type');
  if (bound && claims.bh !== undefined) checkContentParameters(claims, headers);
}

/** Ensures that the content is the one that was signed. Done after the signature, since hashing a body costs. */
export function checkContentHash(claims: TabClaims, request: TabRequest): void {
  if (claims.bh === undefined || request.content.kind !== 'octets') return;
  if (claims.bh !== sha256(request.content.octets)) throw mismatch('bh is not of the content');
}

/** Headers that are looked for one by one; more are looked up. */
const FEW_HEADERS = 4;

/** Ensures that every named header, and every header that the policy names, occurs once and is as it was signed. */
export function checkBoundHeaders(claims: TabClaims, headers: HeaderFields, required: readonly string[]): void {
  for (const name of required) {
    if (claims.hd === undefined || !Object.hasOwn(claims.hd, name))
      throw mismatch('hd lacks a header that the policy names');
  }
  const bound = Object.entries(claims.hd ?? {});
  // This is before the signature: anybody may name many headers, and send many.
  const index = bound.length > FEW_HEADERS ? headers.index() : undefined;
  for (const [name, digest] of bound) {
    const [value, ...more] = index === undefined ? headers.values(name) : (index.get(name) ?? []);
    if (value === undefined || more.length > 0) throw mismatch('a header named in hd does not occur exactly once');
    if (digest !== sha256OfField(value)) throw mismatch('hd is not of the headers');
  }
}
