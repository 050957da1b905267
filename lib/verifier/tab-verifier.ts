import type { AppInstance, Bindings, BoundSession } from '../bindings/binding.types.js';
import { withDeadline } from '../errors/deadline.js';
import { TabError } from '../errors/tab-error.js';
import { Attachment } from '../token/attachment.js';
import { checkContentHash } from '../token/binding.js';
import { secondsOf } from '../token/clock.js';
import { isPastHalfLife } from '../token/challenge.js';
import type { RequestCredential } from '../token/credential.js';
import type { TabRequest } from '../token/request.js';
import type { TrustRequirement } from '../trust/requirement.js';
import type { TrustDecision } from '../trust/trust-decision.js';
import { appraiseStep, withoutAppraisal } from './appraise-step.js';
import { assertionStep } from './assertion-step.js';
import { authenticateStep, loadBindings } from './authenticate-step.js';
import { bindStep } from './bind-step.js';
import { BreachResponder } from './breach.js';
import { checkClaim, startClaim } from './claim-step.js';
import { recordDecision, newDecisionId } from './decision-record.js';
import { KeyRing } from './key-ring.js';
import { KnownHeaders } from './known-headers.js';
import { parseStep } from './parse-step.js';
import type { CredentialFacts, VerifierSettings } from './settings.js';
import { checkInstance, checkSession, sessionIdOf } from './state-step.js';
import type { AuthenticToken, BoundToken } from './steps.types.js';
import { makeContext } from './verified-context.js';
import type { AcceptedVerification, Proven, Verification, VerificationRun, VerifyOptions } from './verification.js';

/**
 * Verifies requests by the six steps of PROTOCOL section 6, in that order. It knows no framework: a guard, a strategy or
 * another transport makes the `TabRequest` and acts on the `Verification`.
 */
export class TabVerifier {
  readonly #settings: VerifierSettings;
  readonly #onDecision: (decision: TrustDecision) => void;
  readonly #keys: KeyRing;
  readonly #headers: KnownHeaders;
  readonly #breaches: BreachResponder;
  readonly #runs = new Attachment<TabRequest, VerificationRun>();

  /** @param onDecision called once for every decision */
  constructor(settings: VerifierSettings, onDecision: (decision: TrustDecision) => void = () => undefined) {
    this.#settings = settings;
    this.#onDecision = onDecision;
    this.#keys = new KeyRing(settings.keyCacheSize);
    this.#headers = new KnownHeaders(settings.keyCacheSize);
    this.#breaches = new BreachResponder(settings);
  }

  /**
   * Verifies a request. Never rejects: whatever goes wrong is a refusal. Called again with the same `TabRequest` it
   * shares the signature check, the state and the claims, and judges only the further requirement.
   */
  verify(request: TabRequest, requirement: TrustRequirement, options: VerifyOptions = {}): Promise<Verification> {
    const run = this.#runOf(request);
    if (run.first?.requirement === requirement) return run.first.verification;
    let verification = run.others?.get(requirement);
    if (verification !== undefined) return verification;
    verification = this.#verify(request, requirement, run, options);
    if (run.first === undefined) run.first = { requirement, verification };
    else (run.others ??= new Map()).set(requirement, verification);
    return verification;
  }

  #runOf(request: TabRequest): VerificationRun {
    let run = this.#runs.get(request);
    if (run === undefined) {
      run = { now: secondsOf(this.#settings.clock) };
      this.#runs.set(request, run);
    }
    return run;
  }

  async #verify(
    request: TabRequest,
    requirement: TrustRequirement,
    run: VerificationRun,
    options: VerifyOptions,
  ): Promise<Verification> {
    const started = performance.now();
    const id = newDecisionId();
    const proven: Proven = {};
    const { signatures } = this.#settings;
    signatures.enter();
    const record = (error?: TabError): TrustDecision => {
      const at = this.#settings.clock();
      const duration = performance.now() - started;
      return recordDecision({
        id,
        request,
        proven,
        error,
        enforced: requirement.mode === 'enforce',
        at,
        duration,
        ...options,
      });
    };
    try {
      const accepted = await this.#prove(request, requirement, run, proven, id, options.unappraised === true);
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
    } finally {
      signatures.leave();
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
    unappraised: boolean,
  ): Promise<Pick<AcceptedVerification, 'context' | 'challenged' | 'credentialHash'>> {
    const { algorithms, proofKeys } = this.#settings;
    run.parsed ??= parseStep(request, algorithms, proofKeys !== undefined, this.#headers);
    const bound = bindStep(run.parsed, request, requirement, this.#settings, run.now);
    const authenticating = (run.authentic ??= authenticateStep(bound, this.#settings, this.#keys, run.now));
    const authentic = authenticating instanceof Promise ? await authenticating : authenticating;
    this.#headers.keep(run.parsed);
    proven.authentic = authentic;
    proven.challengePastHalfLife = bound.challenge !== undefined && isPastHalfLife(bound.challenge, run.now);
    checkContentHash(authentic.claims, request);
    const claim = startClaim(authentic, bound, requirement, this.#settings, run);
    const { bindings, instance, session } = await this.#checkState(authentic, bound, requirement, run);
    proven.sessionId = session?.id;
    proven.subject = session?.subject;
    const step = { request, authentic, instance, bindings, session, requirement, claim, decision, now: run.now };
    const appraising = unappraised
      ? withoutAppraisal(authentic, instance, requirement, run.now)
      : appraiseStep(step, this.#settings, this.#breaches, proven);
    const appraisal = appraising instanceof Promise ? await appraising : appraising;
    proven.flags = appraisal.flags;
    proven.watched = appraisal.watched;
    checkClaim(await claim);
    // Once for the request, however many guards ask: a counter can be raised to one value only once.
    if (requirement.assertion && !unappraised)
      await (run.assertion ??= assertionStep(request, instance, this.#settings));
    const context = makeContext(decision, authentic, instance, session, appraisal);
    return { context, challenged: bound.challenge !== undefined, credentialHash: bound.credential?.hash };
  }

  /** Step 4: the instance is active, the session and the credential are the user's own. Read anew on every request. */
  async #checkState(
    authentic: AuthenticToken,
    bound: BoundToken,
    requirement: TrustRequirement,
    run: VerificationRun,
  ): Promise<{ bindings: Bindings; instance: AppInstance; session: BoundSession | undefined }> {
    const { claims, instanceId } = authentic;
    run.bindings ??= authentic.preloaded
      ? Promise.resolve(authentic.preloaded)
      : loadBindings(this.#settings, instanceId, sessionIdOf(claims));
    const bindings = await run.bindings;
    const instance = checkInstance(bindings.instance, authentic);
    const factsOf = (credential: RequestCredential) => (run.facts ??= this.#verifyCredential(credential));
    const { credential } = bound;
    const found = checkSession({ bindings, instance, claims, credential, factsOf, now: run.now }, requirement);
    // Waiting for what is there already costs a turn of the queue of microtasks.
    const session = found instanceof Promise ? await found : found;
    return { bindings, instance, session };
  }

  async #verifyCredential(credential: RequestCredential): Promise<CredentialFacts | undefined> {
    try {
      const { verify } = this.#settings.credential;
      return (
        verify &&
        (await withDeadline('credential verifier', this.#settings.storeTimeout, () => verify(credential.value)))
      );
    } catch (cause) {
      if (cause instanceof TabError) throw cause;
      throw new TabError('invalid_session', 'credential was not accepted', { cause });
    }
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
