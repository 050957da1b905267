import { randomBytes } from 'node:crypto';
import { NOW } from './clock.js';
import { aKey, b64u, signAs, type TestKey } from './keys.js';
import { macToken, type TestProofKey } from './proof-key.js';

/** Members to change; `undefined` leaves one out, anything else, of any type, takes its place. */
export type Members = Record<string, unknown>;

/** The parts of a token. */
export interface TokenParts {
  readonly key?: TestKey;
  /** Takes the place of the instance key. */
  readonly proofKey?: TestProofKey;
  readonly header?: Members;
  readonly claims?: Members;
  /** Takes the place of the signature. */
  readonly signature?: Uint8Array | string;
}

/** Claims of a `GET https://api.example.com/accounts` without a session. */
export function someClaims(change: Members = {}): Members {
  return {
    jti: randomBytes(16).toString('base64url'),
    iat: NOW,
    htm: 'GET',
    htu: 'https://api.example.com/accounts',
    app: { id: 'com.example.app', ver: '1.4.0' },
    rt: someEvidence(),
    ...change,
  };
}

/** Evidence of a clean runtime. */
export function someEvidence(change: Members = {}): Members {
  return { at: NOW - 10, found: [], clear: ['root', 'debugger', 'hooking'], sdk: 'tests/1.0.0', ...change };
}

const segment = (value: unknown): string => (typeof value === 'string' ? b64u(value) : b64u(JSON.stringify(value)));

/** Signs two segments, whatever they hold: an object, or raw JSON text. */
export function signed(header: unknown, payload: unknown, key: TestKey = aKey()): string {
  const input = `${segment(header)}.${segment(payload)}`;
  return `${input}.${b64u(signAs(key.alg, key.privateKey, input))}`;
}

/** A token that is right in every respect but those that are changed. */
export function aToken({ key = aKey(), proofKey, header = {}, claims = {}, signature }: TokenParts = {}): string {
  const token = proofKey
    ? macToken(proofKey.key, { typ: 'tab+jwt', alg: 'HS256', kid: proofKey.kid, ...header }, someClaims(claims))
    : signed({ typ: 'tab+jwt', alg: key.alg, kid: key.id, ...header }, someClaims(claims), key);
  if (signature === undefined) return token;
  const text = typeof signature === 'string' ? signature : b64u(signature);
  return `${token.slice(0, token.lastIndexOf('.'))}.${text}`;
}
