import type { KeyObject } from 'node:crypto';
import type { JSONWebKeySet, JWK } from 'jose';
import type { FetchLike } from '../attestation/jose/bounded-fetch.js';
import type { RemoteJwks } from '../attestation/jose/remote-jwks.js';
import type { AsymmetricAlgorithm } from '../attestation/jose/signed-jwt.js';
import type { SubjectId } from './subject-id.js';
import type { SignalEvent } from './events.js';

/** Whom a signal is about, in the names of this server. Several members narrow each other: a user on one device, say. */
export interface SignalTarget {
  /** The user, as sessions name it. */
  readonly subject?: string;
  /** The id of a bound session (`sid`). */
  readonly sessionId?: string;
  /** The id of an app instance: the thumbprint of its key. */
  readonly instanceId?: string;
}

/** One service whose signals are believed. */
export interface SignalTransmitterTrust {
  /** Its `iss`, compared octet by octet. */
  readonly iss: string;
  /** Its public keys, or where it publishes them. */
  readonly jwks: JSONWebKeySet | RemoteJwks;
  /** What it may sign with. Default ES256, ES384, PS256, RS256, EdDSA and Ed25519. Never `none`, never a MAC. */
  readonly algorithms?: readonly AsymmetricAlgorithm[];
  /**
   * Says whom a `sub_id` means; in place of the default mapping (see `defaultTargets`). Undefined means nobody here knows
   * the subject, which is answered `invalid_request`. Called only with what the transmitter has signed.
   */
  readonly subject?: (
    subId: SubjectId,
    event: SignalEvent,
  ) => SignalTarget | undefined | Promise<SignalTarget | undefined>;
  /** What a risk level of HIGH does. `'respond'`, the default, ends the sessions of the user or suspends the device; `'record'` only reports it. */
  readonly onHighRisk?: 'respond' | 'record';
}

/** Options of the receiver of Security Event Tokens (RFC 8417) that are pushed to `POST {prefix}/events` (RFC 8935). */
export interface SignalReceiverOptions {
  /** The `aud` by which transmitters name this server; one of several is enough. */
  readonly audience: string | readonly string[];
  /** Who may transmit; at least one. */
  readonly transmitters: readonly SignalTransmitterTrust[];
  /** Seconds after its `iat` in which a token is accepted, 60 to 604,800. Default 604,800 (7 days): transmitters retry for long. */
  readonly maxAge?: number;
  /** The exact value of the `Authorization` header that transmitters send, such as `Bearer …`; at least 16 characters. Default: none is asked for. */
  readonly authorization?: string;
  /**
   * How the same token, delivered again, is answered; nothing changes either way. `'refuse'`, the default, answers
   * `invalid_request`: a `jti` is good once. `'acknowledge'` answers 202, as RFC 8935 section 2 has it, for transmitters
   * that take a refusal for a failure. Another token with a used `jti` is always refused.
   */
  readonly onDuplicate?: 'acknowledge' | 'refuse';
  /** Fetches published keys. Default the global `fetch`. */
  readonly fetch?: FetchLike;
}

/** One service that is told when trust breaks here. */
export interface SignalReceiverAddress {
  /** Where it takes events: `https:`, or `http:` to a loopback host. */
  readonly url: string;
  /** The `aud` by which it knows itself. */
  readonly audience: string;
  /** The value of the `Authorization` header to send. Default none. */
  readonly authorization?: string;
}

/** How a `fetch` has to behave; the global one does. It must honour `redirect: 'manual'` and should honour `signal`. */
export type PushFetch = (url: string, init: RequestInit) => Promise<Response>;

/** Runs a callback once after some milliseconds, and returns what cancels it. */
export type After = (milliseconds: number, callback: () => void) => () => void;

/** How often and how fast a delivery is tried again. */
export interface SignalRetryOptions {
  /** Attempts in all, 1 to 20. Default 8, which with the default delays is about four minutes. */
  readonly attempts?: number;
  /** Milliseconds before the second attempt; doubled for each further one. Default 1000. */
  readonly baseDelay?: number;
  /** Milliseconds that no wait exceeds. Default 60,000. */
  readonly maxDelay?: number;
}

/** Options of the transmitter, which pushes CAEP events about broken trust (RFC 8935). */
export interface SignalTransmitterOptions {
  /** The `iss` of the tokens. */
  readonly iss: string;
  /** The private key that signs them. */
  readonly key: KeyObject | JWK;
  /** Names the key in the published set. */
  readonly kid: string;
  readonly alg: AsymmetricAlgorithm;
  /** Who is told; at least one. */
  readonly receivers: readonly SignalReceiverAddress[];
  /** Events that wait for one receiver; above, the oldest is dropped, counted and logged. Default 1000. */
  readonly queueLimit?: number;
  readonly retry?: SignalRetryOptions;
  /** Milliseconds that one delivery may take. Default 10,000. */
  readonly timeout?: number;
  /** Milliseconds that shutdown waits for deliveries. Default 5000. */
  readonly flushTimeout?: number;
  /** Default the global `fetch`. */
  readonly fetch?: PushFetch;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: () => number;
  /** Waits between attempts. Default `setTimeout`, which does not keep the process alive. */
  readonly after?: After;
  /** 0 to below 1, for jitter. Default `Math.random`. */
  readonly random?: () => number;
}

/** Continuous trust by standard events: OpenID Shared Signals with CAEP 1.0. */
export interface TabSignalsOptions {
  /** Takes events from other services. Default: no endpoint. */
  readonly receive?: SignalReceiverOptions;
  /** Tells other services when trust breaks here. Default: nobody is told. */
  readonly transmit?: SignalTransmitterOptions;
}
