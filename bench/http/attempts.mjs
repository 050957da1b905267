// What a thief tries with a request that he has seen, or with a stolen access token; what passes is counted.
import { fire, openConnections } from './client.mjs';
import { bodyOf, credentialsFor, subjectOf, wire } from './tokens.mjs';

const COPIES = 8;

async function passed(port, heads, body) {
  const connections = await openConnections(port, heads.length);
  const { statuses } = await fire(connections, { heads, body });
  for (const each of connections) each.close();
  return (statuses[200] ?? 0) + (statuses[201] ?? 0);
}

/** The token of another user, with what the thief can make himself. */
function stolen(token, victim, thief, subject, issuer) {
  if (token === 'bearer') return credentialsFor(token, victim, subject, issuer);
  const disguised = Object.create(thief, {
    accessToken: { value: victim.accessToken },
    credentialHash: { value: victim.credentialHash },
  });
  return credentialsFor(token, disguised, subject, issuer);
}

/** @returns how many of the copies passed at once, and whether each change passed */
export async function attempts({ port, token, nonce, users, issuer }) {
  if (token === 'proof-key') for (const user of users) user.renewProofKey(Math.floor(Date.now() / 1000));
  const [user, thief] = users;
  const read = { ...subjectOf(0), nonce };
  const write = { ...subjectOf(1000), nonce };
  const forRead = () => credentialsFor(token, user, read, issuer);
  const copy = wire(forRead(), read);
  const changed = Buffer.from(bodyOf(1000).toString().replace('12.50', '99.99'));
  const yes = (count) => (count > 0 ? 'passes' : 'refused');
  return {
    'fresh request': yes(await passed(port, [wire(forRead(), read)])),
    [`${COPIES} copies at once`]: `${await passed(
      port,
      Array.from({ length: COPIES }, () => copy),
    )} pass`,
    'other body': yes(await passed(port, [wire(credentialsFor(token, user, write, issuer), write)], changed)),
    'other query': yes(await passed(port, [wire(forRead(), { ...read, query: 'of=somebody-else' })])),
    "stolen access token, thief's key": yes(await passed(port, [wire(stolen(token, user, thief, read, issuer), read)])),
  };
}
