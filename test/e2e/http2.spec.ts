import { connect, type ClientHttp2Session } from 'node:http2';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { startApp, type TestApp } from '../utils/http/app.js';
import type { Call, Device } from '../utils/http/client.js';
import { expectAccepted, expectRefusal } from '../utils/http/expectations.js';
import { digest } from '../utils/http/keys.js';
import { PLATFORMS } from '../utils/http/platforms.js';
import { answerOf, type Answer, type WireRequest } from '../utils/http/wire.js';
import { OpenController } from './controllers.js';

/** Nest's Express adapter has no HTTP/2. */
const HTTP2_PLATFORMS = PLATFORMS.filter(({ name }) => name === 'fastify');

/** Fields that HTTP/2 does without (RFC 9113 section 8.2.2). */
const LEFT_OUT = ['host', 'connection'];

function send(session: ClientHttp2Session, { method, target, headers, body }: WireRequest): Promise<Answer> {
  const fields: Record<string, string[]> = {};
  for (const [name, value] of headers) (fields[name.toLowerCase()] ??= []).push(value);
  const host = fields['host']?.[0] ?? '';
  for (const name of LEFT_OUT) delete fields[name];
  const flat = Object.fromEntries(
    Object.entries(fields).map(([name, values]) => [name, values.length === 1 ? values[0] : values]),
  );
  return new Promise((resolve, reject) => {
    const pseudo = { ':method': method, ':path': target, ':authority': host };
    const stream = session.request({ ...pseudo, ...flat }, { endStream: body === undefined });
    const received: Buffer[] = [];
    let answered: [name: string, value: string][] = [];
    stream.once(
      'response',
      (answer) => (answered = Object.entries(answer).map(([name, value]) => [name, String(value)])),
    );
    stream.on('data', (data: Buffer) => received.push(data));
    stream.once('error', reject);
    stream.once('end', () => {
      const status = Number(answered.find(([name]) => name === ':status')?.[1]);
      resolve(answerOf(status, answered, Buffer.concat(received)));
    });
    if (body !== undefined) stream.end(body);
  });
}

describe.each(HTTP2_PLATFORMS)('HTTP/2 on $name', (platform) => {
  let app: TestApp;
  let device: Device;
  let session: ClientHttp2Session;

  beforeAll(async () => {
    const adapter = new FastifyAdapter({ http2: true } as never);
    app = await startApp(platform, { controllers: [OpenController], adapter });
    session = connect(`http://127.0.0.1:${app.port}`);
    device = await app.device({ transport: (_port, request) => send(session, request) }).enrolled();
  });
  afterAll(async () => {
    session.close();
    await app.stop();
  });

  const BODY = '{"a":1}';
  const post = (call: Call = {}): Call => ({ method: 'POST', body: BODY, ...call });

  it('carries requests with and without content', async () => {
    expectAccepted(await device.send());
    expectAccepted(await device.send({ target: '/open/items/%61?b=2' }));
    expectAccepted(await device.send({ method: 'POST' }));
    expectAccepted(await device.send(post()));
  });

  it('binds them as ever', async () => {
    expectRefusal(await device.send({ target: '/open', wire: { target: '/open?a=1' } }), 'request_mismatch');
    expectRefusal(await device.send(post({ claims: { bh: undefined, ct: undefined } })), 'request_mismatch');
    expectRefusal(await device.send(post({ claims: { bh: digest('x') } })), 'request_mismatch');
    expectRefusal(await device.send({ method: 'POST', claims: { bh: digest('x') } }), 'request_mismatch');
    expectRefusal(await device.send({ tokens: (t) => [t, t] }), 'malformed_token');
    expectRefusal(await device.send({ tokens: () => [] }), 'missing_token');
  });

  it('lets a token through once', async () => {
    const prepared = device.prepare(post());
    expectAccepted(await device.replay(prepared));
    expectRefusal(await device.replay(prepared), 'replayed_token');
  });
});

describe.each(HTTP2_PLATFORMS)('HTTP/2 to several origins on $name', (platform) => {
  let app: TestApp;
  let session: ClientHttp2Session;

  beforeAll(async () => {
    const adapter = new FastifyAdapter({ http2: true } as never);
    const origins = ['https://a.example', 'https://b.example'];
    app = await startApp(platform, { controllers: [OpenController], adapter, tab: { origins } });
    session = connect(`http://127.0.0.1:${app.port}`);
  });
  afterAll(async () => {
    session.close();
    await app.stop();
  });

  it('selects one by :authority', async () => {
    const options = {
      origin: 'https://b.example',
      transport: (_port: number, request: WireRequest) => send(session, request),
    };
    const device = await app.device(options).enrolled();
    expectAccepted(await device.send());
    expectRefusal(await device.send({ host: 'a.example' }), 'request_mismatch');
  });
});
