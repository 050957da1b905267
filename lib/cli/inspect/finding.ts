import { TabError } from '../../errors/tab-error.js';

/** What came of a check: it passed, it would refuse, or it needs something that is not at hand. */
export type Verdict = 'ok' | 'refused' | 'unchecked';

/** One line of what is said: a fact, a check, or a group of them. */
export interface Finding {
  readonly label: string;
  readonly value?: string;
  readonly verdict?: Verdict;
  readonly children?: readonly Finding[];
}

const SHOWN = 160;

/** What is read of the evidence, whoever wrote it. */
export function fact(label: string, value: unknown): Finding {
  const shown = typeof value === 'string' ? value : textOf(value);
  return { label, value: shown.length > SHOWN ? `${shown.slice(0, SHOWN)}… (${shown.length} characters)` : shown };
}

function textOf(value: unknown): string {
  try {
    return value === undefined ? 'absent' : JSON.stringify(value, writable);
  } catch {
    return 'nested too deep to be shown';
  }
}

/** Facts about every member of an object. */
export function facts(label: string, members: object): Finding {
  return group(
    label,
    Object.entries(members).map(([name, value]) => fact(name, value)),
  );
}

/** Values that JSON does not have. */
function writable(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (value instanceof Map) return Object.fromEntries(value as Map<PropertyKey, unknown>);
  return value;
}

export function group(label: string, children: readonly Finding[]): Finding {
  return { label, children };
}

/** A check that cannot be made here, and what it would need. */
export function unchecked(label: string, why: string): Finding {
  return { label, value: why, verdict: 'unchecked' };
}

/** A check that is made by `run`: it passes unless that throws. Faults that are not refusals are not told as such. */
export function check(label: string, run: () => unknown): Finding {
  try {
    run();
    return { label, verdict: 'ok' };
  } catch (error) {
    if (!(error instanceof TabError)) throw error;
    return { label, value: error.message, verdict: 'refused' };
  }
}

/** A check that is a comparison. */
export function same(label: string, expected: string, found: string): Finding {
  if (expected === found) return { label, verdict: 'ok' };
  return { label, value: `expected ${expected}, found ${found}`, verdict: 'refused' };
}

/** What `read` returns, or undefined with the refusal as a finding. */
export function attempt<T>(label: string, read: () => T): readonly [T | undefined, Finding] {
  let value: T | undefined;
  const finding = check(label, () => {
    value = read();
  });
  return [value, finding];
}

/** All checks with this verdict, however deep. */
export function withVerdict(finding: Finding, verdict: Verdict): readonly Finding[] {
  const below = (finding.children ?? []).flatMap((child) => withVerdict(child, verdict));
  return finding.verdict === verdict ? [finding, ...below] : below;
}
