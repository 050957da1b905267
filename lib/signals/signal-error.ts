import { AttestationError } from '../attestation/attestation-error.js';
import { TabError } from '../errors/tab-error.js';

/** The registry of error codes that RFC 8935 section 2.4 opened, as far as it is used here. */
export type SetErrorCode =
  'invalid_request' | 'invalid_key' | 'invalid_issuer' | 'invalid_audience' | 'authentication_failed';

/** What each code says to the transmitter: fixed texts, so that no answer tells what is configured or known here. */
const DESCRIPTIONS: Readonly<Record<SetErrorCode, string>> = {
  invalid_request: 'The request is not a Security Event Token that this recipient can act on',
  invalid_key: 'The token is not signed with an acceptable key and algorithm',
  invalid_issuer: 'The issuer is not one that this recipient takes events from',
  invalid_audience: 'The audience is not this recipient',
  authentication_failed: 'The transmitter could not be authenticated',
};

/** Seconds after which a transmitter may try again when a store failed. */
const RETRY_AFTER = 2;

/** A token that was not accepted. `detail` is for the operator's log only and never holds a token or secret. */
export class SignalError extends Error {
  override readonly name = 'SignalError';
  /** 400 for what the transmitter did wrong; 413 and 415 for content that is not looked at; 503 when it may try again. */
  readonly status: 400 | 413 | 415 | 503;
  /** Undefined exactly when the status is 503: the registry has no code for it. */
  readonly err: SetErrorCode | undefined;
  readonly detail: string;
  /** Seconds; with 503. */
  readonly retryAfter: number;

  constructor(
    err: SetErrorCode | undefined,
    detail: string,
    options: { status?: 413 | 415; cause?: unknown; retryAfter?: number } = {},
  ) {
    super(`${err ?? 'unavailable'}: ${detail}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.err = err;
    this.status = options.status ?? (err === undefined ? 503 : 400);
    this.detail = detail;
    this.retryAfter = options.retryAfter ?? RETRY_AFTER;
  }

  /** The text that goes with the code in the answer. */
  get description(): string {
    return this.err === undefined ? '' : DESCRIPTIONS[this.err];
  }
}

/** The checks of every signed JWT, in the words of the registry. */
const JWT_CHECKS: ReadonlyMap<string, SetErrorCode> = new Map([
  ['structure', 'invalid_request'],
  ['header', 'invalid_request'],
  ['algorithm', 'invalid_key'],
  ['issuer-key', 'invalid_key'],
  ['signature', 'authentication_failed'],
]);

/** Why a store failed, for operators: as for other refusals with `store_unavailable`. */
function causeOf({ cause }: TabError): string {
  return cause instanceof Error ? ` (${cause.name}: ${cause.message.slice(0, 200)})` : '';
}

/** Whatever went wrong, as a refusal. What is not known to be the transmitter's fault may be tried again; it is never an acceptance. */
export function asSignalError(error: unknown): SignalError {
  if (error instanceof SignalError) return error;
  if (error instanceof AttestationError) {
    const code = JWT_CHECKS.get(error.check);
    if (code !== undefined) return new SignalError(code, error.detail);
  }
  if (error instanceof TabError) {
    return new SignalError(undefined, `${error.detail}${causeOf(error)}`, {
      cause: error,
      retryAfter: error.hints.retryAfter,
    });
  }
  const kind = error instanceof Error ? error.name : 'unknown error';
  return new SignalError(undefined, `unexpected ${kind}`, { cause: error });
}
