import {
  checkBoundHeaders,
  checkContentEncoding,
  checkContentPresence,
  checkContentType,
  checkMethod,
  checkQuery,
  checkTargetUri,
} from '../token/binding.js';
import type { AuthenticChallenge } from '../token/challenge.js';
import type { TabClaims } from '../token/claims.types.js';
import { checkCredentialHash, findCredential } from '../token/credential.js';
import { instanceIdOf } from '../token/header.js';
import type { TabRequest } from '../token/request.js';
import { parseTarget } from '../token/target.js';
import { checkExpiry, checkIssuedAt, checkRestartFence } from '../token/time-window.js';
import type { TrustRequirement } from '../trust/requirement.js';
import type { VerifierSettings } from './settings.js';
import type { BoundToken, ParsedToken, RequestBinding } from './steps.types.js';

/** The part of step 2 that enrolment shares: time, and everything that ties the claims to this request. */
export function bindToRequest(
  claims: TabClaims,
  request: TabRequest,
  requirement: Pick<TrustRequirement, 'body' | 'headers'>,
  settings: VerifierSettings,
  now: number,
): RequestBinding {
  checkIssuedAt(claims, now, settings.window);
  checkExpiry(claims, now, settings.window);
  const target = parseTarget(request.target);
  const origin = settings.origins.select(request.authority);
  checkMethod(claims, request);
  checkTargetUri(claims, origin, target);
  checkQuery(claims, target);
  if (requirement.body) checkContentEncoding(request.headers);
  checkContentPresence(claims, request, requirement.body);
  checkContentType(claims, request.headers, requirement.body);
  const credential = findCredential(request.headers, settings.credential.cookie);
  checkCredentialHash(claims, credential);
  checkBoundHeaders(claims, request.headers, requirement.headers);
  return { origin, credential };
}

function bindToChallenge(
  { claims, header }: ParsedToken,
  requirement: TrustRequirement,
  settings: VerifierSettings,
  now: number,
): AuthenticChallenge | undefined {
  if (requirement.challenge !== 'none')
    return settings.challenges.check(claims.nonce, 'request', now, instanceIdOf(header));
  // Without a challenge only the time of issue tells a token of the store's former life from one of this.
  const { volatility } = settings.nonces;
  if (volatility !== undefined) checkRestartFence(claims, now, volatility.startedAt);
  return undefined;
}

/** Step 2: time, target, query, content and credential as far as they are cheap to compare, challenge authenticity. */
export function bindStep(
  parsed: ParsedToken,
  request: TabRequest,
  requirement: TrustRequirement,
  settings: VerifierSettings,
  now: number,
): BoundToken {
  const binding = bindToRequest(parsed.claims, request, requirement, settings, now);
  return { ...binding, parsed, challenge: bindToChallenge(parsed, requirement, settings, now) };
}
