import type { IncomingMessage } from 'node:http';
import { rawOf, type HttpRequest } from '../guards/http-exchange.js';
import { SET_MAX_BYTES, SET_MEDIA_TYPE } from './receiver.js';
import { SignalError } from './signal-error.js';

/** What parsers of an application may have left on a request. */
type ParsedRequest = HttpRequest & { readonly body?: unknown };

function tooLong(): SignalError {
  return new SignalError('invalid_request', `content is longer than ${SET_MAX_BYTES} octets`, { status: 413 });
}

/** Ensures that the content is what it has to be (RFC 8935 section 2.1), and is as it was sent. */
function checkHeaders({ headers }: IncomingMessage): void {
  const [type = ''] = (headers['content-type'] ?? '').split(';');
  if (type.trim().toLowerCase() !== SET_MEDIA_TYPE)
    throw new SignalError('invalid_request', `content type is not ${SET_MEDIA_TYPE}`, { status: 415 });
  if ((headers['content-encoding'] ?? 'identity').trim().toLowerCase() !== 'identity')
    throw new SignalError('invalid_request', 'content is encoded', { status: 415 });
  if (Number(headers['content-length'] ?? 0) > SET_MAX_BYTES) throw tooLong();
}

/** Content that a parser of the application has consumed already, such as one for all media types. */
function parsedContent({ rawBody, body }: ParsedRequest): Uint8Array | undefined {
  if (rawBody !== undefined) return rawBody;
  if (body instanceof Uint8Array) return body;
  return typeof body === 'string' ? Buffer.from(body) : undefined;
}

/** Reads what comes, up to the limit; beyond it, nothing more is read, so that the answer can still be sent. */
function readStream(raw: IncomingMessage): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let size = 0;
    const onData = (chunk: Uint8Array) => {
      size += chunk.length;
      chunks.push(chunk);
      if (size > SET_MAX_BYTES) settle(() => reject(tooLong()));
    };
    const onEnd = () => settle(() => resolve(Buffer.concat(chunks)));
    const onBroken = () => settle(() => reject(new SignalError('invalid_request', 'content broke off')));
    const settle = (finish: () => void) => {
      raw.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken);
      raw.pause();
      finish();
    };
    raw.on('end', onEnd).on('error', onBroken).on('close', onBroken).on('data', onData);
  });
}

/**
 * The token in the content of a request. Express leaves the media type to us; on Fastify `SignalsPlatform` does.
 *
 * @throws SignalError
 */
export async function readSetContent(request: ParsedRequest): Promise<string> {
  const raw = rawOf(request);
  checkHeaders(raw);
  const parsed = parsedContent(request);
  if (parsed === undefined && (raw.readableEnded || raw.destroyed))
    throw new SignalError('invalid_request', 'content was consumed by a parser that keeps no octets');
  const octets = parsed ?? (await readStream(raw));
  if (octets.length > SET_MAX_BYTES) throw tooLong();
  // One character per octet: whatever is outside the alphabet of a token is refused with its structure.
  return Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength).toString('latin1');
}
