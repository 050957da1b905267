import { Controller, Inject, NotFoundException, Post, Req, Res, VERSION_NEUTRAL, type Type } from '@nestjs/common';
import { SkipTrust } from '../decorators/skip-trust.js';
import { rawOf, setReplyHeader, type HttpReply, type HttpRequest } from '../guards/http-exchange.js';
import { HeaderFields } from '../token/request.js';
import { SignalReceiver } from './receiver.js';
import { readSetContent } from './set-content.js';
import { asSignalError, type SignalError } from './signal-error.js';

/** A reply as Express and Fastify have it. Answered here, not by return value: no interceptor may change what RFC 8935 prescribes. */
interface SignalReply extends HttpReply {
  status(code: number): unknown;
  send(content?: string): unknown;
  /** Express. */
  end?(): unknown;
}

function sendEmpty(reply: SignalReply, status: number): void {
  setReplyHeader(reply, 'Cache-Control', 'no-store');
  reply.status(status);
  // Express gives even an empty text a media type; Fastify's reply has no `end`.
  if (typeof reply.end === 'function') reply.end();
  else reply.send();
}

/** RFC 8935 section 2.3; a failure of ours has no code in the registry, and asks for another attempt. */
function refuse(reply: SignalReply, error: SignalError): void {
  if (error.err === undefined) {
    setReplyHeader(reply, 'Retry-After', String(error.retryAfter));
    return sendEmpty(reply, error.status);
  }
  // What was not read of the content is not worth reading.
  if (error.status === 413) setReplyHeader(reply, 'Connection', 'close');
  setReplyHeader(reply, 'Cache-Control', 'no-store');
  setReplyHeader(reply, 'Content-Type', 'application/json');
  setReplyHeader(reply, 'Content-Language', 'en');
  reply.status(error.status);
  reply.send(JSON.stringify({ err: error.err, description: error.description }));
}

/** The endpoint of RFC 8935; `signalsController` gives it its path. */
abstract class Signals {
  /** Undefined where the application receives no signals: whether it does may be known only after the routes are. */
  @Inject(SignalReceiver) protected readonly receiver: SignalReceiver | undefined;

  @Post('events')
  async receive(@Req() request: HttpRequest, @Res() reply: SignalReply): Promise<void> {
    const { receiver } = this;
    if (receiver === undefined) throw new NotFoundException();
    try {
      receiver.authorize(new HeaderFields(rawOf(request).rawHeaders).values('authorization'));
      await receiver.receive(readSetContent(request));
      sendEmpty(reply, 202);
    } catch (error) {
      refuse(reply, asSignalError(error));
    }
  }
}

/** `POST {prefix}/events`: where transmitters push Security Event Tokens. Needs `SignalReceiver`, or null for it, and `SignalsPlatform` as providers. */
export function signalsController(prefix: string): Type {
  @SkipTrust()
  @Controller({ path: prefix, version: VERSION_NEUTRAL })
  class TabSignalsController extends Signals {}
  return TabSignalsController;
}
