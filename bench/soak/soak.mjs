// One run on one engine: four processes, the traffic, the kills, and the verdict.
import { randomBytes } from 'node:crypto';
import { clockOf, clockSettings } from './clock.mjs';
import { enrolDevices } from './devices.mjs';
import { prepareEngine } from './engines.mjs';
import { Ledger } from './ledger.mjs';
import { Plan } from './plan.mjs';
import { randomStream } from './random.mjs';
import { Seat } from './seat.mjs';
import { Traffic } from './traffic.mjs';
import { verdictOf } from './verdict.mjs';

const PROCESSES = 4;
/** Real seconds for which a presentation may be under way before the expiry of its token. */
const MARGIN = 5;

/** Runs an engine; whatever happens, nothing is left behind. */
export async function soak(engine, options, onProgress = () => undefined) {
  // Redis judges by its own clock, which nobody can make faster.
  const time = clockSettings(engine === 'redis' ? 1 : options.speed);
  const place = await prepareEngine(engine, options.library, time);
  // A run that is interrupted cleans up too; the processes end by themselves when the coordinator is gone.
  const interrupted = () => void place.remove().finally(() => process.exit(130));
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, interrupted);
  try {
    return await run(engine, place, { ...options, time }, onProgress);
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, interrupted);
    await place.remove();
  }
}

async function run(engine, place, options, onProgress) {
  const { library, seed, sabotage, tokens, time } = options;
  const { speed } = time;
  const clock = clockOf(time);
  const epoch = Math.floor(clock() / 1000);
  const margin = MARGIN * speed;
  const settings = { engine, library, sabotage, clock: time, epoch, margin, settings: place.settings };
  Object.assign(settings, { secret: randomBytes(32).toString('hex'), instance: randomBytes(32).toString('base64url') });
  const ledger = new Ledger(tokens);
  let failure;
  const seats = Array.from({ length: PROCESSES }, (_, worker) => {
    const random = randomStream(seed, `kills of ${worker}`);
    const onFailure = (error) => (failure ??= error);
    return new Seat({ ...settings, worker }, ledger, { killEvery: options.kill, random, onFailure });
  });
  try {
    await Promise.all(seats.map((seat) => seat.start()));
    const devices = await enrolDevices(options.http, seats[0], library, clock);
    const plan = new Plan({ ...options, speed }, margin, randomStream(seed, 'plan'));
    const random = randomStream(seed, 'routes');
    const traffic = new Traffic({ seats, ledger, plan, devices, random, clock, epoch, isFailed: () => failure });
    const timer = setInterval(() => onProgress(ledger), 10_000);
    const started = performance.now();
    for (const seat of seats) seat.beginKilling();
    await traffic.run().finally(() => clearInterval(timer));
    const seconds = (performance.now() - started) / 1000;
    for (const seat of seats) seat.endKilling();
    const found = await place.inspect();
    return verdictOf({ engine, server: place.server, speed, options, ledger, seats, seconds, ...found });
  } finally {
    await Promise.all(seats.map((seat) => seat.stop()));
  }
}
