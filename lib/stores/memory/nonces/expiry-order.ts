import { NONE } from './entry-arena.js';

/**
 * Seconds at which something is over, each with its first entry; the earliest is found without looking at the others. A
 * heap, not a wheel: it has no size to outgrow, and a clock that jumps, or steps back, is nothing special to it.
 */
export class ExpiryOrder {
  private readonly first = new Map<number, number>();
  /** A binary heap: no second is later than those at twice its place, counted from 1. */
  private readonly heap: number[] = [];

  /** The first entry of a second, or `NONE`. */
  firstOf(second: number): number {
    return this.first.get(second) ?? NONE;
  }

  /** Makes `entry` the first of its second; `NONE` ends the second, which must be the earliest. */
  setFirst(second: number, entry: number): void {
    if (entry === NONE) return this.end(second);
    if (!this.first.has(second)) this.rise(second);
    this.first.set(second, entry);
  }

  /** The earliest second, or undefined. */
  earliest(): number | undefined {
    return this.heap[0];
  }

  private end(second: number): void {
    this.first.delete(second);
    const last = this.heap.pop();
    if (last !== undefined && this.heap.length > 0) this.sink(last);
  }

  private rise(second: number): void {
    let at = this.heap.length;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      const above = this.heap[parent] as number;
      if (above <= second) break;
      this.heap[at] = above;
      at = parent;
    }
    this.heap[at] = second;
  }

  private sink(second: number): void {
    let at = 0;
    for (;;) {
      const child = this.smallerChild(at);
      const below = this.heap[child];
      if (below === undefined || below >= second) break;
      this.heap[at] = below;
      at = child;
    }
    this.heap[at] = second;
  }

  private smallerChild(at: number): number {
    const [left, right] = [2 * at + 1, 2 * at + 2];
    const [first, second] = [this.heap[left], this.heap[right]];
    return first !== undefined && second !== undefined && second < first ? right : left;
  }
}
