import type { AnswerSettings } from './http-answer.js';

/** What guards, strategies and endpoints need to know of the module's options. Also the injection token. */
export abstract class GuardSettings implements AnswerSettings {
  /** Whether refusals carry the log-only detail. */
  abstract readonly exposeDetail: boolean;
  /** Milliseconds since the epoch. */
  abstract readonly clock: () => number;
}
