// A child process: makes the tokens of a round, then sends them. It shares no core with the servers where there are two.
import { fire, openConnections } from './client.mjs';
import { Issuer, makeIdentities } from './identities.mjs';
import { answer } from './rpc.mjs';
import { credentialsFor, subjectOf, wire } from './tokens.mjs';
import { spoil } from './spoil.mjs';
import { attempts } from './attempts.mjs';

const issuer = new Issuer();
const clients = {};
let prepared;

const quantile = (sorted, part) => sorted[Math.floor((sorted.length - 1) * part)] ?? 0;

/** Clients with keys of one algorithm; the same for every server. `bare`: without access tokens of an issuer. */
function identities({ algorithm, count, bare }) {
  clients[algorithm] ??= makeIdentities(count, algorithm, bare ? undefined : issuer);
  return clients[algorithm].map(({ enrolment }) => enrolment);
}

/**
 * Makes requests, each with a token of its own.
 *
 * @param wanted `users`: how many of the clients take turns, from index `from` on; `spoiled`: how they are to be refused
 */
function prepare({ token, alg = 'ES256', users: most, size = 0, count, nonce, from = 0, spoiled }) {
  const subject = { ...subjectOf(size), nonce };
  const users = clients[alg].slice(0, most);
  if (token === 'proof-key') for (const user of users) user.renewProofKey(Math.floor(Date.now() / 1000));
  const heads = Array.from({ length: count }, (_, index) => {
    const user = users[(from + index) % users.length];
    return spoiled === undefined
      ? wire(credentialsFor(token, user, subject, issuer), subject)
      : spoil(spoiled, user, subject);
  });
  prepared = { heads, body: subject.body };
  globalThis.gc();
}

/** Sends what was prepared. */
async function round({ port, connections }) {
  const open = await openConnections(port, connections);
  const started = process.cpuUsage();
  const { ms, statuses, times } = await fire(open, prepared);
  const { user, system } = process.cpuUsage(started);
  for (const each of open) each.close();
  const sorted = times.toSorted();
  const count = times.length;
  prepared = undefined;
  return {
    rate: (count * 1000) / ms,
    count,
    p50: quantile(sorted, 0.5),
    p99: quantile(sorted, 0.99),
    statuses,
    // A load that is busy all the time measures itself.
    busy: (user + system) / (ms * 1000),
  };
}

answer({
  issuerKey: () => issuer.publicKey,
  identities,
  prepare,
  round,
  attempts: (wanted) => attempts({ ...wanted, users: clients[wanted.alg ?? 'ES256'], issuer }),
  close: () => undefined,
});
