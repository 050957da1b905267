import { BindingStore } from '../../bindings/binding-store.js';
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
} from '../../bindings/binding.types.js';
import { TabError } from '../../errors/tab-error.js';
import { BlockTable } from './block-table.js';
import { BreachLog } from './breach-log.js';
import { ensureRoom } from './ensure-room.js';
import { InstanceTable } from './instance-table.js';
import { SessionTable } from './session-table.js';

const MAX_LISTED = 1000;
const DEFAULT_LISTED = 100;

/** Limits of the binding store. */
export interface MemoryBindingLimits {
  readonly maxInstances: number;
  readonly maxSessions: number;
  /** Beyond it, the oldest breach is forgotten. */
  readonly maxBreaches: number;
}

/**
 * Everything in the memory of one process. Every method runs in one synchronous step, which makes it atomic. What is
 * stored is frozen, so that a caller cannot change it past the revision. Full is an error: nothing but a breach is evicted.
 */
export class MemoryBindingStore extends BindingStore {
  private readonly instances: InstanceTable;
  private readonly sessions: SessionTable;
  private readonly breaches: BreachLog;
  private readonly blocks = new BlockTable();

  /** @param clock milliseconds since the epoch */
  constructor(
    private readonly limits: MemoryBindingLimits,
    clock: () => number,
  ) {
    super();
    const now = Math.floor(clock() / 1000);
    this.instances = new InstanceTable(now);
    this.sessions = new SessionTable(now);
    this.breaches = new BreachLog(limits.maxBreaches);
  }

  override async load({ instanceId, sessionId, credentialHash }: BindingQuery): Promise<Bindings> {
    const instance = this.instances.get(instanceId);
    const session = sessionId !== undefined ? this.sessions.get(sessionId) : this.withCurrent(credentialHash);
    const blockedVersions = instance && this.blocks.ranges(instance.appId);
    return { ...(instance && { instance }), ...(session && { session }), ...(blockedVersions && { blockedVersions }) };
  }

  override async saveInstance(instance: AppInstance, expectedRevision?: number): Promise<boolean> {
    const known = this.instances.get(instance.id);
    if (known?.revision !== expectedRevision || known?.status === 'revoked') return false;
    if (!known) ensureRoom('instances', this.instances.size, this.limits.maxInstances);
    this.instances.put({ ...instance, revision: (expectedRevision ?? 0) + 1 });
    return true;
  }

  override async bind(session: BoundSession): Promise<BindOutcome> {
    if (this.instances.get(session.instanceId)?.status !== 'active') return 'instance_inactive';
    if (session.credentialHash !== null && this.endHolder(session.credentialHash, session.createdAt))
      return 'credential_taken';
    if (this.sessions.get(session.id)) throw new TabError('store_unavailable', 'a session of this id exists');
    ensureRoom('sessions', this.sessions.size, this.limits.maxSessions);
    this.sessions.put(session);
    return 'bound';
  }

  override async rebind(change: Rebinding): Promise<RebindOutcome> {
    const session = this.sessions.get(change.sessionId);
    if (
      !session ||
      session.instanceId !== change.instanceId ||
      session.endedAt !== null ||
      change.now >= session.expiresAt
    ) {
      return 'session_inactive';
    }
    // A refresh that brings the credential the session names already changes nothing.
    if (session.credentialHash === change.credentialHash) return 'rebound';
    if (this.endHolder(change.credentialHash, change.now)) return 'credential_taken';
    this.sessions.put({
      ...session,
      credentialHash: change.credentialHash,
      previousCredentialHash: session.credentialHash,
      previousValidUntil: session.credentialHash === null ? null : change.previousValidUntil,
    });
    return 'rebound';
  }

  override async suspend(instanceId: string, ending: Ending, threats: readonly string[]): Promise<boolean> {
    const instance = this.instances.get(instanceId);
    if (!instance || instance.status === 'revoked') return false;
    const suspendedBy = [...new Set([...(instance.status === 'suspended' ? instance.suspendedBy : []), ...threats])];
    // A later suspension renews the earlier one: evidence and challenges from before it must not end it.
    const renews = instance.status === 'active' || ending.at > instance.statusAt;
    if (!renews && suspendedBy.length === instance.suspendedBy.length) return true;
    const renewal = renews ? { statusReason: ending.reason, statusAt: ending.at } : {};
    this.instances.put({ ...instance, ...renewal, status: 'suspended', suspendedBy, revision: instance.revision + 1 });
    return true;
  }

  override async revoke(instanceId: string, ending: Ending): Promise<boolean> {
    const instance = this.instances.get(instanceId);
    if (!instance || instance.status === 'revoked') return false;
    const change = { status: 'revoked', statusReason: ending.reason, statusAt: ending.at } as const;
    this.instances.put({ ...instance, ...change, revision: instance.revision + 1 });
    for (const session of this.sessions.withInstance(instanceId)) this.end(session, ending);
    return true;
  }

  override async endSession(sessionId: string, ending: Ending): Promise<boolean> {
    const session = this.sessions.get(sessionId);
    return session !== undefined && this.end(session, ending);
  }

  override async endSessions(subject: string, ending: Ending): Promise<number> {
    return this.sessions.withSubject(subject).filter((session) => this.end(session, ending)).length;
  }

  override async findInstances({ appId, status, after, limit }: InstanceFilter): Promise<AppInstance[]> {
    const count = Math.min(Math.max(Math.trunc(limit ?? DEFAULT_LISTED), 1), MAX_LISTED);
    return this.instances
      .values()
      .filter((instance) => appId === undefined || instance.appId === appId)
      .filter((instance) => status === undefined || instance.status === status)
      .filter((instance) => after === undefined || instance.id > after)
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .slice(0, count);
  }

  override async findSessions(subject: string): Promise<BoundSession[]> {
    return this.sessions
      .withSubject(subject)
      .sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1))
      .slice(0, MAX_LISTED);
  }

  override async recordBreach(breach: Breach): Promise<void> {
    this.breaches.record(breach);
  }

  override async findBreaches(filter: BreachFilter): Promise<Breach[]> {
    return this.breaches.find(filter);
  }

  override async blockVersions(block: VersionBlock): Promise<void> {
    this.blocks.put(block);
  }

  override async unblockVersions(appId: string, range: string): Promise<boolean> {
    return this.blocks.delete(appId, range);
  }

  override async findBlocks(appId?: string): Promise<VersionBlock[]> {
    return this.blocks.find(appId);
  }

  override async sweep({ sessionsBefore, unattestedBefore, breachesBefore, limit }: BindingSweep): Promise<number> {
    const deleted = this.sessions.sweep(sessionsBefore, limit) + this.breaches.sweep(breachesBefore, limit);
    return deleted + this.instances.sweep(unattestedBefore, limit, (id) => !this.sessions.hasInstance(id));
  }

  private withCurrent(hash: string | undefined): BoundSession | undefined {
    const session = hash === undefined ? undefined : this.sessions.holder(hash);
    return session?.credentialHash === hash ? session : undefined;
  }

  /** Ends the session that names the hash, and tells whether there is one, ended long ago or not. */
  private endHolder(hash: string, at: number): boolean {
    const holder = this.sessions.holder(hash);
    if (holder) this.end(holder, { reason: 'credential_taken', at });
    return holder !== undefined;
  }

  private end(session: BoundSession, { reason, at }: Ending): boolean {
    if (session.endedAt !== null) return false;
    this.sessions.put({ ...session, endedAt: at, endReason: reason });
    return true;
  }
}
