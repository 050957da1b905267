import { toldError } from '../answers.js';
import type { Attack, Scene, StepResult } from './attack.js';
import { REQUEST_ATTACKS } from './request-attacks.js';
import { RUNTIME_ATTACKS } from './runtime-attacks.js';

/** In the order of the page. */
export const ATTACKS: readonly Attack[] = [...REQUEST_ATTACKS, ...RUNTIME_ATTACKS];

/** Takes the steps one after the other, and goes on whatever is answered. */
export async function runAttack(attack: Attack, scene: Scene): Promise<readonly StepResult[]> {
  const results: StepResult[] = [];
  for (const { what, expected, run } of await attack.steps(scene)) {
    const answered = await run(scene).catch((error: unknown) => `error: ${toldError(error)}`);
    results.push({ what, expected, answered, matched: answered === expected });
  }
  return results;
}
