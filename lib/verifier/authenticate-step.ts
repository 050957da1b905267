import type { Bindings } from '../bindings/binding.types.js';
import { callStore } from '../bindings/store-call.js';
import { TabError } from '../errors/tab-error.js';
import { PROOF_KEY_ALGORITHM } from '../token/proof-key-id.js';
import type { InstanceKey } from '../token/signature.js';
import { importInstanceKey, type KeyRing } from './key-ring.js';
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
 * Step 3: the instance's key, its algorithm, the signature; or the MAC of a proof key. Writes to no store. A promise only where
 * the key has to be read first, or the pool verifies.
 *
 * @param now seconds since the epoch
 */
export function authenticateStep(
  bound: BoundToken,
  settings: VerifierSettings,
  keys: KeyRing,
  now: number,
): AuthenticToken | Promise<AuthenticToken> {
  const { header } = bound.parsed;
  if (header.alg === PROOF_KEY_ALGORITHM) return proofKeyStep(bound, header, settings, now);
  const key = keys.get(header.kid);
  // An RSA key may have been deleted and enrolled again for another algorithm since it was kept; step 4 asks for which.
  if (key !== undefined && key.alg === header.alg) return checkSignature(bound, key, settings, undefined);
  return authenticateNewcomer(bound, header.kid, settings, keys);
}

/** For a key that is not at hand. Kept only once it has verified a signature: whoever knows ids must not push others out. */
async function authenticateNewcomer(
  bound: BoundToken,
  instanceId: string,
  settings: VerifierSettings,
  keys: KeyRing,
): Promise<AuthenticToken> {
  const loaded = await loadBindings(settings, instanceId, sessionIdOf(bound.parsed.claims));
  if (loaded.instance === undefined) throw new TabError('unknown_instance', 'instance is not enrolled');
  const key = importInstanceKey(loaded.instance);
  const authentic = await checkSignature(bound, key, settings, loaded);
  keys.keep(instanceId, key);
  return authentic;
}

function checkSignature(
  { parsed: { header, claims, compact } }: BoundToken,
  key: InstanceKey,
  { signatures }: VerifierSettings,
  preloaded: Bindings | undefined,
): AuthenticToken | Promise<AuthenticToken> {
  // Ensures that nobody but the enrolment decides by which algorithm a key is used.
  if (key.alg !== header.alg) throw new TabError('unsupported_alg', 'alg is not that of the enrolled key');
  const authentic: AuthenticToken = {
    instanceId: header.kid,
    claims,
    proof: 'signature',
    algorithm: key.alg,
    preloaded,
  };
  const checking = signatures.check(key, compact.signingInput, compact.signature);
  return checking === undefined ? authentic : checking.then(() => authentic);
}
