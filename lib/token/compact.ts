import { TabError } from '../errors/tab-error.js';
import { decodeBase64url } from './base64url.js';
import { TOKEN_MAX_BYTES } from './claims.types.js';
import { parseJsonObject, type JsonObject } from './json.js';

/** A signature and what it is of. */
export interface SignedOctets {
  readonly signature: Buffer;
  /** The octets that were signed: first and second segment with the dot, ASCII. */
  readonly signingInput: Buffer;
}

/** A JWS in compact form, taken apart and not yet trusted in any way (RFC 7515 section 7.1). */
export interface CompactToken extends SignedOctets {
  readonly header: JsonObject;
  readonly payload: JsonObject;
}

const TOKEN_CHARACTERS = /^[A-Za-z0-9_.-]+$/;

function malformed(detail: string): TabError {
  return new TabError('malformed_token', detail);
}

/** Ensures that there is exactly one token, of a size and alphabet that a token can have. */
export function takeToken(values: readonly string[]): string {
  const [token] = values;
  if (token === undefined || (token === '' && values.length === 1))
    throw new TabError('missing_token', 'no TAB-Token header');
  if (values.length > 1) throw malformed('more than one TAB-Token header');
  if (token.length > TOKEN_MAX_BYTES) throw malformed(`token longer than ${TOKEN_MAX_BYTES} octets`);
  if (!TOKEN_CHARACTERS.test(token)) throw malformed('character outside the token alphabet');
  return token;
}

/** Decodes a segment that is a JSON object; `name` is for the error. */
export function decodeObject(segment: string, name: string): JsonObject {
  const octets = decodeBase64url(segment);
  if (octets === undefined) throw malformed(`${name} is not canonical base64url`);
  const object = parseJsonObject(octets);
  if (object === undefined) throw malformed(`${name} is not a JSON object`);
  return object;
}

/** A JWS in compact form, of which only the signature has been decoded. */
export interface CompactSegments extends SignedOctets {
  readonly header: string;
  readonly payload: string;
}

/** Takes a compact JWS apart: three segments, of which the last is canonical. */
export function splitCompact(token: string): CompactSegments {
  const segments = token.split('.', 4);
  const [header, payload, signature] = segments;
  if (segments.length !== 3 || !header || !payload || !signature) throw malformed('not a JWS of three segments');
  const signatureOctets = decodeBase64url(signature);
  if (signatureOctets === undefined) throw malformed('signature is not canonical base64url');
  const signingInput = Buffer.from(token.slice(0, header.length + payload.length + 1), 'latin1');
  return { header, payload, signature: signatureOctets, signingInput };
}

/** Takes a compact JWS apart: three canonical segments, of which two are JSON objects. */
export function parseCompact(token: string): CompactToken {
  const { header, payload, ...octets } = splitCompact(token);
  return { header: decodeObject(header, 'header'), payload: decodeObject(payload, 'payload'), ...octets };
}
