import type { Observable } from 'rxjs';
import { secondsOf } from '../token/clock.js';
import { refusalHeaders } from '../errors/answer.js';
import { TabError } from '../errors/tab-error.js';
import { TabException } from '../errors/tab-exception.js';
import type { Challenges } from '../token/challenge.js';
import { signatureNeeded } from '../token/signature-needed.js';
import { provenanceOf, type TrustContext, type TrustProvenance, type VerifiedTrust } from '../trust/trust-context.js';
import type { AppInstance, BoundSession, Ending } from './binding.types.js';
import { checkSessionStart, credentialHashOf, newSession, type SessionStart } from './session-start.js';
import { SessionWatch, type SessionEnd } from './session-watch.js';
import { endingOf } from './ending.js';
import { callBindings } from './store-call.js';
import type { BindingServiceSettings } from './tab-instances.js';

/** Seconds for which the credential before a refresh stays valid (PROTOCOL section 11). */
export const PREVIOUS_CREDENTIAL_VALID = 30;

/** What the session service needs. */
export interface SessionServiceSettings extends BindingServiceSettings {
  readonly challenges: Challenges;
  /** Whether a credential verifier is configured; without one, only named credentials can belong to a session. */
  readonly verifiesCredentials: boolean;
  readonly exposeDetail: boolean;
}

/** Records a refused session change and returns the id of the record. */
export type RefusalRecorder = (error: TabError, trust: TrustContext) => string;

/** Starts, refreshes and ends sessions bound to app instances (PROTOCOL section 11). */
export class TabSessions {
  readonly #settings: SessionServiceSettings;
  readonly #watch: SessionWatch;
  readonly #record: RefusalRecorder;

  /**
   * @param watch told of what ends here
   * @param record default: the record of the request itself is quoted
   */
  constructor(
    settings: SessionServiceSettings,
    watch: SessionWatch = new SessionWatch(settings),
    record: RefusalRecorder = (_error, trust) => trust.decision,
  ) {
    this.#settings = settings;
    this.#watch = watch;
    this.#record = record;
  }

  /**
   * Starts a session inside the guarded request that authenticated the user, and answers `TAB-Session`. Enforced in
   * monitor mode too: an unverified context is refused.
   *
   * @throws TabException when the request was not verified, the instance is no longer active, or the credential belongs
   *   to another session (which is ended)
   * @throws TypeError when called in a way that cannot be right
   */
  async bind(trust: TrustContext, start: SessionStart): Promise<BoundSession> {
    return this.#answering(trust, async (verified, provenance) => {
      // Whoever found a proof key must not make a session of it, which lasts longer.
      if (verified.proof !== 'signature') throw signatureNeeded('session start under a proof key');
      checkSessionStart(start, provenance, this.#settings.verifiesCredentials);
      const session = newSession(verified.instance.id, start, this.#now());
      const outcome = await callBindings(this.#settings, (store) => store.bind(session));
      if (outcome === 'credential_taken')
        throw new TabError('invalid_session', 'credential belonged to another session, which is ended');
      if (outcome === 'instance_inactive') throw await this.#inactive(verified.instance.id);
      provenance.setHeader('TAB-Session', `${session.id}; expires=${session.expiresAt}`);
      provenance.setHeader('TAB-Nonce', this.#settings.challenges.issue('request', this.#now(), verified.instance.id));
      return session;
    });
  }

  /**
   * Names a new credential for the session of this request; the one before stays valid for 30 s.
   *
   * @throws TabException when the session is over or the credential belongs to another session (which is ended)
   */
  async rebind(trust: TrustContext, { credential }: { credential: string }): Promise<void> {
    return this.#answering(trust, async (verified) => {
      if (typeof credential !== 'string' || credential === '')
        throw new TypeError('TabSessions.rebind: name the new credential');
      const { session, instance } = verified;
      if (session === undefined)
        throw new TypeError("TabSessions.rebind: the route must require a session (session: 'required')");
      const now = this.#now();
      const credentialHash = credentialHashOf(credential);
      const change = {
        sessionId: session.id,
        instanceId: instance.id,
        credentialHash,
        previousValidUntil: now + PREVIOUS_CREDENTIAL_VALID,
        now,
      };
      const outcome = await callBindings(this.#settings, (store) => store.rebind(change));
      if (outcome !== 'rebound') throw new TabError('invalid_session', `refresh refused: ${outcome}`);
    });
  }

  /** Ends the session of this request and tells the client to forget it. False when it had ended already. */
  async end(trust: TrustContext, reason: string): Promise<boolean> {
    return this.#answering(trust, async (verified, provenance) => {
      if (verified.session === undefined)
        throw new TypeError("TabSessions.end: the route must require a session (session: 'required')");
      const ended = await this.revoke(verified.session.id, reason);
      provenance.setHeader('TAB-Session', '; expires=0');
      return ended;
    });
  }

  /** Ends a session; refused from the next request on, on every node. False when it is unknown or has ended already. */
  async revoke(id: string, reason: string): Promise<boolean> {
    const ended = await callBindings(this.#settings, (store) => store.endSession(id, this.#ending(reason)));
    if (ended) this.#watch.notify(id, reason);
    return ended;
  }

  /** Ends all sessions of a user, on all instances; returns how many. */
  async revokeSubject(subject: string, reason: string): Promise<number> {
    const ended = await callBindings(this.#settings, (store) => store.endSessions(subject, this.#ending(reason)));
    this.#watch.notifySubject(subject, reason);
    return ended;
  }

  /**
   * Emits once, and completes, when a session ends: so that an event stream or socket of its user can be closed. At once for
   * what ends on this node, within two seconds for other nodes and for expiry.
   */
  watch(id: string): Observable<SessionEnd> {
    return this.#watch.watch(id);
  }

  /** The sessions of a user that are still kept, ended ones included, newest first. */
  list(subject: string): Promise<BoundSession[]> {
    return callBindings(this.#settings, (store) => store.findSessions(subject));
  }

  /** Runs `work` for a verified context; a refusal is answered with the headers of PROTOCOL section 7. */
  async #answering<T>(
    trust: TrustContext,
    work: (verified: VerifiedTrust, provenance: TrustProvenance) => Promise<T>,
  ): Promise<T> {
    const provenance = provenanceOf(trust);
    if (provenance === undefined)
      throw new TypeError('TabSessions: pass the context that @Trust() gave, not a copy of it');
    try {
      if (!trust.verified) throw new TabError(trust.code, 'session change in a request that was not verified');
      return await work(trust, provenance);
    } catch (error) {
      if (!(error instanceof TabError)) throw error;
      for (const [name, value] of refusalHeaders(error, this.#settings.clock())) provenance.setHeader(name, value);
      provenance.setHeader('Content-Type', 'application/problem+json');
      throw new TabException(error, this.#record(error, trust), this.#settings.exposeDetail);
    }
  }

  async #inactive(instanceId: string): Promise<TabError> {
    const { instance } = await callBindings(this.#settings, (store) => store.load({ instanceId }));
    return inactiveError(instance);
  }

  #now(): number {
    return secondsOf(this.#settings.clock);
  }

  #ending(reason: string): Ending {
    return endingOf(reason, this.#now());
  }
}

function inactiveError(instance: AppInstance | undefined): TabError {
  if (instance === undefined) return new TabError('unknown_instance', 'instance is not enrolled');
  if (instance.status === 'revoked') return new TabError('instance_revoked', 'instance is revoked');
  return new TabError('instance_suspended', 'instance is suspended');
}
