/**
 * What went wrong on the client, before or beside an answer of the server.
 * - `foreign_origin`: the target is not under a configured `api`; nothing was sent.
 * - `enrolment_refused`: the server refused the enrolment; `tabError`, `status` and `retryAfter` say how.
 * - `enrolment_failed`: the enrolment got no usable answer, or none in time; the `cause` says why.
 * - `unexpected_answer`: what answered an enrolment is no TAB server, such as a captive portal; `status` is its status.
 * - `unreachable`: the request got no answer, and may or may not have been carried out; the `cause` says why.
 * - `body_used`: the content of the request has been read already, or somebody else is reading it; nothing was sent.
 * - `attester_failed`: the platform attestation could not be made.
 * - `retire_refused`: the server did not retire the key, which is kept.
 * - `key_store`: the key or its state could not be read or written.
 * - `token_too_large`: the token would exceed 4,096 bytes.
 * - `closed`: the Defender has been closed.
 */
export type DefenderErrorCode =
  | 'foreign_origin'
  | 'enrolment_refused'
  | 'enrolment_failed'
  | 'unexpected_answer'
  | 'unreachable'
  | 'body_used'
  | 'attester_failed'
  | 'retire_refused'
  | 'key_store'
  | 'token_too_large'
  | 'closed';

/** What a refusing answer said. */
export interface RefusalFacts {
  /** The HTTP status. */
  readonly status?: number;
  /** The `TAB-Error` code, when the answer had one. */
  readonly tabError?: string;
  /** Seconds to wait before the next attempt (`Retry-After`). */
  readonly retryAfter?: number;
}

/** An error of the Defender. Messages hold no key, token, session or challenge. */
export class DefenderError extends Error {
  override readonly name = 'DefenderError';
  readonly code: DefenderErrorCode;
  readonly status?: number;
  readonly tabError?: string;
  readonly retryAfter?: number;

  constructor(code: DefenderErrorCode, message: string, options: RefusalFacts & { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = options.status;
    this.tabError = options.tabError;
    this.retryAfter = options.retryAfter;
  }
}
