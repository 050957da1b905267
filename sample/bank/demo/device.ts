import {
  createDefender,
  type AssertionMaker,
  memoryKeyStore,
  type ClientAttester,
  type Defender,
  type KeyStore,
  type ProbeResult,
} from 'nestjs-tab/defender';
import { ATTESTED_APP, BANK_APP } from '../tab-options.js';

/** What is looked for. The last is the bank's own. */
const PROBES = ['debugger', 'hooking', 'tamper', 'vpn', 'x-bank-sim-change'] as const;

/** What the probes of a device answer. */
export type ProbeAnswers = Record<(typeof PROBES)[number], ProbeResult>;

/** A device with the bank's app on it, and somebody who listens to what it sends. */
export interface Device {
  readonly defender: Defender;
  readonly keyStore: KeyStore;
  /** May be changed at any time. */
  readonly answers: ProbeAnswers;
  readonly wire: Wire;
}

/** What was overheard last. */
export interface Wire {
  request?: { url: string; init: RequestInit };
  /** Of the answer. */
  status?: number;
  /** A challenge for requests. */
  challenge?: string;
}

/** Settings of a device; by default a new one, which nobody attests. */
export interface DeviceOptions {
  readonly clock: () => number;
  readonly keyStore?: KeyStore;
  /** With one, the app on the device is the attested one, unless `app` says otherwise. */
  readonly attester?: ClientAttester;
  readonly app?: { readonly id: string; readonly platform: string; readonly minVersion: string };
  /** Has the platform vouch for tokens. */
  readonly assertion?: AssertionMaker;
}

/**
 * A device whose probes answer as told, so that the demo goes the same way on every machine. A real Node client uses
 * `nodeDefender` of `nestjs-tab/defender/node`, whose probes look.
 */
export function createDevice(api: string, options: DeviceOptions): Device {
  const { clock, keyStore = memoryKeyStore(), attester, assertion } = options;
  const answers = Object.fromEntries(PROBES.map((name) => [name, 'clear'])) as ProbeAnswers;
  const wire: Wire = {};
  const { id, minVersion, platform } = options.app ?? (attester === undefined ? BANK_APP : ATTESTED_APP);
  const defender = createDefender({
    api,
    app: { id, ver: minVersion, platform },
    keyStore,
    attester,
    assertion,
    clock,
    // Measured for every token, so that a changed answer shows at once.
    evidenceMaxAge: 0,
    // What is overheard is what the scene sends, and nothing beside it.
    proofKeys: false,
    // Nobody else comes at the same time.
    reenrolWait: 0,
    probes: PROBES.map((name) => ({ name, run: () => answers[name] })),
    fetch: overhear(wire),
  });
  return { defender, keyStore, answers, wire };
}

/**
 * A device that has another's session in its memory: what a thief has who copied everything but the key, which does
 * not leave the device that made it.
 */
export async function createThiefsDevice(api: string, clock: () => number, stolenFrom: Device): Promise<Device> {
  const own = createDevice(api, { clock });
  await own.defender.enrol();
  const state = await own.keyStore.loadState();
  if (!state) throw new Error('an enrolled device has a state');
  const apis = { [api]: { ...state.apis[api], session: stolenFrom.defender.session } };
  await own.keyStore.saveState({ ...state, apis });
  await own.defender.close();
  return createDevice(api, { clock, keyStore: own.keyStore });
}

function overhear(wire: Wire): typeof fetch {
  return async (input, init = {}) => {
    wire.request = { url: input instanceof Request ? input.url : input.toString(), init };
    const response = await fetch(input, init);
    wire.status = response.status;
    wire.challenge = response.headers.get('tab-nonce') ?? wire.challenge;
    return response;
  };
}
