const KEY_FORM = /^[A-Za-z0-9_-]{22}$/;

/**
 * Ensures that a claim names a key of the one size that PROTOCOL section 6 gives it, and a possible time, so that no
 * storage engine can truncate or round it into another one. Stores call it before anything else.
 *
 * @throws RangeError for anything else, which is a mistake of the caller; the message does not quote the key
 */
export function assertClaimArguments(key: string, expiresAt: number): void {
  if (!KEY_FORM.test(key)) throw new RangeError('a nonce key is 22 characters of base64url');
  if (!Number.isSafeInteger(expiresAt) || expiresAt < 0)
    throw new RangeError('expiresAt is in whole seconds since the epoch');
}
