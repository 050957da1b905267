// What one look of each Node probe costs. The first look also starts a fresh thread, once per process; it is not counted.
import { nodeProbes } from '../dist/defender/node/index.js';

const ROUNDS = 41;
const LIMIT = 5;
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const round3 = (value) => Math.round(value * 1000) / 1000;

/** Under 5 ms is asked of each probe, except of `tamper`, which reads the whole app and is not run here. */
export async function run() {
  const probes = nodeProbes({ root: true, emulator: true });
  const times = new Map(probes.map((probe) => [probe.name, []]));
  for (let round = -3; round < ROUNDS; round += 1) {
    for (const probe of probes) {
      const started = performance.now();
      await probe.run();
      // The first rounds warm up.
      if (round >= 0) times.get(probe.name).push(performance.now() - started);
    }
  }
  return Object.fromEntries(
    [...times].map(([name, all]) => [
      name,
      {
        'ms per run': round3(median(all)),
        min: round3(Math.min(...all)),
        max: round3(Math.max(...all)),
        'under 5 ms': median(all) < LIMIT ? 'yes' : 'NO',
      },
    ]),
  );
}
