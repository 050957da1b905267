import type { AppInstance, Bindings } from '../bindings/binding.types.js';
import { TabError } from '../errors/tab-error.js';
import { isThenable } from '../errors/thenable.js';
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
import { verifyCredential } from './credential-facts.js';
import { recordDecision, newDecisionId } from './decision-record.js';
import { KeyRing } from './key-ring.js';
import { KnownHeaders } from './known-headers.js';
import { parseStep } from './parse-step.js';
import type { VerifierSettings } from './settings.js';
import { checkInstance, checkSession, sessionIdOf } from './state-step.js';
import type { AuthenticToken, BoundToken } from './steps.types.js';
import { makeContext } from './verified-context.js';
import type { AcceptedVerification, Proven, Verification, VerificationRun, VerifyOptions } from './verification.js';

/** One requirement that is being judged. */
interface Begun {
  /** Of the decision. */
  readonly id: string;
  /** By `performance.now()`. */
  readonly started: number;
  readonly request: TabRequest;
  readonly requirement: TrustRequirement;
  readonly options: VerifyOptions;
}

/** What has been found out about a request that has proven everything. */
type ProvenRequest = Pick<AcceptedVerification, 'context' | 'challenged' | 'credentialHash'>;

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
    const begun = { id: newDecisionId(), started: performance.now(), request, requirement, options };
    const proven: Proven = {};
    const { signatures } = this.#settings;
    signatures.enter();
    try {
      const { context, challenged, credentialHash } = await this.#prove(begun, run, proven);
      const decision = this.#record(begun, proven, undefined);
      this.#onDecision(decision);
      const nextChallenge = this.#nextChallenge(requirement, run, proven);
      return { accepted: true, context, challenged, credentialHash, decision, nextChallenge };
    } catch (cause) {
      const error =
        cause instanceof TabError ? cause : new TabError('store_unavailable', 'unexpected error', { cause });
      const decision = this.#record(begun, proven, error);
      this.#reportRefusal(decision);
      return { accepted: false, error, decision, nextChallenge: this.#nextChallenge(requirement, run, proven, error) };
    } finally {
      signatures.leave();
    }
  }

  #record({ id, started, request, requirement, options }: Begun, proven: Proven, error?: TabError): TrustDecision {
    return recordDecision({
      id,
      request,
      proven,
      error,
      enforced: requirement.mode === 'enforce',
      route: options.route,
      handler: options.handler,
      at: this.#settings.clock(),
      duration: performance.now() - started,
    });
  }

  /** A failing observer turns an acceptance into a refusal, but must not keep a refusal from being answered. */
  #reportRefusal(decision: TrustDecision): void {
    try {
      this.#onDecision(decision);
    } catch {
      // The answer is a refusal already.
    }
  }

  /** The six steps. What needs no waiting is not waited for: even that costs a turn of the queue of microtasks. */
  async #prove(begun: Begun, run: VerificationRun, proven: Proven): Promise<ProvenRequest> {
    const { id: decision, request, requirement, options } = begun;
    const { algorithms, proofKeys } = this.#settings;
    run.parsed ??= parseStep(request, algorithms, proofKeys !== undefined, this.#headers);
    const bound = bindStep(run.parsed, request, requirement, this.#settings, run.now);
    const authenticating = (run.authentic ??= authenticateStep(bound, this.#settings, this.#keys, run.now));
    const authentic = isThenable(authenticating) ? await authenticating : authenticating;
    this.#headers.keep(run.parsed);
    proven.authentic = authentic;
    proven.challengePastHalfLife = bound.challenge !== undefined && isPastHalfLife(bound.challenge, run.now);
    checkContentHash(authentic.claims, request);
    const claim = startClaim(authentic, bound, requirement, this.#settings, run);
    const bindings = await (run.bindings ??= this.#loadBindings(authentic));
    const instance = checkInstance(bindings.instance, authentic);
    const finding = this.#findSession(bindings, instance, authentic, bound, requirement, run);
    const session = isThenable(finding) ? await finding : finding;
    proven.sessionId = session?.id;
    proven.subject = session?.subject;
    const step = { request, authentic, instance, bindings, session, requirement, claim, decision, now: run.now };
    const appraising =
      options.unappraised === true
        ? withoutAppraisal(authentic, instance, requirement, run.now)
        : appraiseStep(step, this.#settings, this.#breaches, proven);
    const appraisal = isThenable(appraising) ? await appraising : appraising;
    proven.flags = appraisal.flags;
    proven.watched = appraisal.watched;
    checkClaim(await claim);
    // Once for the request, however many guards ask: a counter can be raised to one value only once.
    if (requirement.assertion && options.unappraised !== true)
      await (run.assertion ??= assertionStep(request, instance, this.#settings));
    const context = makeContext(decision, authentic, instance, session, appraisal);
    return { context, challenged: bound.challenge !== undefined, credentialHash: bound.credential?.hash };
  }

  /** Instance and session as they are now; read anew on every request. */
  #loadBindings({ preloaded, instanceId, claims }: AuthenticToken): Promise<Bindings> {
    return preloaded ? Promise.resolve(preloaded) : loadBindings(this.#settings, instanceId, sessionIdOf(claims));
  }

  /** The session part of step 4: session and credential are the user's own. */
  #findSession(
    bindings: Bindings,
    instance: AppInstance,
    { claims }: AuthenticToken,
    { credential }: BoundToken,
    requirement: TrustRequirement,
    run: VerificationRun,
  ): ReturnType<typeof checkSession> {
    const factsOf = (value: RequestCredential) => (run.facts ??= verifyCredential(value, this.#settings));
    return checkSession({ bindings, instance, claims, credential, factsOf, now: run.now }, requirement);
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
