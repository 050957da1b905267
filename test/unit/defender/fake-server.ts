import { createHash, createHmac, createPublicKey, randomBytes, verify, type JsonWebKey } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { grant, type Grant } from './fake-proof-keys.js';

/** What a scripted answer may set. */
export interface Answer {
  status?: number;
  headers?: Record<string, string>;
  body?: string;
  /** Writes the content, and ends it, instead of `body`. */
  stream?: (reply: ServerResponse) => void;
}

/** One request as it arrived, with its token opened. */
export interface Exchange {
  method: string;
  target: string;
  rawHeaders: string[];
  headers: Record<string, string>;
  body: Buffer;
  token: string;
  header: Record<string, unknown>;
  claims: Record<string, any>; // eslint-disable-line -- claims are looked at member by member
}

export const T0 = 1_800_000_000;
export const b64u = (data: string | Uint8Array) => createHash('sha256').update(data).digest('base64url');
export const challenge = () => randomBytes(24).toString('base64url');
export const refusal = (code: string, headers: Record<string, string> = {}, status = 401): Answer => ({
  status,
  headers: { 'TAB-Error': code, ...headers },
  body: JSON.stringify({ code }),
});
/** A refusal as a server makes it, with its problem document. */
export const problem = (code: string, status: number, document: object = {}): Answer => {
  const body = JSON.stringify({ type: `urn:tab:error:${code}`, title: 'Refused', status, code, ...document });
  const headers = { 'Content-Type': 'application/problem+json', 'Content-Length': String(Buffer.byteLength(body)) };
  return { ...refusal(code, headers, status), body };
};

/**
 * A server that holds clients to PROTOCOL.md, written from it alone. What a client got wrong is in `problems`; what was
 * asked is in `enrolments` and `calls`.
 */
export class FakeServer {
  /** Seconds. */
  now = T0;
  /** `single-use` and `recent` ask for challenges of requests, `none` takes any. */
  challenges: 'none' | 'recent' | 'single-use' = 'recent';
  problems: string[] = [];
  calls: Exchange[] = [];
  enrolments: Exchange[] = [];
  retirements: Exchange[] = [];
  proofKeyRequests: Exchange[] = [];
  /** The keys given out, by `kid`. */
  readonly proofKeys = new Map<string, Buffer>();
  challengesAsked = 0;
  /** Answers to the next requests, first come first served; then 200. */
  answers: Answer[] = [];
  /** Overrides of the endpoints. */
  onChallenge: () => Answer | undefined = () => undefined;
  onEnrol: (exchange: Exchange) => Answer | undefined = () => undefined;
  onRetire: () => Answer | undefined = () => undefined;
  /** How proof keys are given out, or what is answered instead; undefined: this server has none. */
  onProofKey?: (exchange: Exchange) => Grant | Answer | Promise<Grant | Answer>;
  /** Waited for before a call is answered. */
  gate: (exchange: Exchange) => Promise<void> = async () => undefined;
  origin: string;
  readonly #enrolChallenges = new Set<string>();
  readonly #issued = new Set<string>();
  readonly #keys = new Map<string, JsonWebKey>();
  readonly #jtis = new Set<string>();
  #server?: Server;

  constructor(origin = '') {
    this.origin = origin;
  }

  async start(): Promise<this> {
    this.#server = createServer((message, reply) => {
      void read(message).then(async (body) => {
        const headers = message.headers as Record<string, string>;
        const answer = await this.handle(message.method ?? '', message.url ?? '', message.rawHeaders, headers, body);
        reply.writeHead(answer.status ?? 200, answer.headers);
        if (answer.stream) answer.stream(reply);
        else reply.end(answer.body);
      });
    });
    await new Promise<void>((resolve) => this.#server?.listen(0, '127.0.0.1', resolve));
    this.origin = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  async stop(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise((resolve) => (this.#server ? this.#server.close(resolve) : resolve(undefined)));
  }

  /** The server as a `fetch`, for origins that no test may really call. */
  readonly fetch: typeof globalThis.fetch = async (input, init) => {
    const request = new Request(input, init);
    const url = new URL(request.url);
    const headers = Object.fromEntries(request.headers);
    const raw = Object.entries(headers).flat();
    const body = Buffer.from(await request.arrayBuffer());
    const answer = await this.handle(request.method, url.pathname + url.search, raw, headers, body);
    const status = answer.status ?? 200;
    return new Response(status === 204 ? null : (answer.body ?? 'ok'), { status, headers: answer.headers });
  };

  /** A challenge for requests, known to this server. */
  issue(): string {
    const value = challenge();
    this.#issued.add(value);
    return value;
  }

  async handle(
    method: string,
    target: string,
    rawHeaders: string[],
    headers: Record<string, string>,
    body: Buffer,
  ): Promise<Answer> {
    if (target === '/tab/challenge') return this.onChallenge() ?? this.#challenge(method);
    const exchange = { method, target, rawHeaders, headers, body, ...open(headers['tab-token'] ?? '') };
    this.#check(exchange);
    if (method === 'POST' && target === '/tab/instances') return this.#enrol(exchange);
    if (method === 'DELETE' && target === '/tab/instances/self') {
      this.retirements.push(exchange);
      return this.onRetire() ?? { status: 204 };
    }
    if (method === 'POST' && target === '/tab/proof-keys') return this.#grant(exchange);
    this.calls.push(exchange);
    await this.gate(exchange);
    return this.#answer(exchange);
  }

  #challenge(method: string): Answer {
    this.challengesAsked += 1;
    if (method !== 'POST') this.problems.push('challenge: method');
    const value = challenge();
    this.#enrolChallenges.add(value);
    return { status: 201, body: JSON.stringify({ challenge: value, expiresIn: 300 }) };
  }

  #enrol(exchange: Exchange): Answer {
    this.enrolments.push(exchange);
    const { app } = JSON.parse(exchange.body.toString());
    if (app.id !== exchange.claims.app.id || app.ver !== exchange.claims.app.ver) this.problems.push('enrol: app');
    if (exchange.claims.ct !== 'application/json') this.problems.push('enrol: ct');
    if (!this.#enrolChallenges.delete(exchange.claims.nonce)) this.problems.push('enrol: challenge');
    const scripted = this.onEnrol(exchange);
    if (scripted) return scripted;
    const jwk = exchange.header.jwk as JsonWebKey;
    const instanceId = idOf(jwk);
    this.#keys.set(instanceId, jwk);
    const attestation = { format: 'none', at: this.now, expiresAt: this.now + 86_400 };
    const headers: Record<string, string> = this.challenges === 'none' ? {} : { 'TAB-Nonce': this.issue() };
    return { status: 201, headers, body: JSON.stringify({ instanceId, assurance: 'none', attestation }) };
  }

  async #grant(exchange: Exchange): Promise<Answer> {
    this.proofKeyRequests.push(exchange);
    if (exchange.header.alg === 'HS256') this.problems.push('proof key: not signed');
    const { recipientKey } = JSON.parse(exchange.body.toString()) as { recipientKey: JsonWebKey };
    if (Object.keys(recipientKey).toSorted().join() !== 'crv,kty,x,y') this.problems.push('proof key: recipientKey');
    const wish = (await this.onProofKey?.(exchange)) ?? { status: 404 };
    if ('status' in wish) return wish;
    const { kid, key, body } = grant(String(exchange.header.kid), recipientKey, wish as Grant);
    this.proofKeys.set(kid, key);
    return { status: 201, headers: { 'TAB-Nonce': this.issue() }, body: JSON.stringify(body) };
  }

  #answer({ claims }: Exchange): Answer {
    const scripted = this.answers.shift();
    if (scripted) return scripted;
    if (this.challenges === 'none') return {};
    const known = this.#issued.has(claims.nonce ?? '');
    if (this.challenges === 'single-use') this.#issued.delete(claims.nonce ?? '');
    if (!known) return refusal('use_tab_nonce', { 'TAB-Nonce': this.issue() });
    return this.challenges === 'single-use' ? { headers: { 'TAB-Nonce': this.issue() } } : {};
  }

  /** Sections 2 and 3, as far as they concern a client. */
  #check(exchange: Exchange): void {
    const { method, target, headers, body, token, header, claims, rawHeaders } = exchange;
    const mark = target.indexOf('?');
    const query = mark === -1 ? '' : target.slice(mark + 1);
    const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase();
    const credential = headers.authorization?.replace(/^\S+ +/, '');
    const expected = {
      htm: method,
      htu: this.origin + (mark === -1 ? target : target.slice(0, mark)),
      qsh: query === '' ? undefined : b64u(query),
      bh: body.length === 0 ? undefined : b64u(body),
      ct: body.length === 0 ? undefined : type,
      ath: credential && b64u(Buffer.from(credential, 'latin1')),
    };
    for (const [name, value] of Object.entries(expected))
      if (claims[name] !== value) this.problems.push(`${target}: ${name}`);
    for (const [name, hash] of Object.entries(claims.hd ?? {})) {
      if (hash !== b64u(Buffer.from(headers[name] ?? '', 'latin1'))) this.problems.push(`${target}: hd ${name}`);
    }
    const names = rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
    if (names.filter((name) => name === 'tab-token').length !== 1) this.problems.push(`${target}: TAB-Token header`);
    if (token.length > 4096 || !/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/.test(token))
      this.problems.push(`${target}: form`);
    if (!/^[A-Za-z0-9_-]{22,64}$/.test(claims.jti) || this.#jtis.has(claims.jti)) this.problems.push(`${target}: jti`);
    this.#jtis.add(claims.jti);
    if (!(Number.isInteger(claims.rt.at) && claims.rt.at <= claims.iat)) this.problems.push(`${target}: rt.at`);
    this.#checkSignature(target, method, token, header);
  }

  #checkMac(target: string, token: string, header: Record<string, unknown>): void {
    const key = this.proofKeys.get(String(header.kid));
    if (header.typ !== 'tab+jwt' || 'jwk' in header) this.problems.push(`${target}: header under a proof key`);
    if (key === undefined || !token.endsWith(`.${macOf(key, token)}`)) this.problems.push(`${target}: MAC`);
  }

  #checkSignature(target: string, method: string, token: string, header: Record<string, unknown>): void {
    const enrolling = target === '/tab/instances' && method === 'POST';
    if (header.alg === 'HS256') return this.#checkMac(target, token, header);
    const jwk = (enrolling ? header.jwk : this.#keys.get(String(header.kid))) as JsonWebKey | undefined;
    if (header.typ !== (enrolling ? 'tab-enroll+jwt' : 'tab+jwt')) this.problems.push(`${target}: typ`);
    if (enrolling === 'kid' in header || !enrolling === 'jwk' in header) this.problems.push(`${target}: kid and jwk`);
    if (!jwk) {
      this.problems.push(`${target}: key`);
      return;
    }
    const [head, payload, signature = ''] = token.split('.');
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    const good = verify(
      'sha256',
      Buffer.from(`${head}.${payload}`),
      { key, dsaEncoding: 'ieee-p1363' },
      Buffer.from(signature, 'base64url'),
    );
    if (!good) this.problems.push(`${target}: signature`);
  }
}

function macOf(key: Buffer, token: string): string {
  return createHmac('sha256', key)
    .update(token.slice(0, token.lastIndexOf('.')))
    .digest('base64url');
}

function idOf(jwk: JsonWebKey): string {
  return b64u(`{"crv":"${jwk.crv}","kty":"${jwk.kty}","x":"${jwk.x}","y":"${jwk.y}"}`);
}

function open(token: string): Pick<Exchange, 'token' | 'header' | 'claims'> {
  const [header, payload] = token.split('.').map((part) => Buffer.from(part, 'base64url').toString());
  return { token, header: JSON.parse(header || '{}'), claims: JSON.parse(payload || '{"rt":{}}') };
}

async function read(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
