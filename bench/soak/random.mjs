// Seeded random numbers: a run can be planned again. The timing of processes cannot, so results may differ all the same.

/** A stream of numbers in [0, 1) for one purpose, so that purposes do not disturb each other (mulberry32). */
export function randomStream(seed, purpose) {
  let state = seed >>> 0;
  for (const character of purpose) state = Math.imul(state ^ character.codePointAt(0), 0x01000193) >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    /** A whole number, both ends included. */
    whole: (from, to) => from + Math.floor(next() * (to - from + 1)),
    between: (from, to) => from + next() * (to - from),
  };
}
