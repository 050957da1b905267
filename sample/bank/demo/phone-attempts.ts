import type { MintRequest } from 'nestjs-tab/defender';
import { enrol, told, type Attempt } from './attempt.js';
import { androidPhone } from './phones.js';
import { callOf, transferOf, type Customer, type Scene } from './scene.js';

/** What phones can prove, and what those cannot which are not what they say. */
export const PHONE_ATTEMPTS: readonly Attempt[] = [
  {
    what: 'an Android phone, its key in hardware',
    expected: '201',
    run: (scene) => send(scene, scene.android, '/transfers/hardware'),
  },
  {
    what: 'the same from an app that nobody attests',
    expected: '403 insufficient_trust',
    run: (scene) => send(scene, scene.alice, '/transfers/hardware'),
  },
  {
    what: 'an Android phone with an unlocked boot loader enrols',
    expected: '403 attestation_rejected',
    run: (scene) => refusedPhone(scene, { deviceLocked: false }),
  },
  {
    what: 'another app on an Android phone enrols',
    expected: '403 attestation_rejected',
    run: (scene) => refusedPhone(scene, { packageName: 'com.example.bank.clone' }),
  },
  {
    what: 'an iPhone that vouches for its request',
    expected: '201',
    run: (scene) => send(scene, scene.iphone, '/transfers/asserted'),
  },
  { what: 'the same assertion on another request', expected: '403 insufficient_trust', run: usedAssertion },
  { what: 'another request without an assertion', expected: '403 insufficient_trust', run: noAssertion },
  {
    what: 'the same from a phone that makes no assertions',
    expected: '403 insufficient_trust',
    run: (scene) => send(scene, scene.android, '/transfers/asserted'),
  },
];

function orderAt(scene: Scene, customer: Customer, path: string): MintRequest & { url: string } {
  return { ...transferOf(scene, undefined, customer), url: `${scene.api}${path}` };
}

async function send(scene: Scene, customer: Customer, path: string): Promise<string> {
  return told(await customer.device.defender.fetch(...callOf(orderAt(scene, customer, path))));
}

async function refusedPhone({ bank }: Scene, change: Parameters<typeof androidPhone>[1]): Promise<string> {
  const phone = androidPhone(bank, change);
  const answer = await enrol(phone);
  await phone.defender.close();
  return answer;
}

/** A token of the phone's own, good in every way, with the assertion that was overheard last. */
async function usedAssertion(scene: Scene): Promise<string> {
  const { request } = scene.iphone.device.wire;
  const assertion = new Headers(request?.init.headers).get('TAB-Assertion');
  if (assertion === null) throw new Error('no assertion was overheard');
  return withoutVouching(scene, { 'TAB-Assertion': assertion });
}

function noAssertion(scene: Scene): Promise<string> {
  return withoutVouching(scene, {});
}

async function withoutVouching(scene: Scene, fields: Record<string, string>): Promise<string> {
  const { defender, wire } = scene.iphone.device;
  const order = orderAt(scene, scene.iphone, '/transfers/asserted');
  const [url, init] = callOf(order, await defender.token({ ...order, nonce: wire.challenge }));
  const headers = new Headers(init.headers);
  for (const [name, value] of Object.entries(fields)) headers.set(name, value);
  const response = await fetch(url, { ...init, headers });
  wire.challenge = response.headers.get('tab-nonce') ?? wire.challenge;
  return told(response);
}
