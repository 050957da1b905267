// The load of `guarded-stores`, in a process of its own.
import { createPrivateKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { answer, deferred } from './child.mjs';
import { APP, credentialOf, digest, idOf, ORIGIN, REQUESTS, sidOf } from './facts.mjs';

/** App instances that send requests, with a session each. */
const INSTANCES = 256;

/** Makes requests with their tokens and sends them, each over the next free one of its connections. */
function load() {
  const keys = Array.from({ length: INSTANCES }, makeKey);
  answer({
    keys: async () => ({ jwks: keys.map(({ jwk }) => jwk) }),
    settle: async ({ port }) => settle(port, keys[0]),
    slice: async ({ port, connections }) => {
      const nonce = await challenge(port, keys[0]);
      const requests = Array.from({ length: REQUESTS }, (_, at) => request(keys[at % INSTANCES], nonce));
      const started = performance.now();
      await Promise.all(Array.from({ length: connections }, () => drain(port, requests)));
      return { rate: (REQUESTS * 1000) / (performance.now() - started) };
    },
  });
}

/** A key pair, read out of its DER form: Node 20 may hang when it exports many `KeyObject`s. */
function makeKey() {
  const encodings = {
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
  };
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256', ...encodings });
  const [x, y] = [pair.publicKey.subarray(-64, -32), pair.publicKey.subarray(-32)];
  const jwk = { kty: 'EC', crv: 'P-256', x: x.toString('base64url'), y: y.toString('base64url') };
  return { privateKey: createPrivateKey({ key: pair.privateKey, format: 'der', type: 'pkcs8' }), jwk, id: idOf(jwk) };
}

function request({ privateKey, id }, nonce) {
  const now = Math.floor(Date.now() / 1000);
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = {
    jti: randomBytes(16).toString('base64url'),
    iat: now,
    nonce,
    htm: 'GET',
    htu: `${ORIGIN}/accounts`,
    ath: digest(credentialOf(id)),
    sid: sidOf(id),
    app: { id: APP.id, ver: '1.0.0' },
    rt: { at: now, found: [], clear: APP.probes, sdk: 'bench/1.0.0' },
  };
  const input = `${part({ typ: 'tab+jwt', alg: 'ES256', kid: id })}.${part(claims)}`;
  const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  const headers = `Authorization: Bearer ${credentialOf(id)}\r\nTAB-Token: ${input}.${signature.toString('base64url')}`;
  return `GET /accounts HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n${headers}\r\n\r\n`;
}

/** Waits until tokens are accepted: stores that forget refuse those of their first half minute. */
async function settle(port, key) {
  for (let tries = 0; tries < 60; tries += 1) {
    const nonce = await challenge(port, key);
    let accepted = false;
    await drain(port, [request(key, nonce)], (head) => {
      accepted = isAccepted(head);
      return true;
    });
    if (accepted) return;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  throw new Error('the server accepts no token');
}

/** The challenge that the server gives to a token without one. */
async function challenge(port, key) {
  let nonce;
  await drain(port, [request(key)], (head) => {
    nonce = /^TAB-Nonce: (.+)\r$/im.exec(head)?.[1];
    return nonce !== undefined;
  });
  return nonce;
}

const isAccepted = (head) => head.startsWith('HTTP/1.1 200 ');

/** Sends what is in `requests`, one after the other, over a connection of its own. */
async function drain(port, requests, isRight = isAccepted) {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  await once(socket, 'connect');
  const { promise, resolve, reject } = deferred();
  let received = '';
  const next = () => {
    const text = requests.pop();
    if (text === undefined) resolve();
    else socket.write(text, 'latin1');
  };
  socket.on('data', (data) => {
    received += data.toString('latin1');
    const end = received.indexOf('\r\n\r\n');
    if (end === -1) return;
    const length = Number(/^content-length: (\d+)\r$/im.exec(received)?.[1]);
    if (received.length < end + 4 + length) return;
    if (isRight(received)) next();
    else reject(new Error(`the server answered ${received}`));
    received = '';
  });
  socket.once('close', () => reject(new Error('the server closed the connection')));
  socket.once('error', reject);
  next();
  await promise.finally(() => socket.destroy());
}

load();
