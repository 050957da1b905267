import { connect } from 'node:net';

/** A request as it goes onto the socket. Nothing is normalised. */
export interface WireRequest {
  readonly method: string;
  /** The request target, octet by octet (latin1). */
  readonly target: string;
  /** All headers but the framing, in order, duplicates allowed. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: Buffer;
  /** `length` (default): Content-Length when there is a body. `chunked`: chunks, even of nothing. `none`: no framing header. */
  readonly framing?: 'length' | 'chunked' | 'none';
}

/** An answer as it came off the socket. */
export interface Answer {
  readonly status: number;
  /** The only value of a header, or undefined. Several are an error. */
  header(name: string): string | undefined;
  /** All values of a header. */
  all(name: string): readonly string[];
  readonly body: Buffer;
  json(): Record<string, unknown>;
}

/** Milliseconds after which a server that does not answer fails the test. */
const TIMEOUT = 15_000;

function chunks(body: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length; at += 7_000) {
    const part = body.subarray(at, at + 7_000);
    parts.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n'));
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
}

function framed({ body = Buffer.alloc(0), framing = 'length' }: WireRequest): { field: string; octets: Buffer } {
  if (framing === 'chunked') return { field: 'Transfer-Encoding: chunked\r\n', octets: chunks(body) };
  if (framing === 'none' || body.length === 0) return { field: '', octets: body };
  return { field: `Content-Length: ${body.length}\r\n`, octets: body };
}

function serialise(request: WireRequest): Buffer {
  const { field, octets } = framed(request);
  const fields = request.headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const head = `${request.method} ${request.target} HTTP/1.1\r\n${fields}${field}Connection: close\r\n\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), octets]);
}

function dechunk(octets: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const end = octets.indexOf('\r\n', at);
    const size = Number.parseInt(octets.toString('latin1', at, end), 16);
    if (size === 0) return Buffer.concat(parts);
    parts.push(octets.subarray(end + 2, end + 2 + size));
    at = end + 4 + size;
  }
}

/** An answer of these parts; field names in lower case. */
export function answerOf(
  status: number,
  fields: readonly (readonly [name: string, value: string])[],
  body: Buffer,
): Answer {
  const all = (name: string) => fields.filter(([field]) => field === name.toLowerCase()).map(([, value]) => value);
  return {
    status,
    all,
    header: (name) => {
      const values = all(name);
      if (values.length > 1) throw new Error(`header ${name} came ${values.length} times`);
      return values[0];
    },
    body,
    json: () => JSON.parse(body.toString('utf8')) as Record<string, unknown>,
  };
}

/** Reads an answer that the end of the connection ends. */
export function parseAnswer(octets: Buffer): Answer {
  const end = octets.indexOf('\r\n\r\n');
  if (end === -1) throw new Error('the server closed the connection without an answer');
  const [statusLine = '', ...lines] = octets.toString('latin1', 0, end).split('\r\n');
  const fields = lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
  });
  const rest = octets.subarray(end + 4);
  const chunked = fields.some(([name, value]) => name === 'transfer-encoding' && value === 'chunked');
  return answerOf(Number(statusLine.split(' ')[1]), fields, chunked && rest.length > 0 ? dechunk(rest) : rest);
}

/** Sends octets to a loopback port and returns everything that comes back. */
export function sendOctets(port: number, octets: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const received: Buffer[] = [];
    const socket = connect({ host: '127.0.0.1', port });
    socket.setTimeout(TIMEOUT, () => socket.destroy(new Error('no answer in time')));
    socket.on('data', (data) => received.push(data));
    socket.once('error', reject);
    socket.once('close', () => resolve(Buffer.concat(received)));
    socket.write(octets);
  });
}

/** Sends one request over a connection of its own. */
export async function exchange(port: number, request: WireRequest): Promise<Answer> {
  return parseAnswer(await sendOctets(port, serialise(request)));
}
