import { DefenderError } from 'nestjs-tab/defender';
import type { Device } from './device.js';
import { callOf, transferOf, type Customer, type Scene } from './scene.js';

/** Something that is tried, and what the bank must answer: a status, and the code of a refusal. */
export interface Attempt {
  readonly what: string;
  readonly expected: string;
  run(scene: Scene): Promise<string>;
}

/** `201`, `401 replayed_token`, or `200 TAB-Monitor: insufficient_trust`. */
export function told({ status, headers }: Response): string {
  const watched = headers.get('tab-monitor');
  return [status, headers.get('tab-error') ?? '', watched === null ? '' : `TAB-Monitor: ${watched}`]
    .filter((part) => part !== '')
    .join(' ');
}

/** Alice moves money to Bob, as her app does it. */
export async function transfer(scene: Scene, customer: Customer = scene.alice): Promise<string> {
  return told(await customer.device.defender.fetch(...callOf(transferOf(scene, undefined, customer))));
}

/** Has a device enrol, with whatever attests it. */
export async function enrol({ defender, wire }: Device): Promise<string> {
  try {
    await defender.enrol();
    return String(wire.status);
  } catch (error) {
    if (error instanceof DefenderError && error.tabError) return `${error.status} ${error.tabError}`;
    throw error;
  }
}
