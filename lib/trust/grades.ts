import type { RuntimeRequirement } from './requirement.js';
import { isKnownThreat } from './threats.js';

/** How a policy answers a threat that was found. */
export type Grade = 'deny' | 'stepUp' | 'flag' | 'monitor' | 'ignore';

/** The lists of a runtime requirement, strictest first. */
export const GRADE_LISTS = ['deny', 'stepUp', 'flag', 'monitor'] as const;

const compiled = new WeakMap<RuntimeRequirement, ReadonlyMap<string, Grade>>();

/** The names that the lists name. A name in two lists, which start-up refuses, is answered by the stricter. */
function compile(runtime: RuntimeRequirement): ReadonlyMap<string, Grade> {
  const grades = new Map<string, Grade>();
  for (const grade of GRADE_LISTS) {
    const names = runtime[grade];
    if (names === 'all') continue;
    for (const name of names) if (!grades.has(name)) grades.set(name, grade);
  }
  return grades;
}

/** How the requirement answers a name. Compiled once per requirement. */
export function gradeOf(name: string, runtime: RuntimeRequirement): Grade {
  let grades = compiled.get(runtime);
  if (grades === undefined) compiled.set(runtime, (grades = compile(runtime)));
  const grade = grades.get(name);
  if (grade !== undefined) return grade;
  // Nobody has judged an unknown name harmless, so that it is denied also where a list says what else is.
  if (!isKnownThreat(name)) return runtime.unknown;
  return runtime.deny === 'all' ? 'deny' : 'ignore';
}
