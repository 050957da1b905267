import { createDefender, memoryKeyStore, type Defender, type KeyStore, type ProbeResult } from 'nestjs-tab/defender';
import { BANK_APP } from '../tab-options.js';

/** What the probes of a device answer. */
export type ProbeAnswers = Record<'debugger' | 'hooking' | 'tamper', ProbeResult>;

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
  /** A challenge for requests. */
  challenge?: string;
}

/** Settings of a device; by default a new one whose clock is right. */
export interface DeviceOptions {
  readonly keyStore?: KeyStore;
  readonly clock?: () => number;
}

/**
 * A device whose probes answer as told, so that the demo goes the same way on every machine. A real Node client uses
 * `nodeDefender` of `nestjs-tab/defender/node`, whose probes look.
 */
export function createDevice(api: string, { keyStore = memoryKeyStore(), clock }: DeviceOptions = {}): Device {
  const answers: ProbeAnswers = { debugger: 'clear', hooking: 'clear', tamper: 'clear' };
  const wire: Wire = {};
  const defender = createDefender({
    api,
    app: { id: BANK_APP.id, ver: BANK_APP.minVersion, platform: BANK_APP.platform },
    keyStore,
    clock,
    // Measured for every token, so that a changed answer shows at once.
    evidenceMaxAge: 0,
    probes: (['debugger', 'hooking', 'tamper'] as const).map((name) => ({ name, run: () => answers[name] })),
    fetch: overhear(wire),
  });
  return { defender, keyStore, answers, wire };
}

/**
 * A device that has another's session in its memory: what a thief has who copied everything but the key, which does
 * not leave the device that made it.
 */
export async function createThiefsDevice(api: string, stolenFrom: Device): Promise<Device> {
  const own = createDevice(api);
  await own.defender.enrol();
  const state = await own.keyStore.loadState();
  if (!state) throw new Error('an enrolled device has a state');
  const apis = { [api]: { ...state.apis[api], session: stolenFrom.defender.session } };
  await own.keyStore.saveState({ ...state, apis });
  await own.defender.close();
  return createDevice(api, { keyStore: own.keyStore });
}

function overhear(wire: Wire): typeof fetch {
  return async (input, init = {}) => {
    wire.request = { url: input instanceof Request ? input.url : input.toString(), init };
    const response = await fetch(input, init);
    wire.challenge = response.headers.get('tab-nonce') ?? wire.challenge;
    return response;
  };
}
