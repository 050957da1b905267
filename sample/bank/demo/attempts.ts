import type { Attempt } from './attempt.js';
import { OPERATOR_ATTEMPTS, OUTCOME } from './operator-attempts.js';
import { PHONE_ATTEMPTS } from './phone-attempts.js';
import { REQUEST_ATTEMPTS } from './request-attempts.js';
import { RUNTIME_ATTEMPTS } from './runtime-attempts.js';

/** In this order: some use what those before have left. */
export const ATTEMPTS: readonly Attempt[] = [
  ...REQUEST_ATTEMPTS,
  ...RUNTIME_ATTEMPTS,
  ...PHONE_ATTEMPTS,
  ...OPERATOR_ATTEMPTS,
  OUTCOME,
];
