// One of the processes that share the store. It may be killed at any moment: what it has sent by then has been answered.
import { clockOf } from './clock.mjs';
import { openEngine } from './engines.mjs';
import { OUTCOME } from './ledger.mjs';
import { sabotaged } from './sabotage.mjs';
import { startServer } from './server.mjs';

const settings = JSON.parse(process.argv[2]);
const clock = clockOf(settings.clock);
const { jtiClaimKey } = await import(new URL('token/claim-key.js', settings.library).href);
const opened = await openEngine(settings, clock);
const stores = { ...opened.stores };
if (settings.sabotage !== undefined)
  stores.nonces = await sabotaged(settings.sabotage, stores.nonces, opened.raw, { ...settings, clock });
// The application opens the stores and sweeps them; claims go to the very same store.
const server = await startServer(settings, stores, clock);

let results = [];

/** Sends what is known, once for all that became known in this turn. */
function flush() {
  const sent = Uint32Array.from(results);
  results = [];
  // A coordinator that is gone wants no results.
  if (process.connected) process.send({ results: sent }, () => undefined);
}

function report(token, outcome) {
  if (results.length === 0) setImmediate(flush);
  results.push(token, outcome);
}

/** Claims a token; too near its end it is not presented, since after it the key is free again. */
async function claim(token, expiresAt) {
  if (clock() / 1000 > expiresAt - settings.margin / 2) return OUTCOME.LATE;
  try {
    const won = await stores.nonces.claim(jtiClaimKey(settings.instance, String(token)), expiresAt);
    return won === true ? OUTCOME.ACCEPTED : OUTCOME.REPLAY;
  } catch {
    return OUTCOME.UNAVAILABLE;
  }
}

async function stop() {
  await server.close();
  await opened.close();
  process.disconnect();
}

process.on('message', ({ claims, stopping }) => {
  if (stopping) return void stop();
  for (let at = 0; at < claims.length; at += 2) {
    const token = claims[at];
    void claim(token, settings.epoch + claims[at + 1]).then((outcome) => report(token, outcome));
  }
});
// Without its coordinator it has nothing to do.
process.on('disconnect', () => setTimeout(() => process.exit(), 500).unref());
process.send({ port: server.port });
