// App instances: keys that are enrolled as any client does it, and tokens that they sign.
import { generateKeyPairSync, sign } from 'node:crypto';
import { request } from 'node:http';
import { OUTCOME } from './ledger.mjs';
import { APP, ORIGIN, TARGET } from './tab-app.mjs';

/** Tokens of one instance within a run; servers bound the live claims of one. */
const TOKENS_EACH = 1000;
/** Milliseconds after which a request without an answer is given up: its outcome is unknown. */
const TIMEOUT = 15_000;
const HOST = new URL(ORIGIN).host;

/** Enrols as many instances as the tokens need, through one process. */
export async function enrolDevices(tokens, seat, library, clock) {
  const mint = await import(new URL('token/mint.js', library).href);
  const count = Math.max(8, Math.ceil(tokens / TOKENS_EACH));
  const devices = Array.from({ length: count }, () => new Device(mint, clock));
  // A store that is sabotaged may spoil an enrolment, which is not what it is to be found out by.
  for (const device of devices) await device.enrol(seat).catch(() => device.enrol(seat));
  return devices;
}

class Device {
  #mint;
  #clock;
  #key = newKey();
  /** The newest challenge. */
  #nonce;

  constructor(mint, clock) {
    this.#mint = mint;
    this.#clock = clock;
  }

  async enrol(seat) {
    const post = (path, more) => send(seat, { method: 'POST', path, ...more });
    const { challenge } = JSON.parse((await post('/tab/challenge')).body);
    const content = JSON.stringify({ app: APP, attestation: { format: 'none' } });
    const bound = { method: 'POST', url: `${ORIGIN}/tab/instances`, contentType: 'application/json' };
    const claims = await this.#claims({ ...bound, content: Buffer.from(content) }, challenge);
    const headers = {
      'TAB-Token': await this.#mint.mintEnrolToken(this.#key, claims),
      'Content-Type': 'application/json',
    };
    const answer = await post('/tab/instances', { headers, content });
    if (answer.status !== 201) throw new Error(`an instance was not enrolled: ${answer.status}`);
    this.#nonce = answer.headers['tab-nonce'];
  }

  /** A token for the guarded route; `iat` in seconds. */
  async token() {
    const claims = await this.#claims({ method: 'GET', url: ORIGIN + TARGET }, this.#nonce);
    return { text: await this.#mint.mintToken(this.#key, claims), iat: claims.iat };
  }

  /** Presents a token to the process of a seat; resolves to the outcome, and the code where it is none of the usual ones. */
  async present(seat, text) {
    let answer;
    try {
      answer = await send(seat, { method: 'GET', path: TARGET, headers: { 'TAB-Token': text } });
    } catch {
      return [OUTCOME.DIED];
    }
    this.#nonce = answer.headers['tab-nonce'] ?? this.#nonce;
    const code = answer.headers['tab-error'];
    if (answer.status === 200 && code === undefined) return [OUTCOME.ACCEPTED];
    if (answer.status === 401 && code === 'replayed_token') return [OUTCOME.REPLAY];
    if (answer.status >= 500) return [OUTCOME.UNAVAILABLE];
    return code === 'stale_token' ? [OUTCOME.LATE] : [OUTCOME.OTHER, code ?? String(answer.status)];
  }

  #claims(bound, nonce) {
    const now = Math.floor(this.#clock() / 1000);
    const rt = { at: now, found: [], clear: ['root', 'hooking'], sdk: 'soak/1.0.0' };
    return this.#mint.makeClaims(bound, { iat: now, app: APP, rt, nonce });
  }
}

/** A key whose signatures cost little: the run is about claims. */
function newKey() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = { key: privateKey, dsaEncoding: 'ieee-p1363' };
  return {
    algorithm: 'ES256',
    publicKey: publicKey.export({ format: 'jwk' }),
    sign: async (data) => sign('sha256', data, key),
  };
}

/** Sends one request, once; what has a status has been answered, whatever becomes of the rest. */
function send({ port, agent }, { method, path, headers = {}, content }) {
  const { promise, resolve, reject } = deferred();
  const fields = { Host: HOST, ...headers, 'Content-Length': content === undefined ? 0 : Buffer.byteLength(content) };
  const outgoing = request({ host: '127.0.0.1', port, agent, method, path, headers: fields, timeout: TIMEOUT });
  outgoing.on('response', (incoming) => {
    const { statusCode: status, headers: answered } = incoming;
    let body = '';
    if (method === 'GET') resolve({ status, headers: answered, body });
    incoming.setEncoding('utf8').on('data', (text) => (body += text));
    incoming.on('end', () => resolve({ status, headers: answered, body })).on('error', reject);
  });
  outgoing.on('timeout', () => outgoing.destroy(new Error('no answer in time'))).on('error', reject);
  outgoing.end(content);
  return promise;
}

function deferred() {
  let settle;
  const promise = new Promise((resolve, reject) => (settle = { resolve, reject }));
  return { promise, ...settle };
}
