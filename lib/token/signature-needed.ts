import { TabError } from '../errors/tab-error.js';

/** The refusal that has a client sign with the instance key (PROTOCOL section 10). */
export function signatureNeeded(detail: string): TabError {
  return new TabError('step_up_required', detail, { hints: { requirement: 'signature' } });
}
