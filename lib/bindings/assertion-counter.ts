import { TabError } from '../errors/tab-error.js';
import type { BindingStore } from './binding-store.js';
import type { AppInstance } from './binding.types.js';
import { callStore } from './store-call.js';

/** Attempts to write against concurrent changes of the same instance. */
const WRITE_ATTEMPTS = 5;

/** Whether it is a number that devices count with. */
export function isCounter(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** The highest counter of an assertion that the instance has shown; 0 before any. */
export function assertionCounterOf({ attestationClaims }: Pick<AppInstance, 'attestationClaims'>): number {
  const counter = attestationClaims['assertionCounter'];
  return isCounter(counter) ? counter : 0;
}

/** Whether it is the attestation that the assertion was judged by; two may be of one second. */
function isSameAttestation(current: AppInstance, judged: AppInstance): boolean {
  return (
    current.attestedAt === judged.attestedAt &&
    current.format === judged.format &&
    current.attestationClaims['keyId'] === judged.attestationClaims['keyId']
  );
}

/**
 * Raises the stored counter to `counter`, by compare-and-set on the revision of the instance: of two requests with one
 * counter, one wins, on whatever node. A change under way (a suspension, another counter) is looked at before the next try.
 *
 * @returns false when it is no counter, the stored one is no longer below, or the instance has lost its access or its attestation meanwhile
 * @throws TabError `store_unavailable`
 */
export async function raiseAssertionCounter(
  store: BindingStore,
  timeout: number,
  instance: AppInstance,
  counter: number,
): Promise<boolean> {
  // Ensures that what is kept can be compared with what comes next.
  if (!isCounter(counter)) return false;
  let current: AppInstance | undefined = instance;
  for (let attempt = 0; attempt < WRITE_ATTEMPTS; attempt += 1) {
    if (current?.status !== 'active' || !isSameAttestation(current, instance)) return false;
    if (assertionCounterOf(current) >= counter) return false;
    const { revision, attestationClaims }: AppInstance = current;
    const raised = {
      ...current,
      attestationClaims: { ...attestationClaims, assertionCounter: counter },
      revision: revision + 1,
    };
    if (await callStore('binding store', timeout, () => store.saveInstance(raised, revision))) return true;
    ({ instance: current } = await callStore('binding store', timeout, () => store.load({ instanceId: instance.id })));
  }
  throw new TabError('store_unavailable', 'instance kept changing', { hints: { retryAfter: 1 } });
}
