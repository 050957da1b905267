import { withDeadline } from '../errors/deadline.js';
import { TabError } from '../errors/tab-error.js';
import type { RequestCredential } from '../token/credential.js';
import type { CredentialFacts, VerifierSettings } from './settings.js';

/**
 * What the application's verifier says about the credential; undefined where there is none.
 *
 * @throws TabError `invalid_session` when it throws, `store_unavailable` when it does not answer in time
 */
export async function verifyCredential(
  { value }: RequestCredential,
  { credential: { verify }, storeTimeout }: VerifierSettings,
): Promise<CredentialFacts | undefined> {
  if (verify === undefined) return undefined;
  try {
    return await withDeadline('credential verifier', storeTimeout, () => verify(value));
  } catch (cause) {
    if (cause instanceof TabError) throw cause;
    throw new TabError('invalid_session', 'credential was not accepted', { cause });
  }
}
