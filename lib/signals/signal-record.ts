import type { SignalEventType } from './events.js';
import type { SetErrorCode } from './signal-error.js';

/**
 * What became of a token. `acted`: something changed, or had already; `recorded`: it calls for no change; `ignored`: no
 * event of a type that is acted on; `duplicate`: delivered before; `refused`: answered with an error; `failed`: to be tried again.
 */
export type SignalOutcome = 'acted' | 'recorded' | 'ignored' | 'duplicate' | 'refused' | 'failed';

/** A record of one delivery, for operators. It holds no token and no secret, and nothing that was not verified but `detail`'s fixed texts. */
export interface SignalRecord {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly outcome: SignalOutcome;
  /** A configured issuer that the token names; who sent a refused one is not known. */
  readonly iss?: string;
  /** Set once the signature has verified. */
  readonly jti?: string;
  readonly event?: SignalEventType;
  /** How many sessions ended or instances were suspended. */
  readonly changes?: number;
  /** Set on refusals. */
  readonly err?: SetErrorCode;
  /** Why; set on refusals and failures. */
  readonly detail?: string;
}
