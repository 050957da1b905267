import { callStore } from '../bindings/store-call.js';
import { TabError } from '../errors/tab-error.js';
import type { ClaimQuota } from '../nonces/claim-quota.js';
import { CHALLENGE_KEPT, challengeClaimKey, JTI_KEPT, jtiClaimKey } from '../token/claim-key.js';
import type { TrustRequirement } from '../trust/requirement.js';
import type { VerifierSettings } from './settings.js';
import type { AuthenticToken, BoundToken } from './steps.types.js';
import type { VerificationRun } from './verification.js';

/** What came of spending a token: whether its `jti` was won, or that it did not come to that. */
export type ClaimOutcome = boolean | 'challenge_spent';

/** One key to claim, and the instance whose signature it comes from. */
interface ProvenClaim {
  readonly key: string;
  readonly expiresAt: number;
  readonly instanceId: string;
}

/** Claims one key, once for the request, however many guards ask. */
function claimOnce(wanted: ProvenClaim, settings: VerifierSettings, run: VerificationRun): Promise<boolean> {
  const claims = (run.claims ??= []);
  for (const { key, won } of claims) if (key === wanted.key) return won;
  const won = claimWithinQuota(wanted, settings, run.now);
  claims.push({ key: wanted.key, won });
  return won;
}

/** Ensures that one instance does not fill the store; only what may be live counts, so copies of a token use up nothing. */
function claimWithinQuota(
  { key, expiresAt, instanceId }: ProvenClaim,
  { nonces, quota, storeTimeout }: VerifierSettings,
  now: number,
): Promise<boolean> {
  const claim = (): Promise<boolean> => callStore('nonce store', storeTimeout, () => nonces.claim(key, expiresAt));
  return quota === undefined ? claim() : claimCounted(quota, { key, expiresAt, instanceId }, now, claim);
}

async function claimCounted(
  quota: ClaimQuota,
  { instanceId, expiresAt }: ProvenClaim,
  now: number,
  claim: () => Promise<boolean>,
): Promise<boolean> {
  quota.take(instanceId, expiresAt, now);
  const first = await claim();
  if (first === false) quota.release(instanceId, expiresAt);
  return first;
}

/**
 * Spends the token: its `jti`, and on single-use routes the challenge as well. The `jti` is claimed on every route, since
 * the same request may reach handlers of different policies (versions of an API, a deployment under way).
 */
function spend(
  { claims, instanceId }: AuthenticToken,
  { challenge }: BoundToken,
  requirement: TrustRequirement,
  settings: VerifierSettings,
  run: VerificationRun,
): Promise<ClaimOutcome> {
  const jti = { key: jtiClaimKey(instanceId, claims.jti), expiresAt: claims.iat + JTI_KEPT, instanceId };
  if (requirement.challenge !== 'single-use' || challenge === undefined) return claimOnce(jti, settings, run);
  const key = challengeClaimKey(challenge.text);
  const fresh = claimOnce({ key, expiresAt: challenge.expiresAt + CHALLENGE_KEPT, instanceId }, settings, run);
  // First, and alone: copies of one token that raced for two keys could win one each, and none would be accepted.
  return fresh.then<ClaimOutcome>((won) => (won === true ? claimOnce(jti, settings, run) : 'challenge_spent'));
}

/** Step 6 begins together with step 4, in one round trip; `checkClaim` looks at its outcome after step 5. */
export function startClaim(...args: Parameters<typeof spend>): Promise<ClaimOutcome> {
  const claim = spend(...args);
  // An earlier step may refuse before anybody awaits the claim; its failure is then of no interest.
  claim.catch(ignore);
  return claim;
}

function ignore(): void {
  // Nothing depends on it.
}

/** Ensures that this token is presented for the first time, anywhere. */
export function checkClaim(outcome: ClaimOutcome): void {
  if (outcome === 'challenge_spent') throw new TabError('use_tab_nonce', 'challenge is spent', { reason: 'spent' });
  if (outcome !== true) throw new TabError('replayed_token', 'jti is spent', { reason: 'spent' });
}
