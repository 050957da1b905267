import type { ClientAttester } from '../client-attester.js';
import { createDefender, type Defender } from '../defender.js';
import type { DefenderOptions } from '../defender-options.js';
import type { Probe } from '../probe.js';
import { bridgeAttester } from './bridge-attester.js';
import type { BridgeOptions } from './bridge-call.js';
import { bridgeKeyStore } from './bridge-key-store.js';
import { bridgeProbe } from './bridge-probe.js';
import { KeyChallenge } from './key-challenge.js';
import type { BridgeAttestationFormat, NativeBridge } from './native-bridge.js';

/** Options of `bridgeDefender`: those of a Defender, with the shell's key store, probes and attestation in place. */
export interface BridgeDefenderOptions
  extends Omit<DefenderOptions, 'keyStore' | 'probes' | 'attester'>, BridgeOptions {
  readonly bridge: NativeBridge;
  /** The format that the shell attests with, or an attester of one's own; default: none. */
  readonly attestation?: BridgeAttestationFormat | ClientAttester;
  /** Further probes, such as `talsecProbe`. */
  readonly probes?: readonly Probe[];
}

/**
 * A Defender for an app of web technology in a native shell: the key in secure hardware, the probes and the attestation of the
 * shell. With `android-key` the key is made when the server can be reached, since the server's challenge goes into it.
 * @throws TypeError when an option cannot work
 */
export function bridgeDefender(options: BridgeDefenderOptions): Defender {
  const { bridge, alias, timeout, attestation, probes = [], ...rest } = options;
  const shared = { alias, timeout };
  const keyChallenge = attestation === 'android-key' ? new KeyChallenge({ ...rest, timeout }) : undefined;
  const attester =
    typeof attestation === 'string' ? bridgeAttester(bridge, attestation, { ...shared, keyChallenge }) : attestation;
  return createDefender({
    ...rest,
    ...(keyChallenge && { fetch: keyChallenge.fetch }),
    attester,
    remeasureOn: remeasureOn(bridge, rest.remeasureOn),
    keyStore: bridgeKeyStore(bridge, { ...shared, keyChallenge }),
    probes: [bridgeProbe(bridge, { measureTimeout: measureTimeout(rest.probeTimeout) }), ...probes],
  });
}

/** Looks again when the shell tells of a threat, and when the application says so. */
function remeasureOn(bridge: NativeBridge, others: DefenderOptions['remeasureOn']): DefenderOptions['remeasureOn'] {
  return (trigger) => {
    const ends = [bridge.onThreats?.(() => trigger()), others?.(trigger)];
    return () => ends.forEach((end) => end?.());
  };
}

/** Below the time that the Defender gives a probe, so that the threats of events are told even when the shell hangs. */
function measureTimeout(probeTimeout = 5_000): number {
  return probeTimeout * 0.8;
}
