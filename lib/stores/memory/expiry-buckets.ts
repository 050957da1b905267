/**
 * Keys by the second at which they are over, so that what is over is found without looking at anything else.
 * A key may be added under one time only; adding and removing cost the same however many there are.
 */
export class ExpiryBuckets {
  private readonly buckets = new Map<number, Set<string>>();
  /** No bucket before this second exists. */
  private first: number;

  /** @param now seconds since the epoch; where the search begins */
  constructor(now: number) {
    this.first = now;
  }

  /** Adds a key that is over at `time`. */
  add(key: string, time: number): void {
    let bucket = this.buckets.get(time);
    if (!bucket) this.buckets.set(time, (bucket = new Set()));
    bucket.add(key);
    this.first = Math.min(this.first, time);
  }

  /** Removes a key that was added under `time`. */
  remove(key: string, time: number): void {
    const bucket = this.buckets.get(time);
    if (bucket?.delete(key) && bucket.size === 0) this.buckets.delete(time);
  }

  /** Keys that were over before `time`; the caller may remove those it has been given. */
  *before(time: number): Generator<string> {
    for (const second of this.secondsBefore(time)) yield* this.buckets.get(second) ?? [];
  }

  /** Removes and returns up to `limit` keys that were over before `time`. */
  take(time: number, limit: number): string[] {
    const taken: string[] = [];
    if (limit <= 0) return taken;
    for (const second of this.secondsBefore(time)) {
      for (const key of this.buckets.get(second) ?? []) {
        taken.push(key);
        this.remove(key, second);
        if (taken.length === limit) return taken;
      }
    }
    // Everything up to here is gone: the next search starts after it.
    this.first = Math.max(this.first, time);
    return taken;
  }

  /** The seconds to look at: one by one, or, after a long silence, only those that exist. */
  private secondsBefore(time: number): Iterable<number> {
    if (time - this.first > this.buckets.size)
      return [...this.buckets.keys()].filter((second) => second < time).sort((a, b) => a - b);
    return range(this.first, time);
  }
}

function* range(from: number, to: number): Generator<number> {
  for (let second = from; second < to; second++) yield second;
}
