import { createHash, createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto';
import type { JSONWebKeySet } from 'jose';
import type { JsonObject } from '../../token/json.js';
import { AttestationError } from '../attestation-error.js';
import type { JwksSource, KeyHint } from '../jose/jwks-source.js';
import { Members, timeFault } from '../jose/members.js';
import { OptionChecks } from '../jose/option-checks.js';
import { checkHeader, parseSignedJwt, verifySignedJwt, type UnverifiedJwt } from '../jose/signed-jwt.js';
import type { ApproovCheck, ApproovKeys, ApproovVerdict } from './approov.types.js';

/** Longest token accepted, in characters. */
const TOKEN_MAX_LENGTH = 8192;
/** What the SDK gives in place of a token: one word in capitals. */
const STATUS_WORD = /^[A-Z][A-Z_]{1,63}$/;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
/** RFC 7518 section 3.2. */
const SECRET_MIN_OCTETS = 32;
const MAX_SECRETS = 8;

/** Refuses the token. `detail` never quotes it. */
export function reject(check: ApproovCheck, detail: string): never {
  throw new AttestationError(check, detail);
}

/** What signs the tokens, imported. */
export type SigningKeys =
  { readonly secrets: readonly KeyObject[] } | { readonly jwks: JwksSource; readonly algorithms: ReadonlySet<string> };

/** What the claims are held against. */
export interface ExpectedToken {
  /** The value that the app gave to the SDK to bind. */
  readonly bound: string;
  readonly issuer?: string;
  readonly audience?: string;
  /** Seconds since the epoch. */
  readonly now: number;
}

/** Imports secrets. @throws TabConfigError that says what to write instead; never with a part of a secret */
export function importSecrets(secrets: unknown, checks: OptionChecks): readonly KeyObject[] {
  if (!Array.isArray(secrets) || secrets.length === 0 || secrets.length > MAX_SECRETS)
    return checks.fail(`secrets must list 1-${MAX_SECRETS} base64 texts of the Approov command line`);
  return secrets.map((secret: unknown, index) => {
    const octets = typeof secret === 'string' && BASE64.test(secret) ? Buffer.from(secret, 'base64') : Buffer.alloc(0);
    if (octets.length < SECRET_MIN_OCTETS)
      checks.fail(`secrets[${index}] must be base64 of at least ${SECRET_MIN_OCTETS} octets`);
    return createSecretKey(octets);
  });
}

/**
 * Every check that needs no network; with secrets this includes the signature.
 *
 * @returns what makes the rest
 * @throws AttestationError with an `ApproovCheck`
 */
export function examineToken(
  value: unknown,
  keys: SigningKeys,
  expected: ExpectedToken,
): () => Promise<ApproovVerdict> {
  // Ensures that the operator sees why the SDK had no token.
  if (typeof value === 'string' && STATUS_WORD.test(value)) reject('status', value);
  const token = parseSignedJwt(value, TOKEN_MAX_LENGTH);
  if ('secrets' in keys) {
    const verdict = examineHmac(token, keys.secrets, expected);
    return () => Promise.resolve(verdict);
  }
  const { jwks, algorithms } = keys;
  const hint = hintOf(token.header, algorithms);
  appraise(token.claims, expected);
  // Ensures that a key that cannot be found later is refused before anything is spent.
  if (jwks.excludes(hint)) reject('issuer-key', 'no key fits the header');
  return async () => appraise(await verifySignedJwt(token.jwt, hint, jwks), expected);
}

function examineHmac(token: UnverifiedJwt, secrets: readonly KeyObject[], expected: ExpectedToken): ApproovVerdict {
  hintOf(token.header, new Set(['HS256']));
  if (!secrets.some((secret) => isSignedBy(token.jwt, secret))) reject('signature', 'no secret verifies it');
  return appraise(token.claims, expected);
}

/** Approov writes `typ` as `JWT` or leaves it out. */
function hintOf(header: JsonObject, algorithms: ReadonlySet<string>): KeyHint {
  return checkHeader({ typ: 'JWT', ...header }, 'JWT', algorithms);
}

/** HMAC with SHA-256 (RFC 7518 section 3.2), compared in constant time. */
function isSignedBy(jwt: string, secret: KeyObject): boolean {
  const end = jwt.lastIndexOf('.');
  const given = Buffer.from(jwt.slice(end + 1), 'base64url');
  const wanted = createHmac('sha256', secret).update(jwt.slice(0, end)).digest();
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

function appraise(payload: JsonObject, expected: ExpectedToken): ApproovVerdict {
  const claims = new Members(payload, (detail) => reject('claims', detail));
  const [iat, nbf, exp] = [claims.optionalTime('iat'), claims.optionalTime('nbf'), claims.time('exp')];
  // Ensures that it is valid now; the times may have fractions.
  const fault = timeFault({ iat, nbf, exp }, expected.now);
  if (fault !== undefined) reject('time', fault);
  // Ensures that it was made for this API, where Approov says so.
  if (expected.issuer !== undefined && claims.optionalText('iss') !== expected.issuer) reject('issuer', 'another iss');
  if (expected.audience !== undefined && !claims.audience().includes(expected.audience))
    reject('audience', 'another aud');
  checkBinding(claims.optionalText('pay'), expected.bound);
  return {
    expiresAt: Math.floor(exp),
    deviceId: claims.optionalText('did'),
    installKey: claims.optionalText('ipk'),
    responseCode: claims.optionalText('arc'),
    annotations: claims.optionalTexts('anno'),
  };
}

/** Ensures that it was made for this challenge and key: `pay` is the base64 of the SHA-256 of what the app bound. */
function checkBinding(pay: string | undefined, bound: string): void {
  if (pay === undefined) return reject('binding', 'pay is absent');
  const [given, wanted] = [Buffer.from(pay), Buffer.from(createHash('sha256').update(bound).digest('base64'))];
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) reject('binding', 'pay is another');
}

/** The keys of the options. @throws TabConfigError */
export function signingKeys(
  { secrets, jwks, algorithms = ['RS256', 'ES256'] }: ApproovKeys,
  checks: OptionChecks,
  fetch?: Parameters<OptionChecks['keys']>[2],
): SigningKeys {
  if ((secrets === undefined) === (jwks === undefined)) checks.fail('give either secrets: [base64] or jwks');
  if (jwks === undefined) return { secrets: importSecrets(secrets, checks) };
  return { jwks: checks.keys(jwks, 'jwks', fetch), algorithms: checks.algorithms(algorithms, 'algorithms') };
}

/** What `verifyApproov` is given. */
export interface VerifyApproov {
  /** The token, as the app sent it. */
  readonly token: unknown;
  /** Account secrets in base64, or the public keys of a key set: exactly one. */
  readonly secrets?: readonly string[];
  readonly jwks?: JSONWebKeySet;
  readonly algorithms?: ApproovKeys['algorithms'];
  /** The value that the app gave to the SDK to bind. */
  readonly bound: string;
  readonly issuer?: string;
  readonly audience?: string;
  /** When to judge validity; default now. */
  readonly now?: Date;
}

/**
 * Verifies an Approov token with keys at hand, without any network.
 *
 * @throws AttestationError with an `ApproovCheck`; TabConfigError when the keys cannot be used
 */
export async function verifyApproov(input: VerifyApproov): Promise<ApproovVerdict> {
  const { token, now = new Date() } = input;
  const keys = signingKeys(input, new OptionChecks('verifyApproov'));
  return examineToken(token, keys, { ...input, now: Math.floor(now.getTime() / 1000) })();
}
