import { boundedFilter, storableBreach } from '../../bindings/binding-arguments.js';
import type { Breach, BreachFilter } from '../../bindings/binding.types.js';
import { deepFreeze } from './deep-freeze.js';
import { firstOf } from './session-table.js';

/**
 * Breaches in the order in which they came. They are a record, not state that a request is judged by: when there is no
 * room, the oldest goes, so that a full log cannot keep a new breach from being recorded and answered.
 */
export class BreachLog {
  private readonly byId = new Map<string, Breach>();

  /** @param max breaches kept at most */
  constructor(private readonly max: number) {}

  record(breach: Breach): void {
    const kept = storableBreach(breach);
    if (this.byId.has(kept.id)) return;
    this.byId.set(kept.id, deepFreeze(kept));
    for (const id of firstOf(this.byId.keys(), this.byId.size - this.max)) this.byId.delete(id);
  }

  find(filter: BreachFilter): Breach[] {
    const { instanceId, since, limit } = boundedFilter(filter);
    return [...this.byId.values()]
      .filter((breach) => instanceId === undefined || breach.instanceId === instanceId)
      .filter((breach) => since === undefined || breach.at >= since)
      .sort((a, b) => b.at - a.at || (a.id < b.id ? 1 : -1))
      .slice(0, limit);
  }

  /** Deletes up to `limit` breaches from before `time` and returns how many. */
  sweep(time: number, limit: number): number {
    const old = [...this.byId.values()].filter(({ at }) => at < time).slice(0, Math.max(limit, 0));
    for (const { id } of old) this.byId.delete(id);
    return old.length;
  }
}
