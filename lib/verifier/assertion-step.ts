import { createHash } from 'node:crypto';
import { AttestationError } from '../attestation/attestation-error.js';
import { assertionCounterOf, raiseAssertionCounter } from '../bindings/assertion-counter.js';
import type { AppInstance } from '../bindings/binding.types.js';
import { TabError } from '../errors/tab-error.js';
import type { TabRequest } from '../token/request.js';
import { TOKEN_FIELD } from './parse-step.js';
import type { VerifierSettings } from './settings.js';

/** The header in which an assertion of the platform travels, standard base64. */
export const ASSERTION_FIELD = 'tab-assertion';

/** Genuine ones are at most 153 octets of authenticator data and 72 of signature, so this is ample. */
const ASSERTION_MAX_LENGTH = 1_024;
const BASE64 =
  /^(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$|^[A-Za-z0-9+/]{2}==$|^[A-Za-z0-9+/]{3}=$/;

function refuse(detail: string, cause?: unknown): never {
  throw new TabError('insufficient_trust', detail, { cause });
}

/** Ensures that there is exactly one assertion, in standard base64, of a plausible size. */
function readAssertion(request: TabRequest): Buffer {
  const [text, ...others] = request.headers.values(ASSERTION_FIELD);
  if (text === undefined) return refuse('assertion is missing');
  if (others.length > 0 || text.length > ASSERTION_MAX_LENGTH || !BASE64.test(text)) {
    return refuse('assertion is ill-formed');
  }
  return Buffer.from(text, 'base64');
}

/** SHA-256 of the compact token: what ties the assertion to this very request. */
function tokenHash(request: TabRequest): Buffer {
  const [token] = request.headers.values(TOKEN_FIELD);
  // Ensures that an assertion over nothing does not pass where a token travels in another way.
  if (token === undefined) return refuse('assertion has no token to cover');
  return createHash('sha256').update(token).digest();
}

function examine(request: TabRequest, instance: AppInstance, settings: VerifierSettings): { readonly counter: number } {
  const attester = settings.apps.get(instance.appId)?.attesters.get(instance.format);
  if (attester?.assertRequest === undefined) return refuse('instance cannot make assertions');
  try {
    return attester.assertRequest({
      assertion: readAssertion(request),
      clientDataHash: tokenHash(request),
      claims: instance.attestationClaims,
      previousCounter: assertionCounterOf(instance),
    });
  } catch (cause) {
    if (cause instanceof AttestationError) return refuse(`assertion: ${cause.check}`, cause);
    throw cause;
  }
}

/**
 * Ensures that the app itself, by the platform's own key, vouches for this very token, with a counter never seen before.
 * It comes after the token is spent: it writes, and a request that is refused for its token must change nothing.
 *
 * @throws TabError `insufficient_trust`, `store_unavailable`
 */
export async function assertionStep(
  request: TabRequest,
  instance: AppInstance,
  settings: VerifierSettings,
): Promise<void> {
  const { counter } = examine(request, instance, settings);
  const raised = await raiseAssertionCounter(settings.bindings, settings.storeTimeout, instance, counter);
  if (!raised) refuse('assertion counter was seen before');
}
