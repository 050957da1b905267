import { randomBytes } from 'node:crypto';
import { secondsOf } from '../token/clock.js';
import { refusalHeaders } from '../errors/answer.js';
import { TabError } from '../errors/tab-error.js';
import { TabException } from '../errors/tab-exception.js';
import type { Challenges } from '../token/challenge.js';
import { sha256OfField } from '../token/digest.js';
import { provenanceOf, type TrustContext, type TrustProvenance, type VerifiedTrust } from '../trust/trust-context.js';
import type { BindingStore } from './binding-store.js';
import type { AppInstance, BoundSession } from './binding.types.js';
import { callStore } from './store-call.js';
import type { BindingServiceSettings } from './tab-instances.js';

/** Seconds that a session lasts unless `ttl` says otherwise: 12 hours. */
export const DEFAULT_SESSION_TTL = 12 * 3600;
/** Seconds for which the credential before a refresh stays valid (PROTOCOL section 11). */
export const PREVIOUS_CREDENTIAL_VALID = 30;

/** What a session is bound to, besides the instance that asked for it. */
export interface SessionStart {
  /** The user, as the application names it. Must just have been authenticated in this very request. */
  readonly subject: string;
  /** The credential that the application issues with the session; later requests must carry it. Required where no `credential` verifier is configured. */
  readonly credential?: string;
  /** Seconds; default 12 hours. */
  readonly ttl?: number;
}

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
  readonly #record: RefusalRecorder;

  /** @param record default: the record of the request itself is quoted */
  constructor(settings: SessionServiceSettings, record: RefusalRecorder = (_error, trust) => trust.decision) {
    this.#settings = settings;
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
      this.#checkStart(start, provenance);
      const session = this.#newSession(verified, start);
      const outcome = await this.#call((store) => store.bind(session));
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
      const credentialHash = hashOf(credential);
      const change = {
        sessionId: session.id,
        instanceId: instance.id,
        credentialHash,
        previousValidUntil: now + PREVIOUS_CREDENTIAL_VALID,
        now,
      };
      const outcome = await this.#call((store) => store.rebind(change));
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
  revoke(id: string, reason: string): Promise<boolean> {
    return this.#call((store) => store.endSession(id, this.#ending(reason)));
  }

  /** Ends all sessions of a user, on all instances; returns how many. */
  revokeSubject(subject: string, reason: string): Promise<number> {
    return this.#call((store) => store.endSessions(subject, this.#ending(reason)));
  }

  /** The sessions of a user that are still kept, ended ones included, newest first. */
  list(subject: string): Promise<BoundSession[]> {
    return this.#call((store) => store.findSessions(subject));
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

  #checkStart({ subject, credential, ttl }: SessionStart, provenance: TrustProvenance): void {
    if (typeof subject !== 'string' || subject === '' || subject.length > 255)
      throw new TypeError('TabSessions.bind: subject must be 1 to 255 characters');
    if (ttl !== undefined && (!Number.isSafeInteger(ttl) || ttl <= 0))
      throw new TypeError('TabSessions.bind: ttl must be seconds, a whole number above 0');
    if (credential === '' || (credential === undefined && !this.#settings.verifiesCredentials)) {
      throw new TypeError(
        'TabSessions.bind: name the credential that you issue, or configure `credential` to verify credentials',
      );
    }
    if (!provenance.challenged)
      throw new TypeError("TabSessions.bind: the route must ask for a challenge (challenge: 'recent' or 'single-use')");
    // Presenting an access token is not authentication: whoever stole it could bind it to an instance of their own.
    if (credential !== undefined && hashOf(credential) === provenance.credentialHash) {
      throw new TabError('invalid_session', 'a credential found on the request cannot start a session');
    }
  }

  #newSession(trust: VerifiedTrust, { subject, credential, ttl }: SessionStart): BoundSession {
    const now = this.#now();
    return {
      id: randomBytes(24).toString('base64url'),
      instanceId: trust.instance.id,
      subject,
      credentialHash: credential === undefined ? null : hashOf(credential),
      previousCredentialHash: null,
      previousValidUntil: null,
      createdAt: now,
      expiresAt: now + (ttl ?? DEFAULT_SESSION_TTL),
      endedAt: null,
      endReason: null,
    };
  }

  async #inactive(instanceId: string): Promise<TabError> {
    const { instance } = await this.#call((store) => store.load({ instanceId }));
    return inactiveError(instance);
  }

  #now(): number {
    return secondsOf(this.#settings.clock);
  }

  #ending(reason: string): { reason: string; at: number } {
    return { reason: reason.slice(0, 200), at: this.#now() };
  }

  #call<T>(call: (store: BindingStore) => Promise<T>): Promise<T> {
    const { bindings, storeTimeout } = this.#settings;
    return callStore('binding store', storeTimeout, () => call(bindings));
  }
}

/** Hashed as the header value in which the client will send it: one octet a character. */
function hashOf(credential: string): string {
  return sha256OfField(credential);
}

function inactiveError(instance: AppInstance | undefined): TabError {
  if (instance === undefined) return new TabError('unknown_instance', 'instance is not enrolled');
  if (instance.status === 'revoked') return new TabError('instance_revoked', 'instance is revoked');
  return new TabError('instance_suspended', 'instance is suspended');
}
