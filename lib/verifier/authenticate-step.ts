import type { Bindings } from '../bindings/binding.types.js';
import { callStore } from '../bindings/store-call.js';
import { TabError } from '../errors/tab-error.js';
import { PROOF_KEY_ALGORITHM } from '../token/proof-key-id.js';
import type { KeyRing } from './key-ring.js';
import { proofKeyStep } from './proof-key-step.js';
import type { VerifierSettings } from './settings.js';
import { sessionIdOf } from './state-step.js';
import type { AuthenticToken, BoundToken } from './steps.types.js';

/** Reads instance and session in one round trip. */
export function loadBindings(
  settings: VerifierSettings,
  instanceId: string,
  sessionId: string | undefined,
): Promise<Bindings> {
  return callStore('binding store', settings.storeTimeout, () => settings.bindings.load({ instanceId, sessionId }));
}

/**
 * Step 3: the instance's key, its algorithm, the signature; or the MAC of a proof key. Writes to no store.
 *
 * @param now seconds since the epoch
 */
export async function authenticateStep(
  bound: BoundToken,
  settings: VerifierSettings,
  keys: KeyRing,
  now: number,
): Promise<AuthenticToken> {
  const { header, claims, compact } = bound.parsed;
  if (header.alg === PROOF_KEY_ALGORITHM) return proofKeyStep(bound, header, settings, now);
  let key = keys.get(header.kid);
  let preloaded: Bindings | undefined;
  // An RSA key may have been deleted and enrolled again for another algorithm since it was kept.
  if (key === undefined || key.alg !== header.alg) {
    preloaded = await loadBindings(settings, header.kid, sessionIdOf(claims));
    if (preloaded.instance === undefined) throw new TabError('unknown_instance', 'instance is not enrolled');
    key = keys.add(preloaded.instance);
  }
  if (key.alg !== header.alg) throw new TabError('unsupported_alg', 'alg is not that of the enrolled key');
  await settings.signatures.check(key, compact.signingInput, compact.signature);
  return { instanceId: header.kid, claims, proof: 'signature', preloaded };
}
