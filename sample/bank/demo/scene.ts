import type { MintRequest } from 'nestjs-tab/defender';
import { createDevice, createThiefsDevice, type Device } from './device.js';

/** Cents that the honest transfer moves. */
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
  readonly api: string;
  readonly alice: Customer;
  readonly bob: Customer;
  /** Enrolled, and with a copy of Alice's session. */
  readonly thief: Device;
  /** What an operator does. */
  revokeSession(id: string): Promise<unknown>;
}

/** Alice and Bob log in, each on a device of their own. */
export async function setScene(api: string, revokeSession: Scene['revokeSession']): Promise<Scene> {
  const alice = await logIn(api, 'alice', 'alice-secret');
  const bob = await logIn(api, 'bob', 'bob-secret');
  return { api, alice, bob, thief: await createThiefsDevice(api, alice.device), revokeSession };
}

/** Closes the clients. */
export async function clearScene({ alice, bob, thief }: Scene): Promise<void> {
  for (const { defender } of [alice.device, bob.device, thief]) await defender.close();
}

/** The first account of a customer, as the bank has it now. */
export async function readAccount(api: string, device: Device, accessToken: string): Promise<Customer['account']> {
  const response = await device.defender.fetch(`${api}/accounts`, { headers: bearer(accessToken) });
  const [account] = (await response.json()) as Customer['account'][];
  if (response.status !== 200 || !account) throw new Error(`GET /accounts was answered ${response.status}`);
  return account;
}

/** A transfer from Alice to Bob, as her app describes it. */
export function transferOf({ api, alice, bob }: Scene, amount = AMOUNT): MintRequest & { url: string } {
  const order = { from: alice.account.id, to: bob.account.id, amount };
  return {
    method: 'POST',
    url: `${api}/transfers`,
    content: new TextEncoder().encode(JSON.stringify(order)),
    contentType: 'application/json',
    credential: alice.accessToken,
  };
}

/** The call of `fetch` that sends what was described, with a token or without. */
export function callOf(request: MintRequest, token?: string): [url: string | URL, init: RequestInit] {
  const headers = new Headers(request.credential === undefined ? {} : bearer(request.credential));
  if (request.contentType !== undefined) headers.set('Content-Type', request.contentType);
  if (token !== undefined) headers.set('TAB-Token', token);
  return [request.url, { method: request.method, headers, body: request.content?.slice() }];
}

async function logIn(api: string, username: string, password: string): Promise<Customer> {
  const device = createDevice(api);
  const response = await device.defender.fetch(`${api}/auth/login`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ username, password }),
  });
  if (response.status !== 200) throw new Error(`${username} could not log in: ${response.status}`);
  const { accessToken, sessionId } = (await response.json()) as { accessToken: string; sessionId: string };
  return { device, accessToken, sessionId, account: await readAccount(api, device, accessToken) };
}

function bearer(accessToken: string): Record<string, string> {
  return { Authorization: `Bearer ${accessToken}` };
}
