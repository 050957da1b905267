import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import { HeaderFields, type RequestContent, type TabRequest } from '../token/request.js';
import type { TrustContext } from '../trust/trust-context.js';
import { recordOf, type WireLine } from './http-record.js';

/** What Express and Fastify requests have in common, as far as it is used here. */
export interface HttpRequest {
  /** Fastify: the Node request beneath; Express requests are Node requests. */
  readonly raw?: IncomingMessage;
  readonly method: string;
  readonly url: string;
  readonly originalUrl?: string;
  /** `host[:port]`, forwarded only where the framework trusts the proxy. */
  readonly host?: string;
  /** Client address, likewise. */
  readonly ip?: string;
  readonly rawBody?: Uint8Array;
  /** Express: the route that matched. */
  readonly route?: { readonly path?: unknown };
  /** Fastify: the options of the route that matched. */
  readonly routeOptions?: { readonly url?: string };
  /** Express: the reply. */
  readonly res?: HttpReply;
}

/** What Express and Fastify replies have in common: Fastify's has `header`, Express's is a Node response. */
export interface HttpReply {
  header?(name: string, value: string): unknown;
  setHeader?(name: string, value: string): unknown;
  raw?: ServerResponse;
}

/** The Node request beneath a framework's request. */
export function rawOf(request: HttpRequest): IncomingMessage {
  return request.raw ?? (request as unknown as IncomingMessage);
}

/** The `TabRequest` of a request; always the same object for the same request, so that guards share one verification. */
export function tabRequestOf(request: HttpRequest): TabRequest {
  const raw = rawOf(request);
  const record = recordOf(raw);
  return (record.tabRequest ??= readRequest(request, raw, record.wire));
}

/** Remembers what was decided about a request. What one guard could not verify, another, milder one does not make good. */
export function attachTrust(request: HttpRequest, context: TrustContext): void {
  const record = recordOf(rawOf(request));
  if (record.context?.verified !== false) record.context = context;
}

/** What was decided about a request, if a guard has looked at it. */
export function trustOf(request: HttpRequest): TrustContext | undefined {
  return recordOf(rawOf(request)).context;
}

/** The route pattern that the framework matched, for records. */
export function routeOf({ route, routeOptions }: HttpRequest): string | undefined {
  return typeof route?.path === 'string' ? route.path : routeOptions?.url;
}

/** The network address that unproven callers are counted by. */
export function addressOf(request: HttpRequest): string {
  return request.ip ?? rawOf(request).socket?.remoteAddress ?? 'unknown';
}

/** Sets a header of the answer. */
export function setReplyHeader(reply: HttpReply, name: string, value: string): void {
  if (typeof reply.header === 'function') reply.header(name, value);
  else reply.setHeader?.(name, value);
}

/** @param wire what the socket received; undefined for injected requests */
function readRequest(request: HttpRequest, raw: IncomingMessage, wire: WireLine | undefined): TabRequest {
  const headers = new HeaderFields(raw.rawHeaders);
  return {
    method: wire?.method ?? raw.method ?? request.method,
    handlerMethod: request.method,
    target: wire?.target ?? request.originalUrl ?? raw.url ?? request.url,
    authority: authorityOf(request, headers),
    headers,
    content: readContent(request.rawBody, raw, headers),
  };
}

/** The authority that the framework found; two Host headers name none. */
function authorityOf(request: HttpRequest, headers: HeaderFields): string | undefined {
  return headers.values('host').length > 1 ? undefined : request.host;
}

function readContent(rawBody: Uint8Array | undefined, raw: IncomingMessage, headers: HeaderFields): RequestContent {
  if (!isContentAnnounced(raw, headers)) return { kind: 'none' };
  if (rawBody === undefined) return { kind: 'unavailable' };
  const chunked = headers.has('transfer-encoding');
  // Nothing came, although the framing left room for it.
  if (chunked && rawBody.length === 0) return { kind: 'none' };
  // Octets of another number than were sent are not the octets that were sent.
  const announced = headers.values('content-length')[0];
  if (!chunked && announced !== undefined && Number(announced) !== rawBody.length) return { kind: 'unavailable' };
  return { kind: 'octets', octets: rawBody };
}

/** Whether the message has room for content, by its framing alone (RFC 9112 section 6.3, RFC 9113 section 8.1). */
function isContentAnnounced(raw: IncomingMessage, headers: HeaderFields): boolean {
  if (raw.httpVersionMajor >= 2) return !(raw as unknown as Http2ServerRequest).stream.endAfterHeaders;
  return headers.has('transfer-encoding') || headers.values('content-length').some((value) => Number(value) !== 0);
}
