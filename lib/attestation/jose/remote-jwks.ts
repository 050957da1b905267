import { createRemoteJWKSet, customFetch } from 'jose';
import { TabConfigError, TabError } from '../../errors/tab-error.js';
import { checkDocumentUrl } from '../loaders/document-url.js';
import { boundedFetch, type FetchLike } from './bounded-fetch.js';
import { candidateKeys, type JwksSource } from './jwks-source.js';

/** Keys that their issuer publishes. */
export interface RemoteJwks {
  /** `https:` address of the key set; `http:` only to a loopback host. No user info, no fragment. */
  readonly uri: string;
  /** Seconds that one call may take, with its content; default 5, at most 30. */
  readonly timeout?: number;
  /** Seconds that fetched keys are used, so also how long a withdrawn key lives on; default 600, at most 86,400. */
  readonly cacheMaxAge?: number;
  /** Seconds after a fetch in which an unknown `kid` does not cause another; default 30, at most 3,600. */
  readonly cooldown?: number;
}

/** Largest key set read, in octets. */
const MAX_BYTES = 65_536;
/** Seconds without another call after one that failed; also the `Retry-After` of the refusals. */
const FAILURE_REST = 10;

function milliseconds(
  value: number | undefined,
  range: { or: number; min: number; max: number },
  where: string,
): number {
  const seconds = value ?? range.or;
  if (typeof seconds === 'number' && seconds >= range.min && seconds <= range.max) return Math.ceil(seconds * 1000);
  throw new TabConfigError(`${where} must be a number of seconds from ${range.min} to ${range.max}`);
}

function unavailable(host: string, cause: unknown): TabError {
  return new TabError('store_unavailable', `keys of the attestation issuer at ${host} cannot be had`, {
    cause,
    hints: { retryAfter: FAILURE_REST },
  });
}

/**
 * Keys fetched from their issuer, at first use, when the cache is too old, and for a `kid` that is not in it. Failing to
 * fetch them is `store_unavailable`: not the client's fault, and never an acceptance. Keys past their age are not used.
 *
 * @param where names the option in error messages
 * @throws TabConfigError when the address or a limit cannot work
 */
export function remoteJwks(options: RemoteJwks, where: string, fetch?: FetchLike): JwksSource {
  const url = checkDocumentUrl(options.uri, `${where}.uri`, 'https://issuer.example/jwks');
  const keySet = createRemoteJWKSet(url, {
    timeoutDuration: milliseconds(options.timeout, { or: 5, min: 0.01, max: 30 }, `${where}.timeout`),
    cacheMaxAge: milliseconds(options.cacheMaxAge, { or: 600, min: 1, max: 86_400 }, `${where}.cacheMaxAge`),
    cooldownDuration: milliseconds(options.cooldown, { or: 30, min: 1, max: 3600 }, `${where}.cooldown`),
    [customFetch]: boundedFetch(fetch, { maxBytes: MAX_BYTES, failureRest: FAILURE_REST * 1000 }),
  });
  return {
    excludes: () => false,
    find: async (hint) => {
      try {
        return await candidateKeys(keySet, hint);
      } catch (error) {
        throw unavailable(url.host, error);
      }
    },
  };
}
