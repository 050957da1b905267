// Claims of new keys under a steady load, ours and what they are compared with by turns.
import { keys } from './stores-engines.mjs';

/** Milliseconds of each measurement. */
const SLICE = 250;
/** Times kept of one slice; of more, the first. */
const KEPT = 200_000;

/** Claims new keys, `inFlight` at a time, for the length of a slice; returns claims per second. */
async function load(claim, expiry, inFlight, times) {
  const nextKey = keys();
  const started = performance.now();
  const end = started + SLICE;
  let done = 0;
  const worker = async () => {
    for (let at = performance.now(); at < end;) {
      await claim(nextKey(), expiry());
      const now = performance.now();
      if (done < KEPT) times.push(now - at);
      at = now;
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return (done * 1000) / (performance.now() - started);
}

export const quantile = (values, part) =>
  Float64Array.from(values).sort()[Math.floor((values.length - 1) * part)] ?? Number.NaN;

/** Medians over rounds; the ratio is the median of those of each round, so that a drifting machine drifts for both. */
export async function compare({ claim, single, expiry }, inFlight, rounds = 13) {
  const cases = single === undefined ? [claim] : [claim, single];
  const seen = cases.map(() => ({ rates: [], times: [] }));
  for (let round = -1; round < rounds; round += 1) {
    for (const [index, each] of cases.entries()) {
      const times = [];
      const rate = await load(each, expiry, inFlight, times);
      // The first round warms up.
      if (round < 0) continue;
      seen[index].rates.push(rate);
      for (const time of times) seen[index].times.push(time);
    }
  }
  const [ours, base] = seen.map(({ rates, times }) => ({
    rate: quantile(rates, 0.5),
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
  }));
  const ratio =
    base &&
    quantile(
      seen[0].rates.map((rate, round) => rate / seen[1].rates[round]),
      0.5,
    );
  return { ours, base, ratio };
}
