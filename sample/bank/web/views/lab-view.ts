import type { Attack, Scene } from '../attacks/attack.js';
import { ATTACKS, runAttack } from '../attacks/attacks.js';
import { byId } from '../dom.js';
import { AttackCard } from './attack-card.js';

const SIGN_IN_FIRST = 'Sign in first: a thief needs something to steal.';
const START_OVER_FIRST = 'The bank refuses this device: start over with a new key first.';
const READY = 'Each one runs here and now, and shows what the bank answered.';

/** The attacks, and what came of them. One at a time: each begins with what the one before has left. */
export class LabView {
  readonly #scene: Scene;
  readonly #onChange: () => Promise<void>;
  readonly #hint = byId('lab-hint', HTMLParagraphElement);
  readonly #summary = byId('lab-summary', HTMLParagraphElement);
  readonly #runAll = byId('run-all', HTMLButtonElement);
  readonly #cards: readonly AttackCard[];
  #last: Promise<unknown> = Promise.resolve();

  /** @param onChange called after each attack */
  constructor(scene: Scene, onChange: () => Promise<void>) {
    this.#scene = scene;
    this.#onChange = onChange;
    this.#cards = ATTACKS.map((attack) => new AttackCard(attack, (card) => this.#queue(() => this.#run(card))));
    byId('attacks', HTMLDivElement).append(...this.#cards.map(({ root }) => root));
    this.#runAll.addEventListener('click', () => this.#queue(() => this.#all()));
  }

  /** Shows which attacks are possible now. */
  show(): void {
    const note = this.#obstacle();
    this.#hint.textContent = note ?? READY;
    this.#runAll.setAttribute('aria-disabled', String(this.#scene.customer.username === undefined));
    for (const card of this.#cards) card.usable = this.#obstacle(card.attack) === undefined;
  }

  /** What is in the way, if anything is. */
  #obstacle(attack?: Attack): string | undefined {
    const { device, customer } = this.#scene;
    if (attack?.withBrokenDevice && device.broken !== undefined) return undefined;
    if (customer.username === undefined) return SIGN_IN_FIRST;
    return device.broken === undefined || attack?.withBrokenDevice ? undefined : START_OVER_FIRST;
  }

  async #run(card: AttackCard): Promise<boolean> {
    const obstacle = this.#obstacle(card.attack);
    if (obstacle !== undefined) {
      card.showNote(obstacle);
      return false;
    }
    card.showRunning();
    const results = await runAttack(card.attack, this.#scene);
    card.showResults(results);
    await this.#onChange();
    return results.every(({ matched }) => matched);
  }

  async #all(): Promise<void> {
    if (this.#scene.customer.username === undefined) {
      this.#summary.textContent = SIGN_IN_FIRST;
      return;
    }
    this.#summary.textContent = 'Running all attacks…';
    const recovery = this.#cards.find(({ attack }) => attack.withBrokenDevice);
    let matched = 0;
    for (const card of this.#cards) {
      if (this.#scene.device.broken !== undefined && recovery && card !== recovery) await this.#run(recovery);
      if (await this.#run(card)) matched += 1;
    }
    this.#summary.textContent = `${matched} of ${this.#cards.length} went as expected.`;
  }

  #queue(work: () => Promise<unknown>): void {
    this.#last = this.#last.then(work);
  }
}
