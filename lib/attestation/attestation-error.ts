import { TabError } from '../errors/tab-error.js';

/** Evidence that did not pass. `check` names the failed check, for the operator's log only. */
export class AttestationError extends TabError {
  override readonly name = 'AttestationError';
  readonly check: string;

  constructor(check: string, detail: string, options: { cause?: unknown } = {}) {
    super('attestation_rejected', `${check}: ${detail}`, options);
    this.check = check;
  }
}
