// Requests, made ahead, octet by octet as they go onto the wire.
import { createHmac, randomBytes } from 'node:crypto';
import { ACCOUNTS, APP, AUTHORITY, ORIGIN, PROBES, TRANSFERS } from './facts.mjs';
import { digest, signJws } from './identities.mjs';

const encode = (text) => Buffer.from(text).toString('base64url');
const CLEAR = JSON.stringify(PROBES);
const APP_CLAIM = JSON.stringify(APP);
const now = () => Math.floor(Date.now() / 1000);

/** Random ids, many from one draw. */
let pool = Buffer.alloc(0);
let drawn = 0;
function randomId() {
  if (drawn === pool.length) [pool, drawn] = [randomBytes(16 * 1024), 0];
  drawn += 16;
  return pool.toString('base64url', drawn - 16, drawn);
}

/** JSON of exactly `size` octets, or nothing. */
export function bodyOf(size) {
  if (size === 0) return undefined;
  const [head, tail] = ['{"to":"DE02120300000000202051","amount":"12.50","note":"', '"}'];
  return Buffer.from(head + 'x'.repeat(size - head.length - tail.length) + tail);
}

function tabClaims(identity, { method, path, body, bodyHash, nonce, at, query, htu = ORIGIN + path }) {
  const content = body === undefined ? '' : `,"bh":"${bodyHash}","ct":"application/json"`;
  const qsh = query === undefined ? '' : `,"qsh":"${digest(query)}"`;
  return (
    `{"jti":"${randomId()}","iat":${at},"nonce":"${nonce}","htm":"${method}","htu":"${htu}"${qsh}${content}` +
    `,"ath":"${identity.credentialHash}","sid":"${identity.sid}","app":${APP_CLAIM}` +
    `,"rt":{"at":${at},"found":[],"clear":${CLEAR},"sdk":"bench/1.0.0"}}`
  );
}

/** The header lines of each party. */
const CREDENTIALS = {
  none: ({ accessToken }) => `Authorization: Bearer ${accessToken}\r\n`,
  bearer: (identity, _request, issuer) =>
    `Authorization: Bearer ${issuer.accessToken(identity.subject, identity.id)}\r\n`,
  tab: (identity, request) => {
    const token = signJws(
      `${identity.tabHeader}.${encode(tabClaims(identity, request))}`,
      identity.algorithm,
      identity.key,
    );
    return `Authorization: Bearer ${identity.accessToken}\r\nTAB-Token: ${token}\r\n`;
  },
  'proof-key': (identity, request) => {
    const input = `${identity.proofHeader}.${encode(tabClaims(identity, request))}`;
    const mac = createHmac('sha256', identity.proofKey).update(input).digest('base64url');
    return `Authorization: Bearer ${identity.accessToken}\r\nTAB-Token: ${input}.${mac}\r\n`;
  },
  dpop: (identity, { method, path, at }) => {
    const proof = `{"jti":"${randomId()}","htm":"${method}","htu":"${ORIGIN}${path}","iat":${at},"ath":"${identity.credentialHash}"}`;
    const token = signJws(`${identity.dpopHeader}.${encode(proof)}`, identity.algorithm, identity.key);
    return `Authorization: DPoP ${identity.accessToken}\r\nDPoP: ${token}\r\n`;
  },
};

/** What a request is about: the accounts without a body, a transfer with one. */
export function subjectOf(size) {
  const body = bodyOf(size);
  if (body === undefined) return { method: 'GET', path: ACCOUNTS };
  return { method: 'POST', path: TRANSFERS, body, bodyHash: digest(body) };
}

/** Head of a request, up to the empty line, and what goes after it. */
export function wire(credentials, { method, path, body, query }) {
  const target = query === undefined ? path : `${path}?${query}`;
  const content = body === undefined ? '' : `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`;
  const head = `${method} ${target} HTTP/1.1\r\nHost: ${AUTHORITY}\r\nAccept: application/json\r\n${credentials}${content}\r\n`;
  return Buffer.from(head, 'latin1');
}

/** Credentials for one request, by the kind of token that the guard wants. */
export function credentialsFor(kind, identity, request, issuer) {
  return CREDENTIALS[kind](identity, { at: now(), ...request }, issuer);
}
