// Requests that have to be refused, each in one way.
import { credentialsFor, wire } from './tokens.mjs';

/** Another signature of the right form: the first character of `r` changed. */
function otherSignature(credentials) {
  const at = credentials.lastIndexOf('.') + 1;
  const other = credentials[at] === 'A' ? 'B' : 'A';
  return credentials.slice(0, at) + other + credentials.slice(at + 1);
}

const WAYS = {
  'garbage header': () => 'TAB-Token: garbage\r\n',
  'wrong URL': (user, subject) => credentialsFor('tab', user, { ...subject, path: '/elsewhere' }),
  'stale token': (user, subject) =>
    credentialsFor('tab', user, { ...subject, at: Math.floor(Date.now() / 1000) - 600 }),
  'bad signature': (user, subject) => otherSignature(credentialsFor('tab', user, subject)),
};
export const WAYS_TO_REFUSE = Object.keys(WAYS);

/** One such request. */
export const spoil = (way, user, subject) => wire(WAYS[way](user, subject), subject);
