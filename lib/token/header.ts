import { TabError } from '../errors/tab-error.js';
import { isBase64url } from './base64url.js';
import { ENROL_TOKEN_TYPE, TOKEN_TYPE, type TabAlgorithm } from './claims.types.js';
import { isJsonObject, type JsonObject } from './json.js';
import { PROOF_KEY_ALGORITHM, readProofKeyId, type ProofKeyId } from './proof-key-id.js';

/** The header of a request token that the instance key signed. */
export interface SignedTokenHeader {
  readonly alg: TabAlgorithm;
  /** The instance id. */
  readonly kid: string;
}

/** The header of a request token under a proof key. */
export interface MacTokenHeader {
  readonly alg: typeof PROOF_KEY_ALGORITHM;
  /** Names the instance and the proof key. */
  readonly kid: string;
  readonly proofKey: ProofKeyId;
}

/** The header of a request token; `alg` tells which. */
export type TokenHeader = SignedTokenHeader | MacTokenHeader;

/** The header of an enrolment token. */
export interface EnrolTokenHeader {
  readonly alg: TabAlgorithm;
  readonly jwk: JsonObject;
}

/** Members that could make a verifier use a key or a rule of the sender's choice (RFC 8725 sections 3.9 and 3.10). */
const REFUSED_MEMBERS = ['jku', 'x5c', 'x5u', 'crit', 'b64'] as const;

/** Wire names to algorithms; RFC 9864 calls EdDSA with Ed25519 `Ed25519`. */
const WIRE_NAMES: ReadonlyMap<string, TabAlgorithm> = new Map([
  ['ES256', 'ES256'],
  ['ES384', 'ES384'],
  ['EdDSA', 'EdDSA'],
  ['Ed25519', 'EdDSA'],
  ['PS256', 'PS256'],
  ['RS256', 'RS256'],
]);

/** Length of a `kid`: an RFC 7638 SHA-256 thumbprint in base64url. */
export const INSTANCE_ID_LENGTH = 43;

function refuseMembers(header: JsonObject, names: readonly string[]): void {
  for (const name of names) {
    if (Object.hasOwn(header, name)) throw new TabError('malformed_token', `header member ${name} is refused`);
  }
}

function checkType(header: JsonObject, expected: string): void {
  if (header.typ !== expected) throw new TabError('malformed_token', `typ is not ${expected}`);
}

function readAlgorithm(header: JsonObject, allowed: ReadonlySet<TabAlgorithm>): TabAlgorithm {
  if (typeof header.alg !== 'string') throw new TabError('malformed_token', 'alg is not a string');
  const alg = WIRE_NAMES.get(header.alg);
  if (alg === undefined || !allowed.has(alg))
    throw new TabError('unsupported_alg', 'alg is not a configured algorithm');
  return alg;
}

function readInstanceId(header: JsonObject): string {
  const { kid } = header;
  if (typeof kid !== 'string' || kid.length !== INSTANCE_ID_LENGTH || !isBase64url(kid)) {
    throw new TabError('malformed_token', 'kid is not an instance id');
  }
  return kid;
}

/** Reads a `kid` under HS256. @throws TabError `unsupported_alg` when it is an instance id: no instance key is a MAC key */
function readMacHeader(header: JsonObject): MacTokenHeader {
  const proofKey = typeof header.kid === 'string' ? readProofKeyId(header.kid) : undefined;
  if (proofKey !== undefined) return { alg: PROOF_KEY_ALGORITHM, kid: proofKey.text, proofKey };
  readInstanceId(header);
  throw new TabError('unsupported_alg', 'alg is for proof keys only');
}

/**
 * Reads the header of a request token (PROTOCOL section 2); members it does not know are ignored.
 *
 * @param proofKeys whether tokens under proof keys are taken (PROTOCOL section 10); default false
 */
export function readTokenHeader(
  header: JsonObject,
  allowed: ReadonlySet<TabAlgorithm>,
  proofKeys = false,
): TokenHeader {
  checkType(header, TOKEN_TYPE);
  refuseMembers(header, ['jwk', ...REFUSED_MEMBERS]);
  if (proofKeys && header.alg === PROOF_KEY_ALGORITHM) return readMacHeader(header);
  const alg = readAlgorithm(header, allowed);
  // Ensures that HS256 is the only algorithm of a `kid` that names a proof key.
  if (proofKeys && typeof header.kid === 'string' && readProofKeyId(header.kid) !== undefined)
    throw new TabError('unsupported_alg', 'alg is not that of proof keys');
  return { alg, kid: readInstanceId(header) };
}

/** The instance that a token claims to be of. */
export function instanceIdOf(header: TokenHeader): string {
  return header.alg === PROOF_KEY_ALGORITHM ? header.proofKey.instanceId : header.kid;
}

/** Reads the header of an enrolment token: the key itself instead of its id (PROTOCOL section 5). */
export function readEnrolTokenHeader(header: JsonObject, allowed: ReadonlySet<TabAlgorithm>): EnrolTokenHeader {
  checkType(header, ENROL_TOKEN_TYPE);
  refuseMembers(header, REFUSED_MEMBERS);
  if (!isJsonObject(header.jwk)) throw new TabError('malformed_token', 'header member jwk is missing');
  return { alg: readAlgorithm(header, allowed), jwk: header.jwk };
}
