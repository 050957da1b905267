import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { OnModuleInit } from '@nestjs/common';
import type { AbstractHttpAdapter, HttpAdapterHost } from '@nestjs/core';
import { isTabProblem } from '../errors/answer.js';
import type { HttpReply, HttpRequest } from './http-exchange.js';
import { recordOf } from './http-record.js';

/** The reply to a request, for code that is handed the request only. */
export function replyOf(request: HttpRequest): HttpReply {
  const reply = recordOf(request.raw ?? (request as unknown as IncomingMessage)).reply ?? request.res;
  if (reply === undefined) throw new TypeError('the request did not come through the HTTP server of the application');
  return reply;
}

/** Keeps what the socket received, before any middleware or router can rewrite it. */
function remember(raw: IncomingMessage, response: ServerResponse): void {
  const record = recordOf(raw);
  record.wire = { method: raw.method ?? '', target: raw.url ?? '' };
  record.reply = response;
}

/** Fastify sends the headers of its own reply over those of the response beneath. */
function rememberFastifyReply(request: { raw: IncomingMessage }, reply: HttpReply, done: () => void): void {
  recordOf(request.raw).reply = reply;
  done();
}

/** Sends a problem document as the media type that was set for it: the adapters of Nest 11 call every error body JSON. */
function keepProblemType(adapter: AbstractHttpAdapter): void {
  const reply = adapter.reply.bind(adapter) as (response: AnsweringReply, body: unknown, status?: number) => unknown;
  adapter.reply = (response: AnsweringReply, body: unknown, status?: number) =>
    isTabProblem(body) ? response.status(body.status).send(JSON.stringify(body)) : reply(response, body, status);
}

/** What Express and Fastify replies have in common for answering. */
interface AnsweringReply {
  status(code: number): { send(body: string): unknown };
}

type Hooked = { addHook?(name: 'onRequest', hook: typeof rememberFastifyReply): unknown };

/** Watches the HTTP server beneath the application: what arrives, and how the application was created. */
export class HttpPlatform implements OnModuleInit {
  readonly #host: HttpAdapterHost;
  /** Whether body parsers keep the octets; undefined when the application registers parsers of its own. */
  rawBody: boolean | undefined;

  constructor(host: HttpAdapterHost) {
    this.#host = host;
    host.init$.subscribe(() => this.#watchAdapter());
  }

  onModuleInit(): void {
    const server = this.#host.httpAdapter?.getHttpServer?.() as Server | undefined;
    server?.prependListener?.('request', remember);
  }

  #watchAdapter(): void {
    const adapter = this.#host.httpAdapter;
    // An application without HTTP has no adapter, or one that does nothing.
    if (typeof adapter?.registerParserMiddleware !== 'function') return;
    if (adapter.getType?.() === 'fastify') adapter.getInstance<Hooked>().addHook?.('onRequest', rememberFastifyReply);
    keepProblemType(adapter);
    // `rawBody` is an option of the application that no provider can read; it passes by when the parsers are registered.
    const register = adapter.registerParserMiddleware.bind(adapter);
    adapter.registerParserMiddleware = (prefix?: string, rawBody?: boolean) => {
      this.rawBody = rawBody === true;
      return register(prefix, rawBody);
    };
  }
}
