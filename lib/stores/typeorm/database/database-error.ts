import { TabError } from '../../../errors/tab-error.js';

/** The error of the driver inside TypeORM's wrapper, which would carry all parameters into a log. */
export function driverError(error: unknown): unknown {
  return property(error, 'driverError') ?? error;
}

/** A member of something that may not be an object. */
export function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

/**
 * What a store rejects with when the database failed. The driver's own error stays behind: it holds the statement with its
 * values, and may quote them in its message.
 */
export function unavailable(error: unknown): Error {
  if (error instanceof TabError || error instanceof RangeError) return error;
  const original = driverError(error);
  const code = property(original, 'code') ?? property(error, 'code');
  // An error without a code comes from this side of the connection, such as a pool that has no connection to give.
  const reason = typeof code === 'string' ? code : original instanceof Error ? original.message : 'an unknown error';
  const cause = Object.assign(new Error(reason), { code, errno: property(original, 'errno') });
  return new TabError('store_unavailable', `the database failed with ${reason}`, { cause });
}
