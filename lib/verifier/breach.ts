import { LRUCache } from 'lru-cache';
import type { AppInstance, BoundSession, Breach } from '../bindings/binding.types.js';
import { endingOf } from '../bindings/ending.js';
import { callStore } from '../bindings/store-call.js';
import { TabError } from '../errors/tab-error.js';
import { CONTRADICTION, findingsOf } from '../trust/contradiction.js';
import { gradeOf } from '../trust/grades.js';
import type { BreachAction, TrustRequirement } from '../trust/requirement.js';
import type { ClaimOutcome } from './claim-step.js';
import type { RegisteredApp, VerifierSettings } from './settings.js';
import type { AuthenticToken } from './steps.types.js';

/** Actions by severity, mildest first. */
const SEVERITY: readonly BreachAction[] = ['reject', 'revoke-session', 'suspend', 'revoke-instance'];

/** Seconds within which the same breach of an instance, when it is only rejected, is recorded once. */
const RECORDED_EVERY = 60;
const RECORDED_MAX = 10_000;

/** What a breach is answered with. */
export interface BreachFacts {
  readonly authentic: AuthenticToken;
  readonly app: RegisteredApp;
  readonly instance: AppInstance;
  readonly session: BoundSession | undefined;
  readonly requirement: TrustRequirement;
  readonly decision: string;
  readonly error: TabError;
  /** Seconds since the epoch. */
  readonly now: number;
}

type Finding = Pick<BreachFacts, 'authentic' | 'app' | 'instance'>;

/** Findings for which the app suspends the instance that has them. */
function suspendingFindings({ authentic, app, instance }: Finding): readonly string[] {
  // Asked on every request: where nothing suspends, what was found need not be put together a second time.
  if (app.suspendOn.length === 0) return app.suspendOn;
  const { names } = findingsOf({ claims: authentic.claims, instance });
  return names.filter((name) => app.suspendOn.includes(name));
}

/** Ensures that nothing was found which the app answers with suspension, whatever the policy says about it. */
export function checkSuspendOn(finding: Finding): void {
  const [threat] = suspendingFindings(finding);
  if (threat !== undefined) throw new TabError('insufficient_trust', `threat found: ${threat}`, { reason: 'breach' });
}

/**
 * What must be `clear` in the evidence that ends a suspension: what the app or the policy suspends for, not what the policy
 * lets through. A rule that denied may have looked at anything, so then it is all that was found. A contradiction is no
 * probe: nothing could ever report it clear, and new attestation claims end it.
 */
function threatsToClear(facts: BreachFacts): readonly string[] {
  const { authentic, app, requirement } = facts;
  const byPolicy = isAtLeast(requirement.onBreach, 'suspend');
  const found = authentic.claims.rt.found.filter((name) => name !== CONTRADICTION);
  const suspending = found.filter(
    (name) => app.suspendOn.includes(name) || (byPolicy && gradeOf(name, requirement.runtime) === 'deny'),
  );
  return suspending.length > 0 ? suspending : found;
}

function isAtLeast(action: BreachAction, other: BreachAction): boolean {
  return SEVERITY.indexOf(action) >= SEVERITY.indexOf(other);
}

/** The stricter of what the policy asks for and what the app asks for. */
function actionOf(facts: BreachFacts): BreachAction {
  const byApp: BreachAction = suspendingFindings(facts).length > 0 ? 'suspend' : 'reject';
  const { onBreach } = facts.requirement;
  const action = isAtLeast(byApp, onBreach) ? byApp : onBreach;
  return action === 'revoke-session' && facts.session === undefined ? 'reject' : action;
}

/** The ratchet: trust that broke does not come back by reporting clean again. */
export class BreachResponder {
  readonly #settings: VerifierSettings;
  readonly #recorded = new LRUCache<string, number>({ max: RECORDED_MAX });

  constructor(settings: VerifierSettings) {
    this.#settings = settings;
  }

  /**
   * Acts on a breach and keeps it. Only for a token that won its claim: a replayed report of an old breach must not act on
   * an instance that has recovered since.
   *
   * @param onAction told of the action once it is taken, also when keeping its record then fails
   * @throws TabError `store_unavailable` when the action could not be taken; the request is refused either way
   */
  async respond(
    facts: BreachFacts,
    claim: Promise<ClaimOutcome>,
    onAction: (action: BreachAction) => void = () => undefined,
  ): Promise<void> {
    // A claim that failed has not been won; its failure is for its own step, after the policy.
    if ((await claim.catch(() => undefined)) !== true) return;
    const action = actionOf(facts);
    await this.#act(action, facts);
    onAction(action);
    await this.#record(action, facts);
  }

  async #act(action: BreachAction, facts: BreachFacts): Promise<void> {
    const { session, error, now } = facts;
    const { bindings, storeTimeout } = this.#settings;
    const { instanceId } = facts.authentic;
    const ending = endingOf(error.detail, now);
    const call = (work: () => Promise<unknown>) => callStore('binding store', storeTimeout, work);
    if (action === 'revoke-instance') await call(() => bindings.revoke(instanceId, ending));
    if (action === 'suspend') await call(() => bindings.suspend(instanceId, ending, threatsToClear(facts)));
    if (action === 'revoke-session' && session !== undefined) await call(() => bindings.endSession(session.id, ending));
  }

  async #record(action: BreachAction, { authentic, session, decision, error, now }: BreachFacts): Promise<void> {
    const { instanceId, claims } = authentic;
    const detail = error.detail.slice(0, 200);
    const key = `${instanceId} ${detail}`;
    const last = this.#recorded.get(key);
    // A broken client that asks on and on fills no table; what changes something is always kept.
    if (action === 'reject' && last !== undefined && now - last < RECORDED_EVERY) return;
    this.#recorded.set(key, now);
    const breach: Breach = {
      id: decision,
      instanceId,
      sessionId: session?.id ?? null,
      at: now,
      code: error.code,
      threats: claims.rt.found,
      action,
      detail,
    };
    const { bindings, storeTimeout } = this.#settings;
    try {
      await callStore('binding store', storeTimeout, () => bindings.recordBreach(breach));
    } catch (cause) {
      // What was not kept must not keep the next one out.
      this.#recorded.delete(key);
      throw cause;
    }
  }
}
