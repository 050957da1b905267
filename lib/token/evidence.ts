import { TabError } from '../errors/tab-error.js';
import type { RuntimeEvidence } from './claims.types.js';
import { isJsonObject } from './json.js';

/** Most names that `found` and `clear` may hold together (PROTOCOL section 3). */
export const MAX_EVIDENCE_NAMES = 64;

const NAME = /^[a-z0-9-]{1,64}$/;
const SDK = /^[\x20-\x7e]{1,64}$/;

function illTyped(member: string): TabError {
  return new TabError('malformed_token', `claim rt.${member} is missing or ill-typed`);
}

function readNames(value: unknown, member: string): readonly string[] {
  if (!Array.isArray(value) || value.length > MAX_EVIDENCE_NAMES) throw illTyped(member);
  for (const name of value as unknown[]) {
    if (typeof name !== 'string' || !NAME.test(name)) throw illTyped(member);
  }
  return value as string[];
}

/** Ensures that no name is said twice: neither within a list nor as both found and clear. */
function checkDistinct(found: readonly string[], clear: readonly string[]): void {
  const total = found.length + clear.length;
  if (total > MAX_EVIDENCE_NAMES) throw new TabError('malformed_token', 'claim rt has too many names');
  if (new Set([...found, ...clear]).size !== total) throw new TabError('malformed_token', 'claim rt has a name twice');
}

/** Reads the runtime evidence of a token made at `iat` (seconds); it cannot have been measured after that. */
export function readEvidence(value: unknown, iat: number): RuntimeEvidence {
  if (!isJsonObject(value)) throw new TabError('malformed_token', 'claim rt is missing or ill-typed');
  const { at, sdk } = value;
  if (!Number.isSafeInteger(at) || (at as number) < 0 || (at as number) > iat) throw illTyped('at');
  if (typeof sdk !== 'string' || !SDK.test(sdk)) throw illTyped('sdk');
  const found = readNames(value.found, 'found');
  const clear = readNames(value.clear, 'clear');
  checkDistinct(found, clear);
  return { at: at as number, found, clear, sdk };
}
