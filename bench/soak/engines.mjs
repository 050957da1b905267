// Where the claims are kept.
const MODULES = { postgres: () => import('./postgres.mjs'), redis: () => import('./redis.mjs') };

/** In the coordinator: makes a place for a run. */
export async function prepareEngine(engine, library, time) {
  return (await MODULES[engine]()).prepare(library, time);
}

/** In a worker: the stores in that place. */
export async function openEngine(settings, clock) {
  return (await MODULES[settings.engine]()).open(settings, clock);
}
