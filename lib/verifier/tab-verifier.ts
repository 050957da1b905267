import type { AppInstance, BoundSession } from '../bindings/binding.types.js';
import { TabError } from '../errors/tab-error.js';
import { checkContentHash } from '../token/binding.js';
import { isPastHalfLife } from '../token/challenge.js';
import type { RequestCredential } from '../token/credential.js';
import type { TabRequest } from '../token/request.js';
import { appraise, type Appraisal } from '../trust/appraisal.js';
import type { TrustRequirement } from '../trust/requirement.js';
import type { TrustDecision } from '../trust/trust-decision.js';
import { authenticateStep, loadBindings } from './authenticate-step.js';
import { bindStep } from './bind-step.js';
import { suspendOnBreach } from './breach.js';
import { checkClaim, startClaim } from './claim-step.js';
import { recordDecision, newDecisionId } from './decision-record.js';
import { KeyRing } from './key-ring.js';
import { parseStep } from './parse-step.js';
import type { CredentialFacts, VerifierSettings } from './settings.js';
import { checkInstance, checkSession, sessionIdOf } from './state-step.js';
import type { AuthenticToken, BoundToken } from './steps.types.js';
import { makeContext } from './verified-context.js';
import type { AcceptedVerification, Proven, Verification, VerificationRun } from './verification.js';

/**
 * Verifies requests by the six steps of PROTOCOL section 6, in that order. It knows no framework: a guard, a strategy or
 * another transport makes the `TabRequest` and acts on the `Verification`.
 */
export class TabVerifier {
  readonly #settings: VerifierSettings;
  readonly #onDecision: (decision: TrustDecision) => void;
  readonly #keys: KeyRing;
  readonly #runs = new WeakMap<TabRequest, VerificationRun>();

  /** @param onDecision called once for every decision */
  constructor(settings: VerifierSettings, onDecision: (decision: TrustDecision) => void = () => undefined) {
    this.#settings = settings;
    this.#onDecision = onDecision;
    this.#keys = new KeyRing(settings.keyCacheSize);
  }

  /**
   * Verifies a request. Never rejects: whatever goes wrong is a refusal. Called again with the same `TabRequest` it
   * shares the signature check, the state and the claim, and judges only the further requirement.
   *
   * @param enforced false in monitor mode, where a refusal has no consequence for the instance
   */
  verify(request: TabRequest, requirement: TrustRequirement, enforced = true): Promise<Verification> {
    const run = this.#runOf(request);
    let verification = run.verifications.get(requirement);
    if (verification === undefined) {
      verification = this.#verify(request, requirement, run, enforced);
      run.verifications.set(requirement, verification);
    }
    return verification;
  }

  #runOf(request: TabRequest): VerificationRun {
    let run = this.#runs.get(request);
    if (run === undefined) {
      run = { now: Math.floor(this.#settings.clock() / 1000), claims: new Map(), verifications: new Map() };
      this.#runs.set(request, run);
    }
    return run;
  }

  async #verify(
    request: TabRequest,
    requirement: TrustRequirement,
    run: VerificationRun,
    enforced: boolean,
  ): Promise<Verification> {
    const started = performance.now();
    const id = newDecisionId();
    const proven: Proven = {};
    const record = (error?: TabError): TrustDecision => {
      const at = this.#settings.clock();
      return recordDecision({ id, request, proven, error, enforced, at, duration: performance.now() - started });
    };
    try {
      const accepted = await this.#prove(request, requirement, run, proven, id, enforced);
      const decision = record();
      this.#onDecision(decision);
      return { ...accepted, accepted: true, decision, nextChallenge: this.#nextChallenge(requirement, run, proven) };
    } catch (cause) {
      const error =
        cause instanceof TabError ? cause : new TabError('store_unavailable', 'unexpected error', { cause });
      const decision = record(error);
      this.#reportRefusal(decision);
      return {
        accepted: false,
        error,
        decision,
        nextChallenge: this.#nextChallenge(requirement, run, proven, error),
      };
    }
  }

  /** A failing observer turns an acceptance into a refusal, but must not keep a refusal from being answered. */
  #reportRefusal(decision: TrustDecision): void {
    try {
      this.#onDecision(decision);
    } catch {
      // The answer is a refusal already.
    }
  }

  /** The six steps. */
  async #prove(
    request: TabRequest,
    requirement: TrustRequirement,
    run: VerificationRun,
    proven: Proven,
    decision: string,
    enforced: boolean,
  ): Promise<Pick<AcceptedVerification, 'context' | 'challenged' | 'credentialHash'>> {
    run.parsed ??= parseStep(request, this.#settings.algorithms);
    const bound = bindStep(run.parsed, request, requirement, this.#settings, run.now);
    run.authentic ??= authenticateStep(bound, this.#settings, this.#keys);
    const authentic = await run.authentic;
    proven.authentic = authentic;
    proven.challengePastHalfLife = bound.challenge !== undefined && isPastHalfLife(bound.challenge, run.now);
    checkContentHash(authentic.claims, request);
    const claim = startClaim(authentic, bound, requirement, this.#settings, run);
    const { instance, session } = await this.#checkState(authentic, bound, requirement, run);
    proven.sessionId = session?.id;
    proven.subject = session?.subject;
    const appraisal = await this.#appraise(authentic, instance, requirement, run, claim, enforced);
    proven.flags = appraisal.flags;
    await checkClaim(claim, requirement);
    const context = makeContext(decision, authentic, instance, session, appraisal);
    return { context, challenged: bound.challenge !== undefined, credentialHash: bound.credential?.hash };
  }

  /** Step 4: the instance is active, the session and the credential are the user's own. Read anew on every request. */
  async #checkState(
    authentic: AuthenticToken,
    bound: BoundToken,
    requirement: TrustRequirement,
    run: VerificationRun,
  ): Promise<{ instance: AppInstance; session: BoundSession | undefined }> {
    const { claims, instanceId } = authentic;
    run.bindings ??= authentic.preloaded
      ? Promise.resolve(authentic.preloaded)
      : loadBindings(this.#settings, instanceId, sessionIdOf(claims));
    const bindings = await run.bindings;
    const instance = checkInstance(bindings.instance, claims);
    const factsOf = (credential: RequestCredential) => (run.facts ??= this.#verifyCredential(credential));
    const { credential } = bound;
    const session = await checkSession({ bindings, instance, claims, credential, factsOf, now: run.now }, requirement);
    return { instance, session };
  }

  async #verifyCredential(credential: RequestCredential): Promise<CredentialFacts | undefined> {
    try {
      return await this.#settings.credential.verify?.(credential.value);
    } catch (cause) {
      if (cause instanceof TabError) throw cause;
      throw new TabError('invalid_session', 'credential was not accepted', { cause });
    }
  }

  /** Step 5: policy. A threat that the app answers with suspension suspends, once per token, whatever else refuses it. */
  async #appraise(
    authentic: AuthenticToken,
    instance: AppInstance,
    requirement: TrustRequirement,
    run: VerificationRun,
    claim: Promise<boolean>,
    enforced: boolean,
  ): Promise<Appraisal> {
    const { claims } = authentic;
    const app = this.#settings.apps.get(instance.appId);
    if (app === undefined) throw new TabError('insufficient_trust', 'app is no longer registered');
    if (enforced) await suspendOnBreach(authentic, app, claim, this.#settings, run.now);
    return appraise({ claims, app, instance, now: run.now }, requirement);
  }

  /** PROTOCOL section 4: with `use_tab_nonce`, past half life, and on single-use routes after every verified signature. */
  #nextChallenge(
    requirement: TrustRequirement,
    run: VerificationRun,
    proven: Proven,
    error?: TabError,
  ): string | undefined {
    const instanceId = proven.authentic?.instanceId;
    const due =
      error?.code === 'use_tab_nonce' ||
      (instanceId !== undefined && (requirement.challenge === 'single-use' || proven.challengePastHalfLife === true));
    return due ? this.#settings.challenges.issue('request', run.now, instanceId) : undefined;
  }
}
