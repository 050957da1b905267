import { TabError } from '../../../errors/tab-error.js';

/** The error of the driver inside TypeORM's wrapper, which would carry all parameters into a log. */
export function driverError(error: unknown): unknown {
  return property(error, 'driverError') ?? error;
}

/** A member of something that may not be an object. */
export function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

/** What a store rejects with when the database failed: the reason by its code alone, the driver's error as the cause. */
export function unavailable(error: unknown): Error {
  if (error instanceof TabError || error instanceof RangeError) return error;
  const cause = driverError(error);
  const code = property(cause, 'code');
  return new TabError('store_unavailable', `the database failed${typeof code === 'string' ? ` with ${code}` : ''}`, { cause });
}
