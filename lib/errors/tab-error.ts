import { TAB_ERROR_CODES, type TabErrorCode } from './codes.js';

/** What an answer needs besides the code. All of it is safe to send. */
export interface TabErrorHints {
  /** Seconds after which a new attempt makes sense (`Retry-After`); for `rate_limited` and `store_unavailable`. */
  retryAfter?: number;
  /** Server time minus the token's `iat`, in seconds (`TAB-Skew`); for `stale_token`. */
  skew?: number;
  /** What would satisfy the policy; for `step_up_required`. */
  requirement?: 'attestation' | 'signature';
  /** Largest acceptable age of the evidence in seconds, sent as `max_age`. */
  maxAge?: number;
}

/** Log-only classification of a refusal, for reports. */
export type TabErrorReason = 'version' | 'spent' | 'breach';

/**
 * A refusal. `code` is public, `detail` is for the operator's log only and never holds a token, key or secret.
 */
export class TabError extends Error {
  override readonly name: string = 'TabError';
  readonly code: TabErrorCode;
  /** Log-only reason, in a few words: which check failed, on what kind of value. */
  readonly detail: string;
  readonly hints: TabErrorHints;
  /** Log-only: `version`: the app is too old; `spent`: presented before; `breach`: the runtime broke trust. */
  readonly reason: TabErrorReason | undefined;

  constructor(
    code: TabErrorCode,
    detail: string,
    options: { cause?: unknown; hints?: TabErrorHints; reason?: TabErrorReason } = {},
  ) {
    super(`${code}: ${detail}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.detail = detail;
    this.hints = options.hints ?? {};
    this.reason = options.reason;
  }

  /** The HTTP status of the code. */
  get status(): number {
    return TAB_ERROR_CODES[this.code].status;
  }

  /** The public, fixed title of the code. */
  get title(): string {
    return TAB_ERROR_CODES[this.code].title;
  }
}

/** A configuration that cannot work. Thrown at start-up; the message says what to write instead. */
export class TabConfigError extends TypeError {
  override readonly name = 'TabConfigError';
}
