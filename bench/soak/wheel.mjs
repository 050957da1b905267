// What is to be done later, in slots of time.

/** Milliseconds of a slot. */
const SLOT = 5;
/** Slots; together more than the longest delay there may be. */
const SLOTS = 65_536;

export class Wheel {
  size = 0;
  #slots = Array.from({ length: SLOTS });
  #next;

  /** @param now milliseconds */
  constructor(now) {
    this.#next = Math.floor(now / SLOT);
  }

  /** @param at milliseconds; what is past is due at once */
  add(item, at) {
    const slot = Math.max(Math.floor(at / SLOT), this.#next);
    if (slot - this.#next >= SLOTS) throw new RangeError('the delay is too long');
    (this.#slots[slot % SLOTS] ??= []).push(item);
    this.size += 1;
  }

  /** Takes out what is due at `now`. */
  *due(now) {
    for (const last = Math.floor(now / SLOT); this.#next <= last; this.#next += 1) {
      const items = this.#slots[this.#next % SLOTS];
      if (items === undefined) continue;
      this.#slots[this.#next % SLOTS] = undefined;
      this.size -= items.length;
      yield* items;
    }
  }
}
