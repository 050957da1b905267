import { isUtf8 } from 'node:buffer';

/** A JSON object whose members have not been looked at yet. */
export type JsonObject = Record<string, unknown>;

/** Whether a value is a JSON object: neither null nor an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Parses strict UTF-8 JSON whose top level is an object; undefined when it is anything else. */
export function parseJsonObject(octets: Uint8Array): JsonObject | undefined {
  if (!isUtf8(octets)) return undefined;
  try {
    const text = Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength).toString('utf8');
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a parsed JSON value nests objects and arrays at most `limit` deep. Iterative, so that depth cannot exhaust the stack. */
export function isNestedWithin(value: unknown, limit: number): boolean {
  const pending: { value: unknown; depth: number }[] = [{ value, depth: 0 }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (typeof next.value !== 'object' || next.value === null) continue;
    if (next.depth >= limit) return false;
    for (const child of Object.values(next.value)) pending.push({ value: child, depth: next.depth + 1 });
  }
  return true;
}
