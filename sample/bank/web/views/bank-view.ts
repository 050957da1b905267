import { toldError } from '../answers.js';
import type { Customer } from '../customer.js';
import { byId, element, money } from '../dom.js';

/** Accounts that money can be sent to besides one's own. */
const OTHERS: Readonly<Record<string, string>> = { alice: 'bob-current', bob: 'alice-current' };

/** Sign-in, accounts and transfers. */
export class BankView {
  readonly #customer: Customer;
  readonly #onChange: () => void;
  readonly #signIn = byId('sign-in', HTMLFormElement);
  readonly #username = byId('username', HTMLSelectElement);
  readonly #password = byId('password', HTMLInputElement);
  readonly #panel = byId('customer', HTMLDivElement);
  readonly #accounts = byId('accounts', HTMLUListElement);
  readonly #from = byId('from', HTMLSelectElement);
  readonly #to = byId('to', HTMLSelectElement);
  readonly #amount = byId('amount', HTMLInputElement);
  readonly #message = byId('bank-message', HTMLParagraphElement);

  /** @param onChange called when somebody has signed in or out */
  constructor(customer: Customer, onChange: () => void) {
    this.#customer = customer;
    this.#onChange = onChange;
    this.#username.addEventListener('change', () => (this.#password.value = `${this.#username.value}-secret`));
    this.#signIn.addEventListener('submit', (event) => this.#do(event, () => this.#enter()));
    byId('transfer', HTMLFormElement).addEventListener('submit', (event) => this.#do(event, () => this.#move()));
    byId('sign-out', HTMLButtonElement).addEventListener('click', (event) => this.#do(event, () => this.#leave()));
  }

  /** Name and password as they stand in the form. */
  credentials(): { username: string; password: string } {
    return { username: this.#username.value, password: this.#password.value };
  }

  /** Asks the bank for the accounts, and shows them. */
  async refresh(): Promise<void> {
    if (this.#customer.username !== undefined) await this.#customer.readAccounts().catch(() => undefined);
    this.show();
  }

  /** Shows what is known. */
  show(): void {
    const { username, accounts } = this.#customer;
    this.#signIn.hidden = username !== undefined;
    this.#panel.hidden = username === undefined;
    byId('customer-name', HTMLElement).textContent = username ?? '';
    const rows = accounts.map(({ id, balance }) =>
      element('li', {}, element('span', {}, nameOf(id)), element('strong', {}, money(balance))),
    );
    this.#accounts.replaceChildren(...rows);
    const own = accounts.map(({ id }) => id);
    choose(this.#from, own);
    choose(this.#to, [OTHERS[username ?? ''] ?? '', ...own.slice(1)]);
    this.#onChange();
  }

  async #enter(): Promise<string> {
    const { username, password } = this.credentials();
    const answer = await this.#customer.signIn(username, password);
    await this.refresh();
    return answer === '200'
      ? `Signed in; the session is bound to this device (${answer}).`
      : `Not signed in: ${answer}`;
  }

  async #move(): Promise<string> {
    const amount = Math.round(Number(this.#amount.value.replace(',', '.')) * 100);
    const order = { from: this.#from.value, to: this.#to.value, amount };
    const answer = await this.#customer.transfer(order);
    if (answer !== '201') return `Not moved: ${answer}`;
    await this.refresh();
    return `${money(amount)} moved to ${nameOf(order.to)} (${answer}).`;
  }

  async #leave(): Promise<string> {
    const answer = await this.#customer.signOut();
    this.show();
    return `Signed out (${answer}).`;
  }

  #do(event: Event, work: () => Promise<string>): void {
    event.preventDefault();
    this.#message.textContent = '';
    void work()
      .catch((error: unknown) => `It did not work: ${toldError(error)}`)
      .then((message) => (this.#message.textContent = message));
  }
}

/** `alice-current` as `Alice, current`. */
function nameOf(account: string): string {
  const [owner = '', kind = ''] = account.split('-');
  return `${owner.charAt(0).toUpperCase()}${owner.slice(1)}, ${kind}`;
}

/** Fills a list, and keeps what was chosen where it is still there. */
function choose(select: HTMLSelectElement, values: readonly string[]): void {
  const chosen = select.value;
  select.replaceChildren(...values.map((value) => element('option', { value }, nameOf(value))));
  if (values.includes(chosen)) select.value = chosen;
}
