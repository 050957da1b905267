import { base64url, calculateJwkThumbprint, CompactSign } from 'jose';
import {
  ENROL_TOKEN_TYPE,
  TOKEN_MAX_BYTES,
  TOKEN_TYPE,
  type AppClaim,
  type PublicJwk,
  type RuntimeEvidence,
  type TabAlgorithm,
  type TabClaims,
} from './claims.types.js';
import { digest, fieldOctets, sha256 } from './mint-octets.js';

/** A request as it will be sent. Isomorphic: strings and octets only. */
export interface MintRequest {
  /** The method exactly as sent; case matters. */
  readonly method: string;
  /** The absolute `http(s)` URL. A fragment is dropped, as `fetch` drops it; userinfo is refused. */
  readonly url: string | URL;
  /** The content octets exactly as sent; absent or empty is "no content". */
  readonly content?: Uint8Array;
  /** The value of the `Content-Type` field; looked at only when there is content. */
  readonly contentType?: string;
  /** The credential sent along: what follows the scheme in `Authorization`, or the raw value of the credential cookie. */
  readonly credential?: string;
  /** Field values to bind, by field name in any case. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** The claims that tie a token to one request (PROTOCOL section 2). */
export type BindingClaims = Pick<TabClaims, 'htm' | 'htu' | 'qsh' | 'bh' | 'ct' | 'ath' | 'hd'>;

/** What a token says besides the request. `iat` is in seconds; `jti` is made here. */
export interface TokenFacts {
  readonly iat: number;
  readonly app: AppClaim;
  readonly rt: RuntimeEvidence;
  readonly nonce?: string;
  readonly sid?: string;
  readonly exp?: number;
}

/** A key that signs tokens: one of WebCrypto, or one that stays elsewhere and signs there. */
export type SigningKey = WebCryptoSigningKey | RemoteSigningKey;

/** A key of WebCrypto, best not extractable. */
export interface WebCryptoSigningKey {
  readonly algorithm: TabAlgorithm;
  readonly privateKey: CryptoKey;
  readonly publicKey: PublicJwk;
}

/** A key in a secure element, an HSM or another process: only its signatures come out. */
export interface RemoteSigningKey {
  readonly algorithm: TabAlgorithm;
  readonly publicKey: PublicJwk;
  /** Signs these octets, hash included; returns the signature as JWS has it (RFC 7518 section 3: `r ‖ s` for ECDSA). */
  sign(data: Uint8Array): Promise<Uint8Array>;
}

/** A short-lived MAC key that the server gave to the instance (PROTOCOL section 10). */
export interface ProofKey {
  /** Instance id, `~`, and what the server derives the key from. */
  readonly kid: string;
  /** For HMAC with SHA-256, not extractable. */
  readonly key: CryptoKey;
}

/** What an attestation covers at enrolment (PROTOCOL section 5). */
export interface EnrolmentFacts {
  /** Scheme and authority of `htu`. */
  readonly origin: string;
  readonly challenge: string;
  readonly appId: string;
  /** RFC 7638 SHA-256 thumbprint of the instance public key, 43 characters. */
  readonly thumbprint: string;
}

const utf8 = new TextEncoder();
const JTI_BYTES = 16;

/**
 * The binding claims of `request`. The URL goes through the parser that `fetch` itself uses, so that `htu` and `qsh`
 * cover the octets that are really sent.
 * @throws TypeError when the URL is not absolute `http(s)`, has userinfo, or a field value is no byte string
 */
export async function bindingClaims(request: MintRequest): Promise<BindingClaims> {
  const url = sentUrl(request.url);
  const query = url.search.slice(1);
  const content = request.content?.length ? request.content : undefined;
  const ct = content && mediaType(request.contentType);
  const hd = await headerDigests(request.headers ?? {});
  return {
    htm: request.method,
    htu: url.origin + url.pathname,
    ...(query !== '' && { qsh: await digest(utf8.encode(query)) }),
    ...(content && { bh: await digest(content) }),
    ...(ct && { ct }),
    ...(request.credential && { ath: await digest(fieldOctets(request.credential)) }),
    ...(hd && { hd }),
  };
}

/** All claims of a token for `request`, with a fresh `jti` of 128 random bits. */
export async function makeClaims(request: MintRequest, facts: TokenFacts): Promise<TabClaims> {
  const { iat, exp, nonce, sid, app, rt } = facts;
  return {
    jti: base64url.encode(crypto.getRandomValues(new Uint8Array(JTI_BYTES))),
    iat,
    ...(exp !== undefined && { exp }),
    ...(nonce !== undefined && { nonce }),
    ...(await bindingClaims(request)),
    ...(sid !== undefined && { sid }),
    app: { id: app.id, ver: app.ver },
    rt: { at: rt.at, found: rt.found, clear: rt.clear, sdk: rt.sdk },
  };
}

/**
 * A request token: compact JWS, `typ` `tab+jwt`, `kid` = the instance id.
 * @throws RangeError when the token would exceed 4,096 bytes
 */
export async function mintToken(key: SigningKey, claims: TabClaims): Promise<string> {
  return sign(key, { typ: TOKEN_TYPE, alg: key.algorithm, kid: await thumbprint(key.publicKey) }, claims);
}

/** A request token under a proof key. @throws RangeError when the token would exceed 4,096 bytes */
export async function mintMacToken({ kid, key }: ProofKey, claims: TabClaims): Promise<string> {
  return sign({ privateKey: key }, { typ: TOKEN_TYPE, alg: 'HS256', kid }, claims);
}

/**
 * An enrolment token: as a request token, but `typ` `tab-enroll+jwt` and the public key itself instead of `kid`.
 * @throws RangeError when the token would exceed 4,096 bytes
 */
export async function mintEnrolToken(key: SigningKey, claims: TabClaims): Promise<string> {
  return sign(key, { typ: ENROL_TOKEN_TYPE, alg: key.algorithm, jwk: publicMembers(key.publicKey) }, claims);
}

/** Of keys seen before: a token is made for every request, by the same few keys. */
const thumbprints = new WeakMap<PublicJwk, Promise<string>>();

/** RFC 7638 SHA-256 thumbprint of a public key, which must not change: the instance id, 43 characters. */
export function thumbprint(publicKey: PublicJwk): Promise<string> {
  let known = thumbprints.get(publicKey);
  if (!known) thumbprints.set(publicKey, (known = calculateJwkThumbprint(publicMembers(publicKey), 'sha256')));
  return known;
}

/** `binding` of PROTOCOL section 5, 32 octets: what ties an attestation to one enrolment. */
export async function enrolmentBinding(facts: EnrolmentFacts): Promise<Uint8Array> {
  const lines = ['tab-enroll-v1', facts.origin, facts.challenge, facts.appId, facts.thumbprint];
  return sha256(utf8.encode(lines.join('\n')));
}

/** The credential in an `Authorization` field value: what follows the scheme and its spaces; undefined when nothing does. */
export function credentialOf(authorization: string): string | undefined {
  return /^[^ ]+ +(.+)$/s.exec(authorization)?.[1];
}

/** The members that RFC 7638 names, and no other: neither private ones nor hints. */
export function publicMembers(jwk: PublicJwk): PublicJwk {
  switch (jwk.kty) {
    case 'EC':
      return { kty: jwk.kty, crv: jwk.crv, x: jwk.x, y: jwk.y };
    case 'OKP':
      return { kty: jwk.kty, crv: jwk.crv, x: jwk.x };
    case 'RSA':
      return { kty: jwk.kty, n: jwk.n, e: jwk.e };
  }
}

async function sign(
  key: RemoteSigningKey | Pick<WebCryptoSigningKey, 'privateKey'>,
  header: { alg: string; [name: string]: unknown },
  claims: TabClaims,
) {
  const payload = utf8.encode(JSON.stringify(claims));
  const token = await ('sign' in key
    ? signRemotely(key, header, payload)
    : new CompactSign(payload).setProtectedHeader(header).sign(key.privateKey));
  if (token.length > TOKEN_MAX_BYTES) {
    throw new RangeError(
      `The token would have ${token.length} bytes, more than ${TOKEN_MAX_BYTES}: bind fewer headers`,
    );
  }
  return token;
}

/** Compact serialisation, RFC 7515 section 3.1. */
async function signRemotely(key: RemoteSigningKey, header: object, payload: Uint8Array): Promise<string> {
  const input = `${base64url.encode(JSON.stringify(header))}.${base64url.encode(payload)}`;
  return `${input}.${base64url.encode(await key.sign(utf8.encode(input)))}`;
}

function sentUrl(input: string | URL): URL {
  const url = new URL(input);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw new TypeError('A token needs an http(s) URL');
  if (url.username !== '' || url.password !== '') throw new TypeError('A URL with userinfo cannot be bound');
  return url;
}

function mediaType(contentType: string | undefined): string | undefined {
  return contentType?.split(';', 1)[0]?.trim().toLowerCase() || undefined;
}

async function headerDigests(headers: Readonly<Record<string, string>>): Promise<Record<string, string> | undefined> {
  const entries = Object.entries(headers);
  if (entries.length === 0) return undefined;
  return Object.fromEntries(
    await Promise.all(entries.map(async ([name, value]) => [name.toLowerCase(), await digest(fieldOctets(value))])),
  );
}
