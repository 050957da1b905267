import type { Attack, StepResult } from '../attacks/attack.js';
import { element, spoken } from '../dom.js';

/** One attack: what it does, the button, and what came of it. */
export class AttackCard {
  readonly attack: Attack;
  readonly root: HTMLElement;
  readonly #button: HTMLButtonElement;
  readonly #outcome: HTMLElement;

  /** @param onPress called when the button is pressed, also when it is out of use */
  constructor(attack: Attack, onPress: (card: AttackCard) => void) {
    const { id, title, what } = attack;
    this.attack = attack;
    // Read out as “Try it: Replay a request”: buttons of one name could not be told apart.
    const names = { 'aria-labelledby': `run-${id} title-${id}`, 'aria-describedby': `what-${id}` };
    this.#button = element('button', { type: 'button', id: `run-${id}`, ...names }, 'Try it');
    this.#outcome = element('div', {
      class: 'outcome',
      id: `outcome-${id}`,
      'aria-live': 'polite',
      'aria-atomic': 'true',
    });
    this.root = element(
      'article',
      { class: 'card attack', 'aria-labelledby': `title-${id}` },
      element('h3', { id: `title-${id}`, tabindex: '-1' }, title),
      element('p', { id: `what-${id}`, class: 'what' }, what),
      this.#button,
      this.#outcome,
    );
    this.#button.addEventListener('click', () => onPress(this));
  }

  /** Out of use, and still there for the keyboard: a button that vanishes takes the focus with it. */
  set usable(usable: boolean) {
    this.#button.setAttribute('aria-disabled', String(!usable));
  }

  showRunning(): void {
    this.root.setAttribute('aria-busy', 'true');
    this.root.dataset['state'] = 'running';
    this.#outcome.replaceChildren(element('p', { class: 'verdict' }, 'Running…'));
  }

  showNote(text: string): void {
    this.#outcome.replaceChildren(element('p', { class: 'verdict' }, text));
  }

  showResults(results: readonly StepResult[]): void {
    const matched = results.every((result) => result.matched);
    this.root.removeAttribute('aria-busy');
    this.root.dataset['state'] = matched ? 'matched' : 'unmatched';
    const verdict = matched ? '✓ The bank answered as expected' : '✕ The bank did not answer as expected';
    this.#outcome.replaceChildren(
      element('p', { class: 'verdict' }, verdict),
      element('ol', { class: 'steps' }, ...results.map(step)),
    );
  }
}

function step({ what, expected, answered, matched }: StepResult): HTMLLIElement {
  return element(
    'li',
    { class: matched ? 'matched' : 'unmatched' },
    element('p', {}, what),
    element(
      'p',
      { class: 'answers' },
      element('span', {}, 'expected ', element('code', { class: 'expected' }, expected)),
      element('span', {}, ' answered ', element('code', { class: 'answered' }, answered)),
      spoken(matched ? ', matched' : ', not matched'),
    ),
  );
}
