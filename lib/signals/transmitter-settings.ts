import { createPrivateKey, createPublicKey, KeyObject, type JsonWebKeyInput } from 'node:crypto';
import type { JSONWebKeySet, JWK } from 'jose';
import { TabConfigError } from '../errors/tab-error.js';
import { isJsonObject } from '../token/json.js';
import type { After, PushFetch, SignalReceiverAddress, SignalTransmitterOptions } from './signals.types.js';

/** The options, checked, with their defaults. */
export interface TransmitterSettings {
  readonly iss: string;
  readonly key: KeyObject;
  readonly kid: string;
  readonly alg: string;
  readonly receivers: readonly (SignalReceiverAddress & { readonly host: string })[];
  readonly queueLimit: number;
  readonly attempts: number;
  readonly baseDelay: number;
  readonly maxDelay: number;
  readonly timeout: number;
  readonly flushTimeout: number;
  readonly fetch: PushFetch | undefined;
  readonly clock: () => number;
  readonly after: After;
  readonly random: () => number;
}

/** The key that each algorithm takes (RFC 7518 section 3.1, RFC 8037): its type, and its curve where it has one. */
const KEY_OF_ALGORITHM: Readonly<Record<string, readonly [type: string, curve?: string]>> = {
  ES256: ['ec', 'prime256v1'],
  ES384: ['ec', 'secp384r1'],
  ES512: ['ec', 'secp521r1'],
  PS256: ['rsa'],
  PS384: ['rsa'],
  PS512: ['rsa'],
  RS256: ['rsa'],
  RS384: ['rsa'],
  RS512: ['rsa'],
  EdDSA: ['ed25519'],
  Ed25519: ['ed25519'],
};
const RSA_MIN_BITS = 2048;
const LOOPBACK = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;
const NAME = /^\P{Cc}{1,512}$/u;
const HEADER_VALUE = /^[!-~](?:[ -~]{0,4094}[!-~])?$/;

function fail(message: string): never {
  throw new TabConfigError(`signals.transmit: ${message}`);
}

function nameOf(value: unknown, where: string): string {
  return typeof value === 'string' && NAME.test(value)
    ? value
    : fail(`${where} must be a string of 1-512 printable characters`);
}

function importKey(key: SignalTransmitterOptions['key']): KeyObject | undefined {
  if (key instanceof KeyObject) return key;
  try {
    return createPrivateKey({ key: key as JsonWebKeyInput['key'], format: 'jwk' });
  } catch {
    // The cause may quote the key.
    return undefined;
  }
}

function readKey(options: SignalTransmitterOptions): KeyObject {
  const [type, curve] = Object.hasOwn(KEY_OF_ALGORITHM, options.alg) ? (KEY_OF_ALGORITHM[options.alg] ?? []) : [];
  if (type === undefined) return fail(`alg must be one of ${Object.keys(KEY_OF_ALGORITHM).join(', ')}`);
  const key = importKey(options.key);
  if (key?.type !== 'private') return fail('key must be a private KeyObject or a private JWK');
  const { namedCurve, modulusLength = RSA_MIN_BITS } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType !== type || (curve !== undefined && namedCurve !== curve))
    return fail(`key is not one for ${options.alg}`);
  if (modulusLength < RSA_MIN_BITS) return fail(`key is an RSA key of fewer than ${RSA_MIN_BITS} bits`);
  return key;
}

/** Ensures that events go over an authenticated connection, to an address that says nothing secret. */
function readReceiver(receiver: SignalReceiverAddress, where: string): TransmitterSettings['receivers'][number] {
  if (!isJsonObject(receiver)) return fail(`${where} must be { url, audience }`);
  const { url, audience, authorization } = receiver;
  const parsed = typeof url === 'string' && URL.canParse(url) ? new URL(url) : fail(`${where}.url must be absolute`);
  const local = parsed.protocol === 'http:' && LOOPBACK.test(parsed.hostname);
  if (parsed.protocol !== 'https:' && !local) fail(`${where}.url must be https: (http: only to a loopback host)`);
  if (parsed.username || parsed.password || parsed.hash) fail(`${where}.url must have no user info and no fragment`);
  if (authorization !== undefined && (typeof authorization !== 'string' || !HEADER_VALUE.test(authorization)))
    fail(`${where}.authorization must be a value of the Authorization header, such as 'Bearer …'`);
  return { url, audience: nameOf(audience, `${where}.audience`), authorization, host: parsed.host };
}

function numberOf(value: number | undefined, fallback: number, range: readonly [number, number], where: string) {
  if (value === undefined) return fallback;
  const [min, max] = range;
  if (!Number.isSafeInteger(value) || value < min || value > max)
    return fail(`${where} must be a whole number from ${min} to ${max}`);
  return value;
}

function afterTimeout(milliseconds: number, callback: () => void): () => void {
  const timer = setTimeout(callback, milliseconds);
  timer.unref();
  return () => clearTimeout(timer);
}

/**
 * Checks the options and fills in the defaults.
 *
 * @throws TabConfigError that says what to write instead; never with any of the key
 */
export function readTransmitterOptions(options: SignalTransmitterOptions): TransmitterSettings {
  if (!isJsonObject(options)) return fail('give { iss, key, kid, alg, receivers }');
  const { receivers, retry = {} } = options;
  if (!Array.isArray(receivers) || receivers.length === 0) fail('receivers must list at least one { url, audience }');
  return {
    iss: nameOf(options.iss, 'iss'),
    key: readKey(options),
    kid: nameOf(options.kid, 'kid'),
    alg: options.alg,
    receivers: options.receivers.map((each, index) => readReceiver(each, `receivers[${index}]`)),
    queueLimit: numberOf(options.queueLimit, 1000, [1, 1_000_000], 'queueLimit'),
    attempts: numberOf(retry.attempts, 8, [1, 20], 'retry.attempts'),
    baseDelay: numberOf(retry.baseDelay, 1000, [1, 60_000], 'retry.baseDelay'),
    maxDelay: numberOf(retry.maxDelay, 60_000, [1, 3_600_000], 'retry.maxDelay'),
    timeout: numberOf(options.timeout, 10_000, [1, 120_000], 'timeout'),
    flushTimeout: numberOf(options.flushTimeout, 5000, [0, 60_000], 'flushTimeout'),
    fetch: options.fetch,
    clock: options.clock ?? Date.now,
    after: options.after ?? afterTimeout,
    random: options.random ?? Math.random,
  };
}

/** The public half of the signing key, as receivers take it (RFC 7517). */
export function publicJwks({ key, kid, alg }: TransmitterSettings): JSONWebKeySet {
  return { keys: [{ ...(createPublicKey(key).export({ format: 'jwk' }) as JWK), kid, alg, use: 'sig' }] };
}
