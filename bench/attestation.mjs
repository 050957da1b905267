// What judging the evidence of one enrolment costs: our formats, beside other packages on the same artefacts in the same run.
// The artefacts are in ../shared/vectors (or TAB_VECTORS); where no genuine ones are at hand, they are synthetic and said to be.
import { androidCases, appleCases, jwtCases, webauthnCases } from './attestation-cases.mjs';

const ROUNDS = 21;
/** Milliseconds that a case runs for in each round, so that slow and fast ones are measured equally well. */
const SLICE = 25;
const OURS = 'nestjs-tab';
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const round = (value) => Math.round(value * 1000) / 1000;

const RealDate = Date;
let today = 0;

/** The time that every package believes while it is measured: artefacts are good on one day only, and some take no clock. */
class FixedDate extends RealDate {
  constructor(...args) {
    super(...(args.length === 0 ? [today] : args));
  }
  static now() {
    return today;
  }
}

/** Runs `work` under that time, without a network: a benchmark calls nobody. */
async function isolated(work) {
  const { fetch } = globalThis;
  globalThis.Date = FixedDate;
  globalThis.fetch = () => Promise.reject(new Error('a benchmark calls nobody'));
  try {
    return await work();
  } finally {
    globalThis.Date = RealDate;
    globalThis.fetch = fetch;
  }
}

async function verifyAll(verify, artefacts) {
  for (const artefact of artefacts) {
    today = artefact.at;
    const pending = verify(artefact);
    if (pending instanceof Promise) await pending;
  }
}

/** Artefacts that every package accepts; the others would be measured up to their refusal only. */
async function acceptedByAll({ artefacts, verifiers }) {
  const refused = new Map();
  for (const artefact of artefacts) {
    for (const [name, verify] of Object.entries(verifiers)) {
      await verifyAll(verify, [artefact]).catch((error) => refused.set(artefact, `${name}: ${error.message}`));
    }
  }
  return { good: artefacts.filter((artefact) => !refused.has(artefact)), refused };
}

/** Every case for a slice of time per round, so that a drifting machine drifts for all of them. */
async function rounds(verifiers, artefacts) {
  const times = Object.fromEntries(Object.keys(verifiers).map((name) => [name, []]));
  for (let at = -3; at < ROUNDS; at += 1) {
    for (const [name, verify] of Object.entries(verifiers)) {
      let calls = 0;
      const started = performance.now();
      let spent = 0;
      while (spent < SLICE) {
        await verifyAll(verify, artefacts);
        calls += artefacts.length;
        spent = performance.now() - started;
      }
      // The first rounds warm up.
      if (at >= 0) times[name].push(spent / calls);
    }
  }
  return times;
}

function rowsOf({ title }, times) {
  const ours = median(times[OURS]);
  const rows = Object.entries(times).map(([name, all]) => {
    const peer =
      name === OURS
        ? {}
        : { 'ours ÷ this': round(median(all) / ours), 'ours at or above': median(all) >= ours ? 'yes' : 'NO' };
    const ms = { ms: round(median(all)), min: round(Math.min(...all)), max: round(Math.max(...all)) };
    return [`${title}: ${name}`, { 'per second': Math.round(1000 / median(all)), ...ms, ...peer }];
  });
  return Object.fromEntries(rows);
}

export async function run() {
  const groups = [
    ...(await appleCases()),
    ...(await webauthnCases()),
    ...(await androidCases()),
    ...(await jwtCases()),
  ];
  const results = {};
  for (const group of groups) {
    await isolated(async () => {
      const { good, refused } = await acceptedByAll(group);
      for (const [{ id }, why] of refused) console.log(`left out of ${group.title}: ${id} (${why})`);
      if (good.length === 0) return console.log(`${group.title}: no artefacts`);
      console.log(`${group.title}: ${good.length} ${group.kind}. ${group.note}`);
      Object.assign(results, rowsOf(group, await rounds(group.verifiers, good)));
    });
  }
  return results;
}
