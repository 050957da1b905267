import { expect } from 'vitest';
import { AttestationError } from '../../../lib/attestation/attestation-error.js';

/** How long such a test may take, full or not. */
export const FUZZ = { timeout: 600_000 };

/** How many inputs of each kind: `TAB_FUZZ=full` for 100,000, or a number; else few enough for every run. */
export function fuzzCount(otherwise = 5000): number {
  const wanted = process.env['TAB_FUZZ'];
  if (wanted === undefined) return otherwise;
  return wanted === 'full' ? 100_000 : Number(wanted);
}

/** A small seeded generator (mulberry32): the same inputs in every run. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** A whole number from 0 to below `limit`. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  text(alphabet: string, length: number): string {
    return Array.from({ length }, () => alphabet.charAt(this.below(alphabet.length))).join('');
  }
}

const TOKEN_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const ANY_ALPHABET = `${TOKEN_ALPHABET}..==+/ {}[]":,\\\0\n\u00e9\u{10ffff}`;

/** Statements and tokens with no plan. */
export function randomInput(dice: Dice): unknown {
  const text = () => dice.text(dice.pick([TOKEN_ALPHABET, ANY_ALPHABET]), dice.below(dice.pick([4, 40, 400])));
  const segments = () => Array.from({ length: dice.below(7) }, text).join('.');
  const json = () => Buffer.from(text()).toString('base64url');
  return dice.pick([text, segments, () => `${json()}.${json()}.${json()}`, () => hostileValue(dice)])();
}

/** A value that no member should have. */
export function hostileValue(dice: Dice): unknown {
  const nested = (depth: number): unknown => (depth === 0 ? 1 : { a: nested(depth - 1) });
  return dice.pick<() => unknown>([
    () => null,
    () => dice.pick([0, -1, 1e300, 0.5, Number.MAX_SAFE_INTEGER + 1, true, false]),
    () => dice.text(ANY_ALPHABET, dice.below(600)),
    () => [],
    () => ({}),
    () => Array.from({ length: dice.below(200) }, () => dice.text(TOKEN_ALPHABET, 8)),
    () => nested(dice.below(100)),
    () => ({ toString: 1, constructor: null, length: -1 }),
  ])();
}

/** The same object with a few members replaced, removed, added or renamed, at any depth. */
export function mutateMembers(value: Record<string, unknown>, dice: Dice): Record<string, unknown> {
  const copy = structuredClone(value);
  for (let edits = 1 + dice.below(3); edits > 0; edits -= 1) edit(copy, dice);
  return copy;
}

function edit(target: Record<string, unknown>, dice: Dice): void {
  const names = Object.keys(target);
  const name = dice.pick([...names, 'crit', 'b64', 'zip', 'jwk', 'x5c', 'extra', 'toString']);
  const inner = target[name];
  const action = dice.below(4);
  if (action < 2 && isObject(inner)) edit(inner, dice);
  else if (action === 1) Reflect.deleteProperty(target, name);
  else if (action === 2) target[name] = dice.pick(Object.values(target));
  else target[name] = hostileValue(dice);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The text with a few characters replaced, removed, doubled or moved. */
export function mutateText(text: string, dice: Dice): string {
  let mutant = text;
  while (mutant === text) {
    const at = dice.below(text.length);
    const end = at + dice.below(dice.pick([2, 40]));
    const insert = dice.pick([
      '',
      dice.text(TOKEN_ALPHABET, 1),
      dice.text(ANY_ALPHABET, 3),
      text.slice(at, end).repeat(2),
    ]);
    mutant = text.slice(0, at) + insert + text.slice(end);
  }
  return mutant;
}

export function segment(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** Runs `verify` once; gives what it threw, and how long it took. */
async function timed(verify: (token: unknown) => Promise<unknown>, input: unknown): Promise<[unknown, number]> {
  const start = performance.now();
  const error: unknown = await verify(input).then(
    () => 'accepted',
    (reason: unknown) => reason,
  );
  return [error, performance.now() - start];
}

/**
 * Runs `verify` over many inputs: each must be refused by an AttestationError. With `TAB_FUZZ` it says how long the slowest
 * took, and how long that one takes again: what does not repeat was the machine.
 */
export async function expectAllRefused(
  count: number,
  make: (dice: Dice) => unknown,
  verify: (token: unknown) => Promise<unknown>,
  seed = 20_260_101,
): Promise<void> {
  const dice = new Dice(seed);
  let slowest: { time: number; input?: unknown } = { time: 0 };
  for (let run = 0; run < count; run += 1) {
    const input = make(dice);
    const [error, time] = await timed(verify, input);
    if (time > slowest.time) slowest = { time, input };
    if (!(error instanceof AttestationError)) expect.fail(`run ${run}: ${String(error)}`);
  }
  if (process.env['TAB_FUZZ'] === undefined) return;
  const [, again] = await timed(verify, slowest.input);
  console.info(`${count} inputs, slowest ${slowest.time.toFixed(1)} ms, again ${again.toFixed(1)} ms`);
}
