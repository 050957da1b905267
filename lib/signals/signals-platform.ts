import type { HttpAdapterHost } from '@nestjs/core';
import { SET_MEDIA_TYPE } from './receiver.js';

/** What Fastify is asked for. */
interface ContentTypes {
  hasContentTypeParser?(type: string): boolean;
  addContentTypeParser?(type: string, parser: (request: unknown, payload: unknown, done: () => void) => void): unknown;
}

/** Makes Fastify let the media type of event tokens through, unread; Express does so by itself. */
export class SignalsPlatform {
  constructor(host: HttpAdapterHost) {
    host.init$.subscribe(() => {
      const adapter = host.httpAdapter;
      if (adapter?.getType?.() !== 'fastify') return;
      const fastify = adapter.getInstance<ContentTypes>();
      // An application that parses it already keeps its parser.
      if (fastify.hasContentTypeParser?.(SET_MEDIA_TYPE) !== false) return;
      fastify.addContentTypeParser?.(SET_MEDIA_TYPE, (_request, _payload, done) => done());
    });
  }
}
