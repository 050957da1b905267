import { TabError } from '../../errors/tab-error.js';
import { discard, readText, refusal, untilAborted, type FetchLike } from '../jose/bounded-fetch.js';
import { freshnessOf } from './http-freshness.js';

/** A public JSON document and how it is had. Times are milliseconds. */
export interface DocumentSource<T> {
  /** How messages name it. */
  readonly name: string;
  readonly url: string;
  /** Makes something of the text; throws when it is not what it must be, which counts as a failed fetch. */
  readonly read: (text: string) => T;
  readonly fetch?: FetchLike;
  readonly maxBytes: number;
  readonly timeout: number;
  /** How long a copy is used without asking again: bounds on what its HTTP headers say, and what counts if they say nothing. */
  readonly freshness: { readonly min: number; readonly max: number; readonly or: number };
  /** How old a copy may become, while no newer one can be had or whatever its headers say. */
  readonly maxAge: number;
  readonly clock: () => number;
  /** Told of every failed fetch. */
  readonly onWarning: (message: string) => void;
}

interface Copy<T> {
  readonly value: T;
  readonly etag?: string;
  /** When it was had, or found to be unchanged. */
  readonly at: number;
  readonly freshFor: number;
}

/** Time without another call after one that failed; in seconds also the `Retry-After` of the refusals. */
const FAILURE_REST = 10_000;
/** Part of its life after which a copy is renewed without anybody waiting for it. */
const RENEW_AFTER = 0.8;
const ETAG_MAX_LENGTH = 256;

/**
 * A document that is fetched at first use and kept by its HTTP headers. It is renewed shortly before it is stale, in the
 * background; callers that need it at once share one call. While its source is down the last good copy is used, up to an
 * age, and every failure is told. It is never partly replaced: a document that cannot be read changes nothing.
 */
export class CachedDocument<T> {
  readonly #source: DocumentSource<T>;
  #copy: Copy<T> | undefined;
  #pending: Promise<Copy<T>> | undefined;
  #failed: { readonly at: number; readonly error: unknown } | undefined;

  constructor(source: DocumentSource<T>) {
    this.#source = source;
  }

  /** The document. @throws TabError `store_unavailable` when there is no copy that may still be used */
  async get(): Promise<T> {
    const copy = this.#copy;
    if (copy !== undefined && this.#ageOf(copy) < copy.freshFor) {
      if (this.#ageOf(copy) >= copy.freshFor * RENEW_AFTER) this.#renew().catch(() => undefined);
      return copy.value;
    }
    const renewed = this.#renew();
    // Ensures that an outage of the source is not one of this server, for as long as was thought acceptable: once it is known
    // to be down, nobody waits for it to answer.
    if (copy !== undefined && this.#failed !== undefined && this.#ageOf(copy) < this.#source.maxAge) {
      renewed.catch(() => undefined);
      return copy.value;
    }
    try {
      return (await renewed).value;
    } catch (error) {
      if (copy !== undefined && this.#ageOf(copy) < this.#source.maxAge) return copy.value;
      throw this.#unavailable(error);
    }
  }

  /** Age of a copy; infinite when the clock went back to before it was had. */
  #ageOf({ at }: Copy<T>): number {
    const age = this.#source.clock() - at;
    return age >= 0 ? age : Infinity;
  }

  #unavailable(cause: unknown): TabError {
    const hints = { retryAfter: FAILURE_REST / 1000 };
    return new TabError('store_unavailable', `${this.#source.name} cannot be had`, { cause, hints });
  }

  /** One call at a time, and none shortly after a failure. */
  #renew(): Promise<Copy<T>> {
    if (this.#pending !== undefined) return this.#pending;
    const sinceFailure = this.#source.clock() - (this.#failed?.at ?? -Infinity);
    if (sinceFailure >= 0 && sinceFailure < FAILURE_REST) return Promise.reject(this.#failed?.error);
    this.#pending = this.#fetch().finally(() => {
      this.#pending = undefined;
    });
    return this.#pending;
  }

  async #fetch(): Promise<Copy<T>> {
    const { timeout, name, clock, onWarning } = this.#source;
    const signal = AbortSignal.timeout(timeout);
    try {
      const copy = await untilAborted(this.#ask(signal), signal);
      this.#failed = undefined;
      this.#copy = copy;
      return copy;
    } catch (error) {
      this.#failed = { at: clock(), error };
      onWarning(`${name} could not be fetched: ${error instanceof Error ? error.message : 'unknown error'}`);
      throw error;
    }
  }

  async #ask(signal: AbortSignal): Promise<Copy<T>> {
    const { url, fetch = globalThis.fetch, maxBytes, read, clock } = this.#source;
    const copy = this.#copy;
    const headers = new Headers({ accept: 'application/json' });
    if (copy?.etag !== undefined) headers.set('if-none-match', copy.etag);
    // From before the call: what changes meanwhile is not missed.
    const at = clock();
    const response = await fetch(url, { headers, method: 'GET', redirect: 'manual', signal });
    const freshFor = this.#freshnessOf(response.headers);
    if (response.status === 304 && copy?.etag !== undefined) {
      discard(response.body);
      return { ...copy, at, freshFor };
    }
    const reason = refusal(response);
    if (reason !== undefined) {
      discard(response.body);
      throw new Error(reason);
    }
    const value = read(await readText(response, maxBytes));
    const etag = response.headers.get('etag') ?? undefined;
    return { value, at, freshFor, etag: etag !== undefined && etag.length <= ETAG_MAX_LENGTH ? etag : undefined };
  }

  #freshnessOf(headers: Headers): number {
    const { freshness, maxAge } = this.#source;
    const said = freshnessOf(headers);
    const kept = said === undefined ? freshness.or : Math.min(Math.max(said * 1000, freshness.min), freshness.max);
    return Math.min(kept, maxAge);
  }
}
