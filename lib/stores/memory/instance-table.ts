import type { AppInstance } from '../../bindings/binding.types.js';
import { deepFreeze } from './deep-freeze.js';
import { ExpiryBuckets } from './expiry-buckets.js';
import { firstOf } from './session-table.js';

/** Instances by id, and the unattested ones also by the second of their creation. */
export class InstanceTable {
  private readonly byId = new Map<string, AppInstance>();
  private readonly unattested: ExpiryBuckets;

  constructor(now: number) {
    this.unattested = new ExpiryBuckets(now);
  }

  get size(): number {
    return this.byId.size;
  }

  get(id: string): AppInstance | undefined {
    return this.byId.get(id);
  }

  values(): AppInstance[] {
    return [...this.byId.values()];
  }

  put(instance: AppInstance): void {
    const known = this.byId.get(instance.id);
    if (known) this.unattested.remove(known.id, known.createdAt);
    this.byId.set(instance.id, deepFreeze(structuredClone(instance)));
    if (instance.format === 'none' && instance.status === 'active')
      this.unattested.add(instance.id, instance.createdAt);
  }

  /** Deletes up to `limit` active unattested instances that were created before `time` and are idle; returns how many. */
  sweep(time: number, limit: number, isIdle: (id: string) => boolean): number {
    const ids = [...firstOf(this.idleBefore(time, isIdle), limit)];
    for (const id of ids) {
      this.unattested.remove(id, this.byId.get(id)?.createdAt ?? 0);
      this.byId.delete(id);
    }
    return ids.length;
  }

  private *idleBefore(time: number, isIdle: (id: string) => boolean): Generator<string> {
    for (const id of this.unattested.before(time)) if (isIdle(id)) yield id;
  }
}
