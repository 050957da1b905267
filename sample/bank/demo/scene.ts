import type { MintRequest } from 'nestjs-tab/defender';
import type { DemoBank } from './demo-bank.js';
import { createDevice, createThiefsDevice, type Device } from './device.js';
import { androidPhone, iPhone } from './phones.js';
import { attesterBy } from './services.js';

/** Cents that an honest transfer moves. */
export const AMOUNT = 2_500;

/** Somebody who has logged in. */
export interface Customer {
  readonly device: Device;
  readonly accessToken: string;
  readonly sessionId: string;
  readonly account: { readonly id: string; readonly balance: number };
}

/** Everybody who plays a part. */
export interface Scene {
  readonly bank: DemoBank;
  readonly api: string;
  readonly alice: Customer;
  /** Alice too, with the attested app. */
  readonly attested: Customer;
  /** Alice once more, on phones that their platforms attest. */
  readonly android: Customer;
  readonly iphone: Customer;
  readonly bob: Customer;
  /** Enrolled, and with a copy of Alice's session. */
  readonly thief: Device;
}

/** Alice and Bob log in, each on devices of their own. */
export async function setScene(bank: DemoBank): Promise<Scene> {
  const { api, attester, clock } = bank;
  const alice = await logIn(bank, 'alice');
  const bob = await logIn(bank, 'bob');
  const attested = await logIn(bank, 'alice', createDevice(api, { clock: clock.now, attester: attesterBy(attester) }));
  const android = await logIn(bank, 'alice', androidPhone(bank));
  const iphone = await logIn(bank, 'alice', iPhone(bank));
  return {
    bank,
    api,
    alice,
    attested,
    android,
    iphone,
    bob,
    thief: await createThiefsDevice(api, clock.now, alice.device),
  };
}

/** Closes the clients. */
export async function clearScene({ thief, ...scene }: Scene): Promise<void> {
  const customers = [scene.alice, scene.attested, scene.android, scene.iphone, scene.bob];
  for (const { defender } of [...customers.map(({ device }) => device), thief]) await defender.close();
}

/** Somebody logs in; by default on a new device, which nobody attests. */
export async function logIn(
  { api, clock }: DemoBank,
  username: 'alice' | 'bob',
  device: Device = createDevice(api, { clock: clock.now }),
): Promise<Customer> {
  const response = await device.defender.fetch(`${api}/auth/login`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ username, password: `${username}-secret` }),
  });
  if (response.status !== 200) throw new Error(`${username} could not log in: ${response.status}`);
  const { accessToken, sessionId } = (await response.json()) as { accessToken: string; sessionId: string };
  return { device, accessToken, sessionId, account: await readAccount(api, device, accessToken) };
}

/** Asks for the accounts of a customer. */
export function readAccounts(api: string, { device, accessToken }: Pick<Customer, 'device' | 'accessToken'>) {
  return device.defender.fetch(`${api}/accounts`, { headers: bearer(accessToken) });
}

/** The first account of a customer, as the bank has it now. */
export async function readAccount(api: string, device: Device, accessToken: string): Promise<Customer['account']> {
  const response = await readAccounts(api, { device, accessToken });
  const [account] = (await response.json()) as Customer['account'][];
  if (response.status !== 200 || !account) throw new Error(`GET /accounts was answered ${response.status}`);
  return account;
}

/** A transfer from Alice to Bob, as her app describes it. */
export function transferOf(
  { api, alice, bob }: Scene,
  amount = AMOUNT,
  { accessToken }: Customer = alice,
): MintRequest & { url: string } {
  const order = { from: alice.account.id, to: bob.account.id, amount };
  return {
    method: 'POST',
    url: `${api}/transfers`,
    content: new TextEncoder().encode(JSON.stringify(order)),
    contentType: 'application/json',
    credential: accessToken,
  };
}

/** The call of `fetch` that sends what was described, with a token or without. */
export function callOf(request: MintRequest, token?: string): [url: string | URL, init: RequestInit] {
  const headers = new Headers(request.credential === undefined ? {} : bearer(request.credential));
  if (request.contentType !== undefined) headers.set('Content-Type', request.contentType);
  if (token !== undefined) headers.set('TAB-Token', token);
  return [request.url, { method: request.method, headers, body: request.content?.slice() }];
}

function bearer(accessToken: string): Record<string, string> {
  return { Authorization: `Bearer ${accessToken}` };
}
