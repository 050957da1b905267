// Medians over interleaved rounds: every case runs once per round, so that a drifting machine drifts for all of them.
const ROUNDS = 21;
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/**
 * @param {Record<string, () => unknown>} cases synchronous functions
 * @param {number} calls per round
 * @returns {Record<string, { 'µs per call': number, 'min': number, 'max': number }>}
 */
export function measure(cases, calls = 50_000) {
  const times = Object.fromEntries(Object.keys(cases).map((name) => [name, []]));
  for (let round = -3; round < ROUNDS; round += 1) {
    for (const [name, work] of Object.entries(cases)) {
      const started = performance.now();
      for (let i = 0; i < calls; i += 1) work();
      // The first rounds warm up.
      if (round >= 0) times[name].push(((performance.now() - started) * 1000) / calls);
    }
  }
  const round3 = (value) => Math.round(value * 1000) / 1000;
  return Object.fromEntries(
    Object.entries(times).map(([name, all]) => [
      name,
      { 'µs per call': round3(median(all)), min: round3(Math.min(...all)), max: round3(Math.max(...all)) },
    ]),
  );
}
