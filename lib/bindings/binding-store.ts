import type {
  AppInstance,
  Bindings,
  BindingQuery,
  BindingSweep,
  BindOutcome,
  BoundSession,
  Ending,
  InstanceFilter,
  Rebinding,
  RebindOutcome,
} from './binding.types.js';

/**
 * Port: app instances and the sessions bound to them.
 *
 * Every method is atomic. Methods reject when their outcome is not certain; the caller then refuses the request
 * (`store_unavailable`). Reads see every write that returned before them, on every node: a revocation holds from the
 * next request. Ids and hashes are compared octet by octet, never by a case-insensitive collation.
 */
export abstract class BindingStore {
  /** Finds instance and session in one round trip. States are returned as they are, ended and expired ones too. */
  abstract load(query: BindingQuery): Promise<Bindings>;

  /**
   * Writes an instance.
   *
   * @param expectedRevision undefined inserts a new instance; a number replaces the one with that revision
   * @returns false, with nothing written, when the instance exists already, or has another revision, or is gone
   */
  abstract saveInstance(instance: AppInstance, expectedRevision?: number): Promise<boolean>;

  /**
   * Writes a new session if its instance is active, checked in the same transaction.
   * A credential hash that any kept session names, as current or previous, ends that session and refuses this one.
   */
  abstract bind(session: BoundSession): Promise<BindOutcome>;

  /** Replaces the credential hash of an active session; the rule about taken hashes is that of `bind`. */
  abstract rebind(change: Rebinding): Promise<RebindOutcome>;

  /**
   * Suspends an active instance, or adds `threats` to a suspended one.
   *
   * @returns false when the instance is unknown or revoked
   */
  abstract suspend(instanceId: string, ending: Ending, threats: readonly string[]): Promise<boolean>;

  /** Revokes an instance for ever and ends its sessions, in one transaction. False when unknown or revoked already. */
  abstract revoke(instanceId: string, ending: Ending): Promise<boolean>;

  /** Ends one session. False when unknown or ended already. */
  abstract endSession(sessionId: string, ending: Ending): Promise<boolean>;

  /** Ends all live sessions of a subject and returns how many. */
  abstract endSessions(subject: string, ending: Ending): Promise<number>;

  /** Instances in id order. */
  abstract findInstances(filter: InstanceFilter): Promise<AppInstance[]>;

  /** All kept sessions of a subject, newest first, at most 1000. */
  abstract findSessions(subject: string): Promise<BoundSession[]>;

  /** Deletes what is over, a little at a time; returns how many rows went. */
  abstract sweep(what: BindingSweep): Promise<number>;
}
