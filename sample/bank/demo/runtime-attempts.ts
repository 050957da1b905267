import type { ProbeResult } from 'nestjs-tab/defender';
import { enrol, told, transfer, type Attempt } from './attempt.js';
import { openBank } from './demo-bank.js';
import type { Device, ProbeAnswers } from './device.js';
import { callOf, logIn, readAccounts, transferOf, type Scene } from './scene.js';

/** Seconds; longer than the policy `transfer` lets an attestation answer a step-up. */
const SOME_MINUTES = 180;

/** Trust that breaks when the runtime breaks: refused, answered by degrees, suspended until the app attests anew. */
export const RUNTIME_ATTEMPTS: readonly Attempt[] = [
  {
    what: 'a debugger reported',
    expected: '403 insufficient_trust',
    run: (scene) => reporting(scene.alice.device, 'debugger', 'found', () => transfer(scene)),
  },
  {
    what: 'a probe not run',
    expected: '403 insufficient_trust',
    run: (scene) => reporting(scene.alice.device, 'hooking', 'unknown', () => transfer(scene)),
  },
  { what: 'a VPN reported, accounts read', expected: '200 transfers-limited; found="vpn"', run: readOverVpn },
  {
    what: 'a VPN reported, money moved',
    expected: '403 insufficient_trust',
    run: (scene) => reporting(scene.alice.device, 'vpn', 'found', () => transfer(scene)),
  },
  { what: 'an attested app reports tampering', expected: '403 insufficient_trust', run: tampered },
  { what: 'it reports clean again', expected: '403 instance_suspended', run: cleanAgain },
  { what: 'it attests anew, still tampered with', expected: '403 instance_suspended', run: attestTampered },
  { what: 'it attests anew, and is clean', expected: '200', run: attestClean },
  { what: 'it moves money again', expected: '201', run: (scene) => transfer(scene, scene.attested) },
  { what: 'a changed SIM, minutes after attesting', expected: '401 step_up_required', run: changedSim },
  { what: 'the app attests anew and asks again', expected: '201', run: stepUp },
  {
    what: 'a debugger reported, in watch mode',
    expected: '200 TAB-Monitor: insufficient_trust',
    run: watchedDebugger,
  },
];

/** Does something while a probe answers otherwise. */
async function reporting<T>(
  { answers }: Device,
  probe: keyof ProbeAnswers,
  answer: ProbeResult,
  work: () => Promise<T>,
): Promise<T> {
  const before = answers[probe];
  answers[probe] = answer;
  try {
    return await work();
  } finally {
    answers[probe] = before;
  }
}

async function readOverVpn({ api, alice }: Scene): Promise<string> {
  const response = await reporting(alice.device, 'vpn', 'found', () => readAccounts(api, alice));
  return [told(response), response.headers.get('bank-notice') ?? ''].join(' ').trim();
}

function tampered(scene: Scene): Promise<string> {
  scene.attested.device.answers.tamper = 'found';
  return transfer(scene, scene.attested);
}

function cleanAgain(scene: Scene): Promise<string> {
  scene.attested.device.answers.tamper = 'clear';
  return transfer(scene, scene.attested);
}

function attestTampered({ bank, attested }: Scene): Promise<string> {
  // What ends a suspension must be from after it, by the second.
  bank.clock.advance(1);
  return reporting(attested.device, 'tamper', 'found', () => enrol(attested.device));
}

function attestClean({ attested }: Scene): Promise<string> {
  return enrol(attested.device);
}

/** Sent once and no more, to see what the bank asks for; the Defender would have attested anew by itself. */
async function changedSim(scene: Scene): Promise<string> {
  const { bank, attested } = scene;
  const { answers, defender, wire } = attested.device;
  bank.clock.advance(SOME_MINUTES);
  answers['x-bank-sim-change'] = 'found';
  const request = transferOf(scene, undefined, attested);
  const token = await defender.token({ ...request, nonce: wire.challenge });
  return told(await fetch(...callOf(request, token)));
}

/** The SIM is as changed as before; the Defender attests, and sends the transfer again. */
async function stepUp(scene: Scene): Promise<string> {
  const answer = await transfer(scene, scene.attested);
  scene.attested.device.answers['x-bank-sim-change'] = 'clear';
  return answer;
}

/** A second bank, which only watches. */
async function watchedDebugger(): Promise<string> {
  const bank = await openBank({ mode: 'monitor' });
  try {
    const alice = await logIn(bank, 'alice');
    const answer = await reporting(alice.device, 'debugger', 'found', () => readAccounts(bank.api, alice));
    await alice.device.defender.close();
    return told(answer);
  } finally {
    await bank.close();
  }
}
