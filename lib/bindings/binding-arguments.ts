import { MAX_BLOCKED_RANGES } from './binding-store.js';
import type { Breach, BreachAction, BreachFilter, VersionBlock } from './binding.types.js';

const BREACH_ID = /^[A-Za-z0-9_-]{22}$/;
const APP_ID = /^[A-Za-z0-9._:-]{1,128}$/;
const RANGE = /^[!-~](?:[ -~]{0,253}[!-~])?$/;
const MAX_DETAIL = 500;
const MAX_REASON = 200;
const MAX_THREATS = 64;
const MAX_LISTED = 1000;
const DEFAULT_LISTED = 100;

/** What may be done about a breach. */
export const BREACH_ACTIONS: readonly BreachAction[] = ['reject', 'suspend', 'revoke-session', 'revoke-instance'];

/** Whether a text can be the id of an app (PROTOCOL section 2). */
export function isAppId(text: unknown): text is string {
  return typeof text === 'string' && APP_ID.test(text);
}

/** Whether a text can be the range of a version block; what it means is not looked at. */
export function isBlockRange(text: unknown): text is string {
  return typeof text === 'string' && RANGE.test(text);
}

/**
 * A breach as every store keeps it: its detail cut to 500 characters, so that none goes unrecorded for being explained at length.
 *
 * @throws RangeError when another member does not fit
 */
export function storableBreach(breach: Breach): Breach {
  const { id, instanceId, sessionId, at, code, threats, action, detail } = breach;
  ensure(BREACH_ID.test(id), 'id: 22 characters of base64url');
  ensure(isText(instanceId, 43), 'instanceId: at most 43 characters');
  ensure(sessionId === null || isText(sessionId, 64), 'sessionId: at most 64 characters, or null');
  ensure(Number.isSafeInteger(at), 'at: seconds since the epoch');
  ensure(isText(code, 64), 'code: at most 64 characters');
  ensure(threats.length <= MAX_THREATS && threats.every((name) => isText(name, 64)), 'threats: at most 64 names');
  ensure(BREACH_ACTIONS.includes(action), `action: one of ${BREACH_ACTIONS.join(', ')}`);
  return { id, instanceId, sessionId, at, code, threats: [...threats], action, detail: cut(detail, MAX_DETAIL) };
}

/**
 * A version block as every store keeps it: its reason cut to 200 characters.
 *
 * @throws RangeError when another member does not fit
 */
export function storableBlock({ appId, range, reason, at }: VersionBlock): VersionBlock {
  ensure(isAppId(appId), 'appId: 1 to 128 of A-Z a-z 0-9 . _ : -');
  // Ensures that no two ranges are one to an engine whose text comparison ignores trailing spaces.
  ensure(isBlockRange(range), 'range: 1 to 255 printable ASCII characters, no space at either end');
  ensure(Number.isSafeInteger(at), 'at: seconds since the epoch');
  return { appId, range, reason: cut(reason, MAX_REASON), at };
}

/** What a store rejects with when an app has as many blocked ranges as it may have. */
export function tooManyBlocks(): RangeError {
  return new RangeError(`at most ${MAX_BLOCKED_RANGES} version ranges of an app are blocked: block wider ranges`);
}

/**
 * A filter with its limit within bounds.
 *
 * @throws RangeError when `since` is not a whole number
 */
export function boundedFilter({ instanceId, since, limit }: BreachFilter): BreachFilter & { readonly limit: number } {
  ensure(since === undefined || Number.isSafeInteger(since), 'since: seconds since the epoch');
  const count = Math.min(Math.max(Math.trunc(limit ?? DEFAULT_LISTED), 1), MAX_LISTED);
  ensure(!Number.isNaN(count), 'limit: 1 to 1000');
  return { instanceId, since, limit: count };
}

/** The order in which blocks are listed: that of the octets, whatever the engine sorts by. */
export function inBlockOrder(a: VersionBlock, b: VersionBlock): number {
  return byText(a.appId, b.appId) || byText(a.range, b.range);
}

function byText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** At most `length` characters, none cut in half and none that an engine refuses. */
function cut(text: string, length: number): string {
  const kept = text.length <= length ? text : text.slice(0, length).replace(/[\uD800-\uDBFF]$/, '');
  return kept.replaceAll('\0', '\uFFFD');
}

function isText(value: unknown, length: number): boolean {
  return typeof value === 'string' && value.length <= length && !value.includes('\0');
}

function ensure(fits: boolean, rule: string): void {
  if (!fits) throw new RangeError(rule);
}
