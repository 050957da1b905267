import type { BoundSession } from '../../bindings/binding.types.js';
import { ExpiryBuckets } from './expiry-buckets.js';

/** Sessions with the look-ups that the binding store needs; each `put` and `delete` keeps all of them in step. */
export class SessionTable {
  private readonly byId = new Map<string, BoundSession>();
  private readonly ofInstance = new Map<string, Set<string>>();
  private readonly ofSubject = new Map<string, Set<string>>();
  /** Every hash that a session names, current or previous: the binding rule lets only one session name it. */
  private readonly ofHash = new Map<string, string>();
  private readonly expired: ExpiryBuckets;
  private readonly ended: ExpiryBuckets;

  constructor(now: number) {
    this.expired = new ExpiryBuckets(now);
    this.ended = new ExpiryBuckets(now);
  }

  get size(): number {
    return this.byId.size;
  }

  get(id: string): BoundSession | undefined {
    return this.byId.get(id);
  }

  /** The session that names a hash, as current or previous. */
  holder(hash: string): BoundSession | undefined {
    const id = this.ofHash.get(hash);
    return id === undefined ? undefined : this.byId.get(id);
  }

  put(session: BoundSession): void {
    this.delete(session.id);
    this.byId.set(session.id, Object.freeze({ ...session }));
    link(this.ofInstance, session.instanceId, session.id);
    link(this.ofSubject, session.subject, session.id);
    for (const hash of hashesOf(session)) this.ofHash.set(hash, session.id);
    this.expired.add(session.id, session.expiresAt);
    if (session.endedAt !== null) this.ended.add(session.id, session.endedAt);
  }

  delete(id: string): void {
    const session = this.byId.get(id);
    if (!session) return;
    this.byId.delete(id);
    unlink(this.ofInstance, session.instanceId, id);
    unlink(this.ofSubject, session.subject, id);
    for (const hash of hashesOf(session)) if (this.ofHash.get(hash) === id) this.ofHash.delete(hash);
    this.expired.remove(id, session.expiresAt);
    if (session.endedAt !== null) this.ended.remove(id, session.endedAt);
  }

  withInstance(instanceId: string): BoundSession[] {
    return this.resolve(this.ofInstance.get(instanceId));
  }

  hasInstance(instanceId: string): boolean {
    return this.ofInstance.has(instanceId);
  }

  withSubject(subject: string): BoundSession[] {
    return this.resolve(this.ofSubject.get(subject));
  }

  /** Deletes up to `limit` sessions that expired or ended before `time` and returns how many. */
  sweep(time: number, limit: number): number {
    let deleted = 0;
    for (const over of [this.expired, this.ended]) {
      const ids = Array.from(firstOf(over.before(time), limit - deleted));
      for (const id of ids) this.delete(id);
      deleted += ids.length;
    }
    return deleted;
  }

  private resolve(ids: ReadonlySet<string> | undefined): BoundSession[] {
    return [...(ids ?? [])].map((id) => this.byId.get(id)).filter((session) => session !== undefined);
  }
}

/** Up to `limit` of what an iterator gives. */
export function* firstOf<T>(values: Iterable<T>, limit: number): Generator<T> {
  let count = 0;
  if (limit <= 0) return;
  for (const value of values) {
    yield value;
    if (++count >= limit) return;
  }
}

function hashesOf({ credentialHash, previousCredentialHash }: BoundSession): string[] {
  return [credentialHash, previousCredentialHash].filter((hash) => hash !== null);
}

function link(index: Map<string, Set<string>>, key: string, id: string): void {
  let ids = index.get(key);
  if (!ids) index.set(key, (ids = new Set()));
  ids.add(id);
}

function unlink(index: Map<string, Set<string>>, key: string, id: string): void {
  const ids = index.get(key);
  if (ids?.delete(id) && ids.size === 0) index.delete(key);
}
