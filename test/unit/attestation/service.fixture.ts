import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { PostFetch } from '../../../lib/attestation/jose/post-json.js';

/** A call that a service got. */
export interface Call {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: unknown;
}

/** A service on a loopback port that answers as it is told to. */
export class LocalService {
  answer: RequestListener = json({});
  readonly calls: Call[] = [];
  /** The addresses that were meant. */
  readonly addresses: string[] = [];
  readonly #server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      this.calls.push({
        method: request.method ?? '',
        path: request.url ?? '',
        authorization: request.headers.authorization,
        body: text === '' ? undefined : (JSON.parse(text) as unknown),
      });
      this.answer(request, response);
    });
  });

  /** Starts anew: nothing asked yet, a good answer to everything. */
  async open(): Promise<void> {
    this.answer = json({});
    this.calls.length = 0;
    this.addresses.length = 0;
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** A `fetch` that comes here instead of where it was sent. */
  readonly fetch: PostFetch = (url, init) => {
    this.addresses.push(url);
    const { pathname } = new URL(url);
    return fetch(`${this.origin}${pathname}`, init);
  };
}

export function json(body: unknown, status = 200, type = 'application/json'): RequestListener {
  return (_request, response) => response.writeHead(status, { 'content-type': type }).end(JSON.stringify(body));
}

/** Ways in which a service fails that must never let anybody in. Given what it answers when all is well. */
export function misbehaviours(good: unknown): [string, RequestListener][] {
  const bomb = gzipSync(JSON.stringify({ ...(good as object), fill: 'x'.repeat(10_000_000) }));
  return [
    ['never answers', () => undefined],
    ['answers headers and then nothing', (_request, response) => void response.writeHead(200).write('{')],
    ['fails', json(good, 500)],
    ['is busy', json(good, 429)],
    ['forbids', json(good, 403)],
    ['asks for authorisation', json(good, 401)],
    ['answers with another status', json(good, 201)],
    ['answers with a page', json(good, 200, 'text/html')],
    ['names no media type', (_request, response) => response.writeHead(200).end(JSON.stringify(good))],
    ['answers a list', json([good])],
    ['answers null', json(null)],
    ['answers text', json('ok')],
    ['answers no JSON', (_request, response) => response.setHeader('content-type', 'application/json').end('{"a":')],
    ['answers nothing', (_request, response) => response.setHeader('content-type', 'application/json').end()],
    ['answers at length', json({ ...(good as object), fill: 'x'.repeat(70_000) })],
    [
      'answers with a little that grows',
      (_request, response) =>
        response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(bomb),
    ],
    ['redirects', (_request, response) => response.writeHead(302, { location: '/elsewhere' }).end()],
    ['redirects with the request', (_request, response) => response.writeHead(307, { location: '/elsewhere' }).end()],
    ['hangs up', (request) => request.socket.destroy()],
  ];
}
