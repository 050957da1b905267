import type { AppInstance, Bindings, BoundSession } from '../bindings/binding.types.js';
import { TabError } from '../errors/tab-error.js';
import { isThenable } from '../errors/thenable.js';
import type { TabRequest } from '../token/request.js';
import { applyRules, type AppraisalContext } from '../trust/appraisal-rule.js';
import type { Appraisal } from '../trust/appraisal.types.js';
import { appraise, checkProof } from '../trust/appraisal.js';
import { assuranceUnder } from '../trust/assurance.js';
import type { TrustRequirement } from '../trust/requirement.js';
import { checkSuspendOn, type BreachResponder } from './breach.js';
import type { ClaimOutcome } from './claim-step.js';
import { pathOf } from './decision-record.js';
import type { RegisteredApp, VerifierSettings } from './settings.js';
import type { AuthenticToken } from './steps.types.js';
import type { Proven } from './verification.js';

/** Everything that step 5 looks at; all of it proven by the steps before. */
export interface AppraiseStep {
  readonly request: TabRequest;
  readonly authentic: AuthenticToken;
  readonly instance: AppInstance;
  readonly bindings: Bindings;
  readonly session: BoundSession | undefined;
  readonly requirement: TrustRequirement;
  readonly claim: Promise<ClaimOutcome>;
  readonly decision: string;
  /** Seconds since the epoch. */
  readonly now: number;
}

function ruleContext({ request, authentic, instance, session, now }: AppraiseStep): AppraisalContext {
  const { id, ver } = authentic.claims.app;
  const { proof } = authentic;
  const { method } = request;
  const path = pathOf(request.target);
  return { app: { id, version: ver }, instance, proof, subject: session?.subject, method, path, now };
}

/** Waits only where rules of the application are asked. */
function judge(step: AppraiseStep, app: RegisteredApp, timeout: number): Appraisal | Promise<Appraisal> {
  const { authentic, bindings, instance, now, requirement } = step;
  const { claims, proof } = authentic;
  if (requirement.mode === 'enforce') checkSuspendOn({ authentic, app, instance });
  const blockedVersions = bindings.blockedVersions ?? [];
  const appraisal = appraise({ claims, proof, app, instance, blockedVersions, now }, requirement);
  return requirement.appraise.length === 0 ? appraisal : askRules(step, appraisal, timeout);
}

async function askRules(step: AppraiseStep, appraisal: Appraisal, timeout: number): Promise<Appraisal> {
  const { authentic, requirement } = step;
  const flags = await applyRules(requirement.appraise, authentic.claims.rt, ruleContext(step), timeout);
  return { ...appraisal, flags: [...appraisal.flags, ...flags] };
}

/**
 * Step 5: policy, and what follows when the runtime broke trust. In monitor mode a breach has no consequence. A promise only
 * where rules of the application are asked, or something follows.
 *
 * @throws TabError
 */
export function appraiseStep(
  step: AppraiseStep,
  settings: VerifierSettings,
  breaches: BreachResponder,
  proven: Proven,
): Appraisal | Promise<Appraisal> {
  const app = settings.apps.get(step.instance.appId);
  if (app === undefined) throw new TabError('insufficient_trust', 'app is no longer registered');
  const refuse = (error: unknown): Promise<never> => refuseAppraisal(error, step, app, breaches, proven);
  try {
    const judging = judge(step, app, settings.storeTimeout);
    return isThenable(judging) ? judging.then(undefined, refuse) : judging;
  } catch (error) {
    return refuse(error);
  }
}

/** Does what a breach calls for, and refuses. */
async function refuseAppraisal(
  error: unknown,
  { authentic, claim, decision, instance, now, requirement, session }: AppraiseStep,
  app: RegisteredApp,
  breaches: BreachResponder,
  proven: Proven,
): Promise<never> {
  if (error instanceof TabError && error.reason === 'breach' && requirement.mode === 'enforce') {
    const facts = { authentic, app, instance, session, requirement, decision, error, now };
    await breaches.respond(facts, claim, (action) => (proven.action = action));
  }
  throw error;
}

/**
 * For a client that retires: whatever its runtime looks like, it may always give its key up. That it is the holder of the key
 * who does is asked all the same.
 *
 * @throws TabError `step_up_required`
 */
export function withoutAppraisal(
  { proof }: AuthenticToken,
  instance: AppInstance,
  requirement: TrustRequirement,
  now: number,
): Appraisal {
  checkProof(proof, requirement);
  return { flags: [], watched: [], assurance: assuranceUnder(proof, instance, now) };
}
