import { TabConfigError } from '../../../errors/tab-error.js';

const PREFIX = /^[!-z|~]{1,64}$/;

/**
 * Ensures that a prefix leaves the hash tag of the keys alone, so that keys which are used together share a slot.
 *
 * @param caller how the message names the function that was called
 * @throws TabConfigError
 */
export function checkPrefix(caller: string, prefix: string): string {
  if (typeof prefix !== 'string' || !PREFIX.test(prefix))
    throw new TabConfigError(`${caller}: prefix must be 1 to 64 printable ASCII characters without braces or spaces`);
  return prefix;
}
