import type { AttestationResult } from '../attestation/attester.js';
import { secondsOf } from '../token/clock.js';
import type { AppInstance } from '../bindings/binding.types.js';
import { callStore } from '../bindings/store-call.js';
import { withDeadline } from '../errors/deadline.js';
import { TabError } from '../errors/tab-error.js';
import { ATTESTATION_KEPT, attestationClaimKey, CHALLENGE_KEPT, challengeClaimKey } from '../token/claim-key.js';
import type { TabRequest } from '../token/request.js';
import type { RegisteredApp, VerifierSettings } from '../verifier/settings.js';
import { attemptOf, checkCounter, examine, nextInstance } from './attested-instance.js';
import { authenticateEnrolment, type AuthenticEnrolment } from './enrolment-steps.js';
import { checkKnownKey, checkNoDowngrade, NO_ATTESTATION, type EnrolmentAttempt } from './known-key-rules.js';
import { RateLimiter } from './rate-limiter.js';

/** Limits on callers that have proven nothing yet. */
export interface EnrolmentLimits {
  /** Enrolments a minute from one network address, on one node. */
  readonly enrolmentsPerMinute: number;
  /** Challenges a minute from one network address, on one node. */
  readonly challengesPerMinute: number;
}

/** An enrolment that went through. */
export interface Enrolled {
  readonly instance: AppInstance;
  /** Whether the key was new. */
  readonly created: boolean;
  /** A challenge for this instance's requests. */
  readonly nextChallenge: string;
}

/** Milliseconds that the services behind an attestation may take altogether. */
const ATTESTATION_TIMEOUT = 30_000;

/** Attempts to write against concurrent changes of the same instance. */
const WRITE_ATTEMPTS = 3;

/** Enrols app instances (PROTOCOL section 5). A failed attempt changes nothing but the spent challenge. */
export class EnrolmentService {
  readonly #settings: VerifierSettings;
  readonly #enrolments: RateLimiter;
  readonly #challenges: RateLimiter;

  constructor(settings: VerifierSettings, limits: EnrolmentLimits) {
    this.#settings = settings;
    this.#enrolments = new RateLimiter(limits.enrolmentsPerMinute);
    this.#challenges = new RateLimiter(limits.challengesPerMinute);
  }

  /** A challenge for enrolment. @throws TabError `rate_limited` */
  issueChallenge(address: string): string {
    const now = this.#now();
    this.#challenges.check(address, now);
    return this.#settings.challenges.issue('enrol', now);
  }

  /** Enrols the key that signed the request, or renews what is known of it. @throws TabError */
  async enrol(request: TabRequest, address: string): Promise<Enrolled> {
    const now = this.#now();
    this.#enrolments.check(address, now);
    const enrolment = await authenticateEnrolment(request, this.#settings, now);
    const app = this.#checkApp(enrolment);
    const attempt = attemptOf(enrolment);
    const known = await this.#load(enrolment.thumbprint);
    if (known !== undefined) checkKnownKey(known, attempt);
    if (known !== undefined && attempt.format === NO_ATTESTATION)
      checkNoDowngrade(known, { assurance: 'none', keyBound: false }, app);
    const finish = examine(enrolment, app, known, now);
    await this.#spend(enrolment);
    const result = await withDeadline('attestation', ATTESTATION_TIMEOUT, finish);
    await this.#spendEvidence(result);
    const { instance, created } = await this.#write(enrolment, app, attempt, result, now);
    return { instance, created, nextChallenge: this.#settings.challenges.issue('request', now, instance.id) };
  }

  /** Ends the instance whose own verified request asks for it, with all its sessions. */
  async retire(instanceId: string): Promise<void> {
    const { bindings, storeTimeout } = this.#settings;
    const ending = { reason: 'retired by the client', at: this.#now() };
    await callStore('binding store', storeTimeout, () => bindings.revoke(instanceId, ending));
  }

  #now(): number {
    return secondsOf(this.#settings.clock);
  }

  /** Ensures that the app may enrol, on this platform, with this format. */
  #checkApp({ body }: AuthenticEnrolment): RegisteredApp {
    const app = this.#settings.apps.get(body.app.id);
    if (app === undefined) throw new TabError('attestation_rejected', 'app is not registered');
    if (app.platform !== body.app.platform)
      throw new TabError('attestation_rejected', 'platform is not that of the app');
    const allowed = body.format === NO_ATTESTATION ? app.allowUnattested : app.attesters.has(body.format);
    if (!allowed) throw new TabError('attestation_rejected', 'format is not allowed for the app');
    return app;
  }

  async #load(instanceId: string): Promise<AppInstance | undefined> {
    const { bindings, storeTimeout } = this.#settings;
    const { instance } = await callStore('binding store', storeTimeout, () => bindings.load({ instanceId }));
    return instance;
  }

  /** Ensures that the challenge is used for one enrolment only. */
  async #spend({ challenge }: AuthenticEnrolment): Promise<void> {
    const { nonces, storeTimeout } = this.#settings;
    const key = challengeClaimKey(challenge.text);
    const won = await callStore('nonce store', storeTimeout, () =>
      nonces.claim(key, challenge.expiresAt + CHALLENGE_KEPT),
    );
    if (won !== true) throw new TabError('use_tab_nonce', 'challenge is spent');
  }

  /** Ensures that evidence which is good for one enrolment is used for one only, whoever presents it. */
  async #spendEvidence({ format, claim }: AttestationResult): Promise<void> {
    if (claim === undefined) return;
    const { nonces, storeTimeout } = this.#settings;
    const key = attestationClaimKey(format, claim.issuer, claim.id);
    const won = await callStore('nonce store', storeTimeout, () =>
      nonces.claim(key, claim.expiresAt + ATTESTATION_KEPT),
    );
    if (won !== true) throw new TabError('attestation_rejected', 'evidence was used before');
  }

  /** Judges the known key again on what is stored now, and writes only if that has not changed meanwhile. */
  async #write(
    enrolment: AuthenticEnrolment,
    app: RegisteredApp,
    attempt: EnrolmentAttempt,
    result: AttestationResult,
    now: number,
  ): Promise<{ instance: AppInstance; created: boolean }> {
    const { bindings, storeTimeout } = this.#settings;
    for (let attempts = 0; attempts < WRITE_ATTEMPTS; attempts += 1) {
      const known = await this.#load(enrolment.thumbprint);
      if (known !== undefined) {
        checkKnownKey(known, attempt);
        checkNoDowngrade(known, result, app);
        if (attempt.format === NO_ATTESTATION) return { instance: known, created: false };
      }
      checkCounter(known, result);
      const instance = nextInstance(enrolment, app, result, known, now);
      const saved = await callStore('binding store', storeTimeout, () =>
        bindings.saveInstance(instance, known?.revision),
      );
      if (saved) return { instance, created: known === undefined };
    }
    throw new TabError('store_unavailable', 'instance kept changing', { hints: { retryAfter: 1 } });
  }
}
