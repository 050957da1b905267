import type { Customer } from '../customer.js';
import type { Device } from '../device.js';

/** Who plays a part. */
export interface Scene {
  readonly device: Device;
  readonly customer: Customer;
  /** Name and password as they stand in the form. */
  readonly credentials: () => { readonly username: string; readonly password: string };
}

/** Something that is tried, and what the bank must answer: a status, and the code of a refusal. */
export interface Step {
  readonly what: string;
  readonly expected: string;
  run(scene: Scene): Promise<string>;
}

/** An attack as a card shows it. */
export interface Attack {
  /** Part of ids in the page. */
  readonly id: string;
  /** What is on the button. */
  readonly title: string;
  /** What an attacker does, and why it could work elsewhere. */
  readonly what: string;
  /** In this order; made anew for each run, since later steps use what earlier ones got. */
  steps(scene: Scene): readonly Step[] | Promise<readonly Step[]>;
  /** Possible with a device that the bank has suspended or revoked. Default false. */
  readonly withBrokenDevice?: boolean;
}

/** One step that was taken. */
export interface StepResult {
  readonly what: string;
  readonly expected: string;
  readonly answered: string;
  readonly matched: boolean;
}

/** Cents that honest transfers of the lab move. */
export const AMOUNT = 100;

/** The customer's own transfer, as an attack needs it before it can begin. */
export function honestTransfer(what: string): Step {
  return { what, expected: '201', run: ({ customer }) => customer.transfer(customer.orderOf(AMOUNT)) };
}
