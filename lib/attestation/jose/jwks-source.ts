import { createPublicKey, type JsonWebKeyInput, type KeyObject } from 'node:crypto';
import { createLocalJWKSet, errors, type CryptoKey, type JSONWebKeySet, type JWSHeaderParameters } from 'jose';
import { TabConfigError } from '../../errors/tab-error.js';
import { isJsonObject, type JsonObject } from '../../token/json.js';
import { hasPrivateMembers } from '../../token/jwk.js';

/** What a JWS header says about its key. */
export interface KeyHint {
  readonly alg: string;
  readonly kid?: string;
}

/** Where the public keys of one issuer come from. */
export interface JwksSource {
  /** Whether it is certain, without asking anybody, that no key fits. */
  excludes(hint: KeyHint): boolean;
  /**
   * The keys that fit, at most `MAX_CANDIDATES`; none is an empty list.
   *
   * @throws TabError `store_unavailable` when the keys cannot be had
   */
  find(hint: KeyHint): Promise<readonly CryptoKey[]>;
}

/** Most keys tried for one signature, for issuers that name no `kid`. */
export const MAX_CANDIDATES = 8;
/** Most keys in one set. */
export const MAX_KEYS = 100;

/** Whether a value has the form of a key set (RFC 7517 section 5), of a size that is looked at. */
export function isKeySet(value: unknown): value is JSONWebKeySet {
  if (!isJsonObject(value) || !Array.isArray(value['keys'])) return false;
  return value['keys'].length <= MAX_KEYS && value['keys'].every(isJsonObject);
}

/** Asks a jose key set for all keys that fit, in place of its refusal when there are several. */
export async function candidateKeys(
  keySet: (header: JWSHeaderParameters) => Promise<CryptoKey>,
  hint: KeyHint,
): Promise<CryptoKey[]> {
  try {
    return [await keySet({ ...hint })];
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey) return [];
    if (error instanceof errors.JWKSMultipleMatchingKeys) return firstOf(error);
    throw error;
  }
}

async function firstOf(keys: AsyncIterable<CryptoKey>): Promise<CryptoKey[]> {
  const found: CryptoKey[] = [];
  for await (const key of keys) {
    found.push(key);
    if (found.length === MAX_CANDIDATES) break;
  }
  return found;
}

/** RFC 7518 section 3.3. */
const RSA_MIN_BITS = 2048;
/** Key types that the configured algorithms can use; others in a set are left alone. */
const USABLE_TYPES: readonly unknown[] = ['EC', 'OKP', 'RSA'];

function checkLocalKey(jwk: JsonObject, where: string): void {
  if (jwk['kty'] === 'oct' || hasPrivateMembers(jwk)) {
    throw new TabConfigError(`${where} holds private or symmetric key material: give the public key only`);
  }
  if (!USABLE_TYPES.includes(jwk['kty'])) return;
  const key = importKey(jwk);
  if (key === undefined) {
    throw new TabConfigError(`${where} is not a public key that can be imported: copy it from the issuer again`);
  }
  const { modulusLength = RSA_MIN_BITS } = key.asymmetricKeyDetails ?? {};
  if (modulusLength < RSA_MIN_BITS)
    throw new TabConfigError(`${where} is an RSA key of fewer than ${RSA_MIN_BITS} bits`);
}

function importKey(jwk: JsonObject): KeyObject | undefined {
  try {
    return createPublicKey({ key: jwk as JsonWebKeyInput['key'], format: 'jwk' });
  } catch {
    return undefined;
  }
}

/**
 * Keys given in the configuration.
 *
 * @param where names the option in error messages
 * @throws TabConfigError when the set is malformed, holds private keys, or has no key that could verify anything
 */
export function localJwks(jwks: JSONWebKeySet, where: string): JwksSource {
  if (!isKeySet(jwks))
    throw new TabConfigError(`${where} must be { keys: [...] } with at most ${MAX_KEYS} public JWKs`);
  const keys: readonly JsonObject[] = jwks.keys.map((jwk) => ({ ...jwk }));
  keys.forEach((jwk, index) => checkLocalKey(jwk, `${where}.keys[${index}]`));
  if (!keys.some((jwk) => USABLE_TYPES.includes(jwk['kty']))) {
    throw new TabConfigError(`${where} has no EC, OKP or RSA key: give at least one public key of the issuer`);
  }
  const keySet = createLocalJWKSet(jwks);
  const kids = new Set(keys.map((jwk) => jwk['kid']));
  return {
    excludes: ({ kid }) => kid !== undefined && !kids.has(kid),
    find: (hint) => candidateKeys(keySet, hint),
  };
}
