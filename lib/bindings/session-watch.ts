import { Observable, type Subscriber } from 'rxjs';
import { callStore } from './store-call.js';
import type { Bindings } from './binding.types.js';
import type { BindingServiceSettings } from './tab-instances.js';

/** The end of a session that was watched. */
export interface SessionEnd {
  /** The session. */
  readonly id: string;
  /**
   * Why: what the session was ended with, or `expired`, `instance_suspended`, `instance_revoked`, or `unknown` for a
   * session that is not kept. For operators, not for clients.
   */
  readonly reason: string;
}

/** Calls back again and again, and returns what stops it. */
export type Every = (milliseconds: number, callback: () => void) => () => void;

/** Options of `SessionWatch`. */
export interface SessionWatchOptions {
  /** Milliseconds between looks at the store. Default 2000. */
  readonly interval?: number;
  /** Default `setInterval`, which does not keep the process alive. */
  readonly every?: Every;
  /** Told once when the store fails, and once when it answers again. */
  readonly warn?: (message: string) => void;
}

/** A watched session. Instance and subject never change, so they are remembered. */
interface Watched {
  readonly id: string;
  readonly subscribers: Set<Subscriber<SessionEnd>>;
  instanceId?: string;
  subject?: string;
}

const INTERVAL = 2000;
/** Sessions looked up at the same time, so that many connections do not take every connection of a database. */
const LOOKUPS = 16;

function everyInterval(milliseconds: number, callback: () => void): () => void {
  const timer = setInterval(callback, milliseconds);
  timer.unref();
  return () => clearInterval(timer);
}

/**
 * Tells when sessions end, so that connections which outlive a request can be closed: at once for what ends on this node,
 * within one interval for what other nodes end, and for expiry. A store that does not answer ends no session.
 */
export class SessionWatch {
  readonly #settings: BindingServiceSettings;
  readonly #options: SessionWatchOptions;
  readonly #watched = new Map<string, Watched>();
  #stop: (() => void) | undefined;
  #looking = false;
  #failing = false;
  #closed = false;

  constructor(settings: BindingServiceSettings, options: SessionWatchOptions = {}) {
    this.#settings = settings;
    this.#options = options;
  }

  /**
   * Emits once and completes when the session ends; at once when it has ended already or is not known. Completes without
   * emitting when the application shuts down. Watches from subscription to unsubscription.
   */
  watch(id: string): Observable<SessionEnd> {
    return new Observable((subscriber) => {
      if (this.#closed) return subscriber.complete();
      const watched = this.#add(id, subscriber);
      void this.#look([watched]);
      return () => this.#remove(watched, subscriber);
    });
  }

  /** The session ended on this node. */
  notify(id: string, reason: string): void {
    const watched = this.#watched.get(id);
    if (watched !== undefined) this.#end(watched, reason);
  }

  /** All sessions of a user ended on this node. */
  notifySubject(subject: string, reason: string): void {
    this.#endWhere((watched) => watched.subject === subject, reason);
  }

  /** An instance was suspended or revoked on this node. */
  notifyInstance(instanceId: string, reason: string): void {
    this.#endWhere((watched) => watched.instanceId === instanceId, reason);
  }

  /** Looks at every watched session now; one look at a time. */
  async poll(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      await this.#look([...this.#watched.values()]);
    } finally {
      this.#looking = false;
    }
  }

  /** Ends all watching at shutdown. */
  close(): void {
    this.#closed = true;
    for (const { subscribers } of this.#watched.values()) for (const subscriber of subscribers) subscriber.complete();
  }

  #add(id: string, subscriber: Subscriber<SessionEnd>): Watched {
    const watched = this.#watched.get(id) ?? { id, subscribers: new Set() };
    this.#watched.set(id, watched);
    watched.subscribers.add(subscriber);
    const { every = everyInterval, interval = INTERVAL } = this.#options;
    this.#stop ??= every(interval, () => void this.poll());
    return watched;
  }

  #remove(watched: Watched, subscriber: Subscriber<SessionEnd>): void {
    watched.subscribers.delete(subscriber);
    if (watched.subscribers.size > 0) return;
    // A session may be watched anew by then.
    if (this.#watched.get(watched.id) === watched) this.#watched.delete(watched.id);
    if (this.#watched.size > 0) return;
    this.#stop?.();
    this.#stop = undefined;
  }

  #endWhere(matches: (watched: Watched) => boolean, reason: string): void {
    for (const watched of this.#watched.values()) if (matches(watched)) this.#end(watched, reason);
  }

  #end(watched: Watched, reason: string): void {
    // Who watches it anew from within is another matter, and is answered for itself.
    if (this.#watched.get(watched.id) === watched) this.#watched.delete(watched.id);
    for (const subscriber of watched.subscribers) {
      subscriber.next({ id: watched.id, reason });
      subscriber.complete();
    }
  }

  async #look(all: readonly Watched[]): Promise<void> {
    for (let at = 0; at < all.length; at += LOOKUPS) {
      await Promise.all(all.slice(at, at + LOOKUPS).map((watched) => this.#lookAt(watched)));
    }
  }

  async #lookAt(watched: Watched): Promise<void> {
    if (watched.subscribers.size === 0) return;
    try {
      const reason = await this.#endOf(watched);
      this.#tell(false);
      if (reason !== undefined) this.#end(watched, reason);
    } catch (error) {
      this.#tell(true, error instanceof Error ? error.name : 'unknown error');
    }
  }

  /** Why the session is over; undefined while it is not. */
  async #endOf(watched: Watched): Promise<string | undefined> {
    const { id, instanceId } = watched;
    if (instanceId !== undefined) return this.#reasonOf(await this.#load(id, instanceId));
    const { session } = await this.#load(id, '');
    if (session === undefined) return 'unknown';
    watched.instanceId = session.instanceId;
    watched.subject = session.subject;
    return this.#reasonOf(await this.#load(id, session.instanceId));
  }

  #reasonOf({ session, instance }: Bindings): string | undefined {
    if (session === undefined) return 'unknown';
    if (session.endedAt !== null) return session.endReason ?? 'ended';
    if (this.#settings.clock() >= session.expiresAt * 1000) return 'expired';
    if (instance === undefined) return 'unknown';
    return instance.status === 'active' ? undefined : `instance_${instance.status}`;
  }

  #load(sessionId: string, instanceId: string): Promise<Bindings> {
    const { bindings, storeTimeout } = this.#settings;
    return callStore('binding store', storeTimeout, () => bindings.load({ instanceId, sessionId }));
  }

  #tell(failing: boolean, kind = ''): void {
    if (failing === this.#failing) return;
    this.#failing = failing;
    this.#options.warn?.(
      failing ? `watched sessions cannot be looked up: ${kind}` : 'watched sessions are looked up again',
    );
  }
}
