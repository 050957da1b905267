import { callStore } from '../bindings/store-call.js';
import { TabError } from '../errors/tab-error.js';
import type { RegisteredApp, VerifierSettings } from './settings.js';
import type { AuthenticToken } from './steps.types.js';

/**
 * Suspends an instance that reports a threat which its app answers with suspension (PROTOCOL section 5). Only for the
 * token that won its claim: a replayed report of an old breach must not suspend an instance that has recovered since.
 *
 * @throws TabError `insufficient_trust` once the instance is suspended
 */
export async function suspendOnBreach(
  { claims, instanceId }: AuthenticToken,
  app: RegisteredApp,
  claim: Promise<boolean>,
  settings: VerifierSettings,
  now: number,
): Promise<void> {
  const threats = claims.rt.found.filter((name) => app.suspendOn.includes(name));
  // A claim that failed has not been won; its failure is for the claim's own step, after the policy, which looks again.
  if (threats.length === 0 || (await claim.catch(() => false)) !== true) return;
  const reason = `threat found: ${threats.join(', ')}`.slice(0, 200);
  const { bindings, storeTimeout } = settings;
  await callStore('binding store', storeTimeout, () => bindings.suspend(instanceId, { reason, at: now }, threats));
  throw new TabError('insufficient_trust', `suspended, ${reason}`);
}
