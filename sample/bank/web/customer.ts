import type { MintRequest } from 'nestjs-tab/defender';
import { told } from './answers.js';
import type { Device } from './device.js';

/** An account as the bank lists it. `balance` in cents. */
export interface Account {
  readonly id: string;
  readonly owner: string;
  readonly balance: number;
}

/** `amount` in cents. */
export interface TransferOrder {
  readonly from: string;
  readonly to: string;
  readonly amount: number;
}

/** Where the access token stays while the page is loaded anew. */
const STORED = 'bank-sign-in';
/** Seconds before its end at which an access token is renewed. */
const EARLY = 30;

interface SignIn {
  readonly username: string;
  readonly accessToken: string;
  /** Milliseconds since the epoch. */
  readonly expires: number;
}

/** Somebody who banks with this page. */
export class Customer {
  readonly #device: Device;
  #signIn: SignIn | undefined = readStored();
  accounts: readonly Account[] = [];

  constructor(device: Device) {
    this.#device = device;
  }

  get username(): string | undefined {
    return this.#signIn?.username;
  }

  /** What thieves are after. Useless without the key of the device, as the attacks show. */
  get accessToken(): string {
    if (this.#signIn === undefined) throw new Error('Nobody is signed in');
    return this.#signIn.accessToken;
  }

  /** Enrols the device where necessary, and starts a session of it. */
  async signIn(username: string, password: string): Promise<string> {
    const response = await this.#send('POST', '/auth/login', { username, password }, false);
    if (response.status === 200) await this.#keep(username, response);
    return told(response);
  }

  async signOut(): Promise<string> {
    const response = await this.#send('DELETE', '/auth/session');
    this.forget();
    return told(response);
  }

  /** Forgets the access token on this side only. */
  forget(): void {
    this.#signIn = undefined;
    this.accounts = [];
    sessionStorage.removeItem(STORED);
  }

  async readAccounts(): Promise<string> {
    await this.#renew();
    const response = await this.#send('GET', '/accounts');
    if (response.status === 200) this.accounts = (await response.json()) as Account[];
    return told(response);
  }

  async transfer(order: TransferOrder): Promise<string> {
    await this.#renew();
    return told(await this.#send('POST', '/transfers', order));
  }

  /** The user gives up this device. */
  async revokeDevice(): Promise<string> {
    await this.#renew();
    return told(await this.#send('POST', '/lab/revoke'));
  }

  /** A transfer of `amount` cents to the other customer of the bank, from the first account. */
  orderOf(amount: number): TransferOrder {
    const from = this.accounts[0]?.id ?? `${this.username}-current`;
    return { from, to: this.username === 'bob' ? 'alice-current' : 'bob-current', amount };
  }

  /** A transfer as a token is made for it. */
  describe(order: TransferOrder): MintRequest & { readonly url: string } {
    return {
      method: 'POST',
      url: `${this.#device.api}/transfers`,
      content: new TextEncoder().encode(JSON.stringify(order)),
      contentType: 'application/json',
      credential: this.accessToken,
    };
  }

  async #renew(): Promise<void> {
    const { username, expires } = this.#signIn ?? {};
    if (username === undefined || expires === undefined || Date.now() < expires - EARLY * 1000) return;
    const response = await this.#send('POST', '/auth/refresh');
    if (response.status === 200) await this.#keep(username, response);
  }

  #send(method: string, path: string, body?: unknown, signed = true): Promise<Response> {
    const headers = new Headers(signed ? { Authorization: `Bearer ${this.accessToken}` } : {});
    if (body !== undefined) headers.set('Content-Type', 'application/json');
    const content = body === undefined ? undefined : JSON.stringify(body);
    return this.#device.defender.fetch(`${this.#device.api}${path}`, { method, headers, body: content });
  }

  async #keep(username: string, response: Response): Promise<void> {
    const { accessToken, expiresIn } = (await response.json()) as { accessToken: string; expiresIn: number };
    this.#signIn = { username, accessToken, expires: Date.now() + expiresIn * 1000 };
    sessionStorage.setItem(STORED, JSON.stringify(this.#signIn));
  }
}

function readStored(): SignIn | undefined {
  const stored = sessionStorage.getItem(STORED);
  return stored === null ? undefined : (JSON.parse(stored) as SignIn);
}
