import type { ApiState, DefenderState } from './key-store.js';

/**
 * What to write when a page or process saves `mine`: its own changes since `base`, the state that it last read or wrote, applied to
 * what is `stored` by now. So it does not take back what another one has learned.
 */
export function mergeState(
  base: DefenderState | undefined,
  mine: DefenderState,
  stored: DefenderState | undefined,
): DefenderState {
  // State of another key says nothing of this one.
  const [before, there] = [base, stored].map((state) => (state?.instanceId === mine.instanceId ? state.apis : {}));
  const names = new Set([...Object.keys(there ?? {}), ...Object.keys(mine.apis)]);
  const apis = [...names].map((name) => [name, mergeApi(before?.[name], mine.apis[name], there?.[name])] as const);
  return { instanceId: mine.instanceId, apis: Object.fromEntries(apis) };
}

type Fields = Record<string, unknown>;

function mergeApi(base: ApiState = {}, mine: ApiState = {}, stored: ApiState = {}): ApiState {
  const merged: Fields = { ...stored };
  const [before, after] = [base as Fields, mine as Fields];
  const changed = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (field) => !same(before[field], after[field]),
  );
  for (const field of changed) {
    const value = after[field];
    if (value !== undefined) merged[field] = value;
    // An ending is about the value that was known here, not about one that came since.
    else if (same(merged[field], before[field])) delete merged[field];
  }
  return merged;
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

/** With members in one order, since JSON keeps the order of making. */
function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
