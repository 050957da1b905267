import { createHash } from 'node:crypto';
import { unavailable } from './redis-error.js';
import type { RedisSend } from './redis-client.js';

/** A Lua script. Redis runs it as one step: nothing else happens in between. */
export interface RedisScript {
  readonly source: string;
  /** By which Redis knows the script once it has seen it. */
  readonly sha1: string;
}

export function redisScript(source: string): RedisScript {
  return { source, sha1: createHash('sha1').update(source).digest('hex') };
}

/**
 * Runs a script. All keys are in one slot, so that a Redis Cluster runs it too.
 *
 * @throws TabError `store_unavailable` when the outcome is not certain
 */
export async function runScript(
  send: RedisSend,
  { source, sha1 }: RedisScript,
  keys: readonly [string, ...string[]],
  args: readonly string[],
): Promise<unknown> {
  const rest = [String(keys.length), ...keys, ...args];
  try {
    return await send(['evalsha', sha1, ...rest], keys[0]).catch((error: unknown) => {
      // A server that does not know the script has done nothing: only then may it be sent again.
      if (isUnknownScript(error)) return send(['eval', source, ...rest], keys[0]);
      throw error;
    });
  } catch (error) {
    throw unavailable(error);
  }
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT ');
}
