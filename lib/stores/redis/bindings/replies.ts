import type { AppInstance, Bindings, BoundSession } from '../../../bindings/binding.types.js';
import { isBlockRange } from '../../../bindings/binding-arguments.js';
import { redisFailed } from '../client/redis-error.js';
import { decodeInstance, decodeSession } from './rows.js';

/**
 * Reads a reply with `read`. Whatever is not as it was written is a failure of the store: a row that somebody changed must
 * neither be guessed at nor taken for an absent one.
 *
 * @throws TabError `store_unavailable`
 */
export function reading<T>(read: () => T): T {
  try {
    return read();
  } catch {
    // Without the cause: it may quote the row.
    throw redisFailed('what Redis keeps, or replied, is not as it was written');
  }
}

/** A list of texts. */
export function texts(reply: unknown): string[] {
  if (!Array.isArray(reply) || reply.some((each) => typeof each !== 'string'))
    throw new RangeError('not a list of texts');
  return reply as string[];
}

/** Texts that come in twos. */
export function pairs(reply: unknown): [string, string][] {
  const list = texts(reply);
  if (list.length % 2 !== 0) throw new RangeError('an odd number of texts');
  return Array.from({ length: list.length / 2 }, (_, index) => [list[2 * index] ?? '', list[2 * index + 1] ?? '']);
}

/** A count. */
export function count(reply: unknown): number {
  if (!Number.isSafeInteger(reply) || (reply as number) < 0) throw new RangeError('not a count');
  return reply as number;
}

/** 1 or 0, as yes or no. */
export function flag(reply: unknown): boolean {
  if (reply !== 1 && reply !== 0) throw new RangeError('neither 1 nor 0');
  return reply === 1;
}

/** One of a set of words. */
export function oneOf<T extends string>(reply: unknown, words: readonly T[]): T {
  const found = words.find((word) => word === reply);
  if (found === undefined) throw new RangeError('not one of the replies');
  return found;
}

/** What `LOAD` found. */
export function readBindings(reply: unknown, instanceId: string): Bindings {
  if (!Array.isArray(reply) || reply.length < 3) throw new RangeError('not a reply of three');
  const [instanceRow, sessionId, sessionRow, ...ranges] = reply as unknown[];
  const instance = found<AppInstance>(instanceId, instanceRow, decodeInstance);
  const session = found<BoundSession>(sessionId, sessionRow, decodeSession);
  const blockedVersions = texts(ranges);
  if (!blockedVersions.every(isBlockRange)) throw new RangeError('not a range');
  return {
    ...(instance && { instance }),
    ...(session && { session }),
    ...(blockedVersions.length > 0 && { blockedVersions }),
  };
}

/** Nothing for nil; and a row, for anything else, or an error. */
function found<T>(id: unknown, row: unknown, decode: (id: string, row: string) => T): T | undefined {
  if (row === null) return undefined;
  if (typeof id !== 'string' || typeof row !== 'string') throw new RangeError('not a row');
  return decode(id, row);
}
