import type {
  AppInstance,
  Bindings,
  BindingQuery,
  BindingSweep,
  BindOutcome,
  BoundSession,
  Breach,
  BreachFilter,
  Ending,
  InstanceFilter,
  Rebinding,
  RebindOutcome,
  VersionBlock,
} from './binding.types.js';

/** Most version ranges that are blocked for one app: `load` brings all of them with every request. */
export const MAX_BLOCKED_RANGES = 64;

/**
 * Port: app instances, the sessions bound to them, the breaches of their trust, and the versions that are blocked.
 *
 * Every method is atomic. Methods reject when their outcome is not certain; the caller then refuses the request
 * (`store_unavailable`). Reads see every write that returned before them, on every node: a revocation holds from the
 * next request, and so does a version block. Ids, hashes and ranges are compared octet by octet, never by a case-insensitive collation.
 */
export abstract class BindingStore {
  /**
   * Finds instance and session, and the version blocks of the instance's app, in one round trip. States are returned as
   * they are, ended and expired ones too; a session is found whether or not the instance is, blocks only with it.
   */
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

  /**
   * Keeps a breach for operators. An id that is kept already changes nothing, so that a call may be repeated.
   *
   * @throws RangeError when a member does not fit, except for `detail`, which is cut
   */
  abstract recordBreach(breach: Breach): Promise<void>;

  /** Breaches, newest first; those of one second in the falling order of their ids. */
  abstract findBreaches(filter: BreachFilter): Promise<Breach[]>;

  /**
   * Blocks versions of an app, from the next `load` on; a range that is blocked already gets the new reason and time.
   *
   * @throws RangeError, with nothing written, when the app has `MAX_BLOCKED_RANGES` others or a member does not fit
   */
  abstract blockVersions(block: VersionBlock): Promise<void>;

  /** Takes a block away, from the next `load` on. False when exactly this range was not blocked for the app. */
  abstract unblockVersions(appId: string, range: string): Promise<boolean>;

  /** The blocks of one app, or all, in the order of app ids and ranges; at most 10,000. */
  abstract findBlocks(appId?: string): Promise<VersionBlock[]>;

  /** Deletes what is over, a little at a time; returns how many rows went. */
  abstract sweep(what: BindingSweep): Promise<number>;
}
