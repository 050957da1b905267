import { isThenable } from '../errors/thenable.js';
import type { TrustDecision } from '../trust/trust-decision.js';

/**
 * Takes out of a record what an operator must not see. It gets a copy and returns what is to be kept. It cannot change
 * `id`, `at`, `outcome`, `enforced`, `category` and `code`.
 */
export type DecisionRedaction = (decision: TrustDecision) => TrustDecision;

/** `key`: text that was proven, of a form that is no token. `text`: text that anybody may have written. */
type Kind = 'fixed' | 'key' | 'text' | 'names' | 'number';

/** All that a record may hold. What is not here goes nowhere. */
const MEMBERS: Readonly<Record<keyof TrustDecision, { kind: Kind; optional?: true }>> = {
  id: { kind: 'fixed' },
  at: { kind: 'fixed' },
  outcome: { kind: 'fixed' },
  enforced: { kind: 'fixed' },
  category: { kind: 'fixed' },
  code: { kind: 'fixed', optional: true },
  detail: { kind: 'text', optional: true },
  method: { kind: 'text' },
  path: { kind: 'text' },
  route: { kind: 'text', optional: true },
  handler: { kind: 'text', optional: true },
  instanceId: { kind: 'key', optional: true },
  proof: { kind: 'text', optional: true },
  appId: { kind: 'text', optional: true },
  appVersion: { kind: 'text', optional: true },
  sessionId: { kind: 'key', optional: true },
  subject: { kind: 'text', optional: true },
  threats: { kind: 'names' },
  flags: { kind: 'names' },
  watched: { kind: 'names' },
  action: { kind: 'text', optional: true },
  duration: { kind: 'number' },
};

const KNOWN = new Map(Object.entries(MEMBERS));
const REQUIRED = [...KNOWN].filter(([, { kind, optional }]) => kind !== 'fixed' && !optional).map(([name]) => name);

/** What stands where no more than the fixed members may be kept. */
const BLANK = { method: '', path: '', threats: [], flags: [], watched: [], duration: 0 } as const;

/** Compact JOSE: three or more segments, or the beginning of one that was cut off. The look-behind keeps it linear. */
const COMPACT = /(?<![\w-])(?:ey[JA][\w-]{13,}(?:\.[\w-]*)*|[\w-]{16,}(?:\.[\w-]{16,}){2,})/g;
const HIDDEN = '[token]';
/** What `COMPACT` matches at least: `ey`, one more, and thirteen. */
const SHORTEST_TOKEN = 16;

/**
 * The record as it may be seen: known members only, frozen, without anything that looks like a token, a path being able to
 * hold one. A hook that fails, or returns something else than a record, leaves the fixed members only.
 */
export function redactDecision(
  decision: TrustDecision,
  redact: DecisionRedaction | undefined,
  onFailure: (error: unknown) => void,
): TrustDecision {
  const { id, at, outcome, enforced, category, code } = decision;
  const fixed = { id, at, outcome, enforced, category, ...(code !== undefined && { code }) };
  try {
    if (redact === undefined && isCleanAlready(decision)) return Object.freeze(decision);
    const shown = redact === undefined ? decision : callHook(redact, decision);
    return Object.freeze(Object.assign(knownMembers(shown, code === undefined), fixed));
  } catch (error) {
    onFailure(error);
    return Object.freeze({ ...BLANK, ...fixed });
  }
}

/** Whether a decision may be kept as it is: most of ours have nothing to take out, and a copy costs every request. */
function isCleanAlready(decision: TrustDecision): boolean {
  for (const name in decision) {
    const kind = KNOWN.get(name)?.kind;
    const value: unknown = decision[name as keyof TrustDecision];
    if (kind === undefined || value === undefined) return false;
    if (kind === 'text' && (typeof value !== 'string' || withoutTokens(value) !== value)) return false;
    if (kind === 'names' && !(Array.isArray(value) && value.length === 0 && Object.isFrozen(value))) return false;
  }
  return true;
}

/** The hook gets a copy: what it does to it must not change the decision that the guard acts on. */
function callHook(redact: DecisionRedaction, decision: TrustDecision): TrustDecision {
  const { threats, flags, watched } = decision;
  const shown: unknown = redact({ ...decision, threats: [...threats], flags: [...flags], watched: [...watched] });
  if (isThenable(shown)) {
    // Its rejection would otherwise end the process.
    shown.then(undefined, () => undefined);
    throw new TypeError('the redaction hook must not be asynchronous');
  }
  if (typeof shown !== 'object' || shown === null) throw new TypeError('the redaction hook returned no record');
  return shown as TrustDecision;
}

/** A copy with the known members only, each checked. Members are overwritten rather than added, which is several times faster. */
function knownMembers(shown: TrustDecision, withoutCode: boolean): TrustDecision {
  const members: Record<string, unknown> = { ...shown };
  for (const name of Object.keys(members)) {
    const member = KNOWN.get(name);
    const value = members[name];
    if (member === undefined || value === undefined || (withoutCode && name === 'code')) delete members[name];
    else members[name] = checked(member.kind, value);
  }
  if (!REQUIRED.every((name) => name in members)) throw new TypeError('the redaction hook left out a member');
  return members as unknown as TrustDecision;
}

function checked(kind: Kind, value: unknown): unknown {
  switch (kind) {
    case 'fixed':
      return value;
    case 'key':
      return text(value);
    case 'text':
      return withoutTokens(text(value));
    case 'names':
      if (!Array.isArray(value)) throw new TypeError('the redaction hook changed the type of a list');
      return Object.freeze(value.map((name) => withoutTokens(text(name))));
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError('the redaction hook changed the type of a number');
      return value;
  }
}

function withoutTokens(value: string): string {
  // Most texts cannot match, and this is on the way of every request.
  if (value.length < SHORTEST_TOKEN) return value;
  if (!value.includes('ey') && value.indexOf('.') === value.lastIndexOf('.')) return value;
  return value.replace(COMPACT, HIDDEN);
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError('the redaction hook changed the type of a text');
  return value;
}
