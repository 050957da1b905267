import { sha256 } from '../../token/digest.js';
import type { JsonObject } from '../../token/json.js';

/** The members that make a thumbprint, in lexicographic order (RFC 7638 section 3.2, RFC 8037 section 2). */
const THUMBPRINT_MEMBERS: ReadonlyMap<unknown, readonly string[]> = new Map([
  ['EC', ['crv', 'kty', 'x', 'y']],
  ['OKP', ['crv', 'kty', 'x']],
  ['RSA', ['e', 'kty', 'n']],
]);

/**
 * The RFC 7638 SHA-256 thumbprint of a JWK, taken over its members as written: another spelling of the same key has
 * another thumbprint.
 *
 * @returns undefined when the key type is not EC, OKP or RSA, or a member is missing or not a string
 */
export function jwkThumbprint(jwk: JsonObject): string | undefined {
  const members = THUMBPRINT_MEMBERS.get(jwk['kty']);
  if (members === undefined) return undefined;
  if (!members.every((member) => Object.hasOwn(jwk, member) && typeof jwk[member] === 'string')) return undefined;
  return sha256(JSON.stringify(Object.fromEntries(members.map((member) => [member, jwk[member]]))));
}
