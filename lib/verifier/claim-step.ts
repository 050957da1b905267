import { callStore } from '../bindings/store-call.js';
import { TabError } from '../errors/tab-error.js';
import { CHALLENGE_KEPT, challengeClaimKey, JTI_KEPT, jtiClaimKey } from '../token/claim-key.js';
import type { TrustRequirement } from '../trust/requirement.js';
import type { VerifierSettings } from './settings.js';
import type { AuthenticToken, BoundToken } from './steps.types.js';
import type { VerificationRun } from './verification.js';

/** What is spent with the token: the challenge where the policy says so, else the `jti`. */
function spentWith(
  { claims, instanceId }: AuthenticToken,
  { challenge }: BoundToken,
  requirement: TrustRequirement,
): { key: string; expiresAt: number } {
  if (requirement.challenge === 'single-use' && challenge !== undefined) {
    return { key: challengeClaimKey(challenge.text), expiresAt: challenge.expiresAt + CHALLENGE_KEPT };
  }
  return { key: jtiClaimKey(instanceId, claims.jti), expiresAt: claims.iat + JTI_KEPT };
}

/** Step 6 begins together with step 4, in one round trip; `checkClaim` looks at its outcome after step 5. */
export function startClaim(
  authentic: AuthenticToken,
  bound: BoundToken,
  requirement: TrustRequirement,
  settings: VerifierSettings,
  run: VerificationRun,
): Promise<boolean> {
  const { key, expiresAt } = spentWith(authentic, bound, requirement);
  let claim = run.claims.get(key);
  if (claim === undefined) {
    claim = callStore('nonce store', settings.storeTimeout, () => settings.nonces.claim(key, expiresAt));
    // An earlier step may refuse before anybody awaits the claim; its failure is then of no interest.
    claim.catch(() => undefined);
    run.claims.set(key, claim);
  }
  return claim;
}

/** Ensures that this token is presented for the first time, anywhere. */
export async function checkClaim(claim: Promise<boolean>, requirement: TrustRequirement): Promise<void> {
  if ((await claim) === true) return;
  if (requirement.challenge === 'single-use') throw new TabError('use_tab_nonce', 'challenge is spent', { reason: 'spent' });
  throw new TabError('replayed_token', 'jti is spent', { reason: 'spent' });
}
