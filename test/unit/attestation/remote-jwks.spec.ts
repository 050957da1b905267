import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Attester } from '../../../lib/attestation/attester.js';
import { clientAttestation } from '../../../lib/attestation/client-attestation/client-attestation.js';
import type { FetchLike } from '../../../lib/attestation/jose/bounded-fetch.js';
import type { RemoteJwks } from '../../../lib/attestation/jose/remote-jwks.js';
import { TabError } from '../../../lib/errors/tab-error.js';
import { createAttestationIssuer, type AttestationIssuer } from '../../../lib/testing/attestation-issuer.js';
import { APP_ID, attempt, inputOf, instanceKey, issue, issuer, KID, NOW } from './client-attestation.fixture.js';

let server: Server;
let calls: string[];
let answer: RequestListener;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: NOW * 1000 });
  calls = [];
  answer = publish(issuer);
  server = createServer((request, response) => {
    calls.push(request.url ?? '');
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  vi.useRealTimers();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function json(body: unknown, type = 'application/json'): RequestListener {
  return (_request, response) => response.setHeader('content-type', type).end(JSON.stringify(body));
}

function publish(...issuers: AttestationIssuer[]): RequestListener {
  return json({ keys: issuers.flatMap((each) => each.jwks.keys) });
}

function origin(): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function remoteAttester(options: Partial<RemoteJwks> = {}, fetch?: FetchLike): Attester {
  return clientAttestation({ issuers: [{ jwks: { uri: `${origin()}/jwks`, ...options } }], fetch });
}

function advance(seconds: number): void {
  vi.setSystemTime(Date.now() + seconds * 1000);
}

const UNAVAILABLE = { stage: 'finish', error: { code: 'store_unavailable', status: 503, hints: { retryAfter: 10 } } };

describe('keys that the issuer publishes', () => {
  it('are fetched once, at first use, only after every check that needs no network', async () => {
    const attester = remoteAttester();
    attester.examine(inputOf(await issue()));
    expect(await attempt(attester, inputOf(await issue({ sub: 'other' })))).toMatchObject({ stage: 'examine' });
    expect(calls).toEqual([]);
    const input = inputOf(await issue());
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => attempt(attester, input)));
    expect(outcomes.every((outcome) => 'result' in outcome)).toBe(true);
    expect(await attempt(attester, input)).toHaveProperty('result');
    expect(calls).toEqual(['/jwks']);
  });

  it.each(['application/json; charset=utf-8', 'application/jwk-set+json', 'Application/JSON'])(
    'are taken as %s',
    async (type) => {
      answer = json(issuer.jwks, type);
      expect(await attempt(remoteAttester(), inputOf(await issue()))).toHaveProperty('result');
    },
  );

  it('are fetched again when they are too old, and old ones are not used when that fails', async () => {
    const attester = remoteAttester({ cacheMaxAge: 60 });
    const input = inputOf(await issue());
    await attempt(attester, input);
    advance(59);
    answer = (_request, response) => response.writeHead(500).end();
    expect(await attempt(attester, input)).toHaveProperty('result');
    advance(1);
    expect(await attempt(attester, input)).toMatchObject(UNAVAILABLE);
    advance(10);
    answer = publish(issuer);
    expect(await attempt(attester, input)).toHaveProperty('result');
    expect(calls).toHaveLength(3);
  });

  it('may rotate: an unknown kid fetches them again, though not within the cooldown', async () => {
    const next = createAttestationIssuer({ clock: () => NOW, kid: 'issuer-key-2' });
    const attester = remoteAttester({ cooldown: 30 });
    await attempt(attester, inputOf(await issue()));
    answer = publish(next);
    const rotated = inputOf(await next.issue({ sub: APP_ID, publicKey: instanceKey }));
    expect(await attempt(attester, rotated)).toMatchObject({ stage: 'finish', error: { check: 'issuer-key' } });
    expect(calls).toHaveLength(1);
    advance(30);
    expect(await attempt(attester, rotated)).toHaveProperty('result');
    expect(calls).toHaveLength(2);
    // The withdrawn key is gone with the set that held it.
    expect(await attempt(attester, inputOf(await issue()))).toMatchObject({ error: { check: 'issuer-key' } });
  });

  it('verify nothing that another key signed', async () => {
    const thief = createAttestationIssuer({ clock: () => NOW, kid: KID });
    const jwt = await thief.issue({ sub: APP_ID, publicKey: instanceKey });
    expect(await attempt(remoteAttester(), inputOf(jwt))).toMatchObject({ error: { check: 'signature' } });
  });
});

describe('an issuer that misbehaves', () => {
  const big = { keys: issuer.jwks.keys, pad: 'p'.repeat(70_000) };
  const [key] = issuer.jwks.keys;
  const answers: [string, RequestListener, RegExp][] = [
    ['status 500', (_request, response) => response.writeHead(500).end(), /status 500/],
    ['status 404 with keys', (request, response) => respondWith(404, request, response), /status 404/],
    ['status 206 with keys', (request, response) => respondWith(206, request, response), /status 206/],
    ['no content', (_request, response) => response.writeHead(204).end(), /status 204/],
    ['a large answer', json(big), /longer than 65536/],
    ['an endless answer', endless, /longer than 65536/],
    ['a compressed bomb', compressed(Buffer.from(JSON.stringify(big))), /longer than 65536/],
    ['HTML', (_request, response) => response.setHeader('content-type', 'text/html').end('<p>'), /media type/],
    ['keys as text', json(issuer.jwks, 'text/plain'), /media type/],
    ['keys without a type', (_request, response) => response.end(JSON.stringify(issuer.jwks)), /media type/],
    ['something that is not JSON', raw('{"keys":['), /not a JSON key set/],
    ['broken UTF-8', raw(Buffer.from('{"keys":[],"x":"\xff"}', 'latin1')), /not valid/],
    ['a list', json([key]), /not a JSON key set/],
    ['null', json(null), /not a JSON key set/],
    ['keys that are no list', json({ keys: { 0: key } }), /not a JSON key set/],
    ['keys that are no objects', json({ keys: [key, 'x'] }), /not a JSON key set/],
    ['more keys than anybody needs', json({ keys: Array.from({ length: 101 }, () => ({ kty: 'EC' })) }), /at most 100/],
    ['its private key', json({ keys: [privateJwk()] }), /public keys/],
    ['a broken key', json({ keys: [{ ...key, y: 'AAAA' }] }), /./],
    ['a connection that closes', (request) => request.socket.destroy(), /./],
    ['half an answer', half, /./],
  ];

  it.each(answers)('by %s is not the fault of the client, and nothing is accepted', async (_name, listener, cause) => {
    answer = listener;
    const outcome = await attempt(remoteAttester(), inputOf(await issue()));
    expect(outcome).toMatchObject(UNAVAILABLE);
    const error = 'error' in outcome ? (outcome.error as TabError) : undefined;
    expect(error).toBeInstanceOf(TabError);
    expect(String(error?.cause)).toMatch(cause);
    expect(calls).toEqual(['/jwks']);
  });

  it.each([301, 302, 303, 307, 308])('by a %i redirect is not followed', async (status) => {
    answer = (request, response) => {
      if (request.url === '/jwks') response.writeHead(status, { location: '/moved' }).end();
      else publish(issuer)(request, response);
    };
    expect(await attempt(remoteAttester(), inputOf(await issue()))).toMatchObject(UNAVAILABLE);
    expect(calls).toEqual(['/jwks']);
  });

  it('by a fetch that follows redirects all the same is refused', async () => {
    answer = (request, response) => {
      if (request.url === '/jwks') response.writeHead(302, { location: '/moved' }).end();
      else publish(issuer)(request, response);
    };
    const following: FetchLike = (url, init) => fetch(url, { ...init, redirect: 'follow' });
    expect(await attempt(remoteAttester({}, following), inputOf(await issue()))).toMatchObject(UNAVAILABLE);
    expect(calls).toEqual(['/jwks', '/moved']);
  });

  it.each<[string, RequestListener]>([
    ['never answering', () => undefined],
    [
      'never ending its answer',
      (_request, response) => void response.setHeader('content-type', 'application/json').write('{'),
    ],
  ])('by %s is given up', async (_name, listener) => {
    answer = listener;
    const outcome = await attempt(remoteAttester({ timeout: 0.05 }), inputOf(await issue()));
    expect(outcome).toMatchObject(UNAVAILABLE);
  });

  it('is given up also when the given fetch does not listen to its signal', async () => {
    const deaf: FetchLike = () => new Promise(() => undefined);
    const attester = remoteAttester({ timeout: 0.05 }, deaf);
    expect(await attempt(attester, inputOf(await issue()))).toMatchObject(UNAVAILABLE);
  });

  it.each<[string, FetchLike]>([
    [
      'throws',
      () => {
        throw new Error('broken');
      },
    ],
    ['rejects with nothing', () => Promise.reject(undefined as unknown as Error)],
    ['gives no response', () => Promise.resolve(undefined as unknown as Response)],
    [
      'gives an empty response',
      () => Promise.resolve(new Response(null, { headers: { 'content-type': 'application/json' } })),
    ],
  ])('is unavailable when the given fetch %s', async (_name, broken) => {
    expect(await attempt(remoteAttester({}, broken), inputOf(await issue()))).toMatchObject(UNAVAILABLE);
  });

  it('is left in peace after a failure, however many enrol', async () => {
    answer = (_request, response) => response.writeHead(503).end();
    const attester = remoteAttester();
    const input = inputOf(await issue());
    for (let round = 0; round < 5; round += 1) expect(await attempt(attester, input)).toMatchObject(UNAVAILABLE);
    advance(9);
    expect(await attempt(attester, input)).toMatchObject(UNAVAILABLE);
    expect(calls).toHaveLength(1);
    answer = publish(issuer);
    advance(1);
    expect(await attempt(attester, input)).toHaveProperty('result');
    expect(calls).toHaveLength(2);
  });

  it('does not stay unavailable when the clock is set back', async () => {
    answer = (_request, response) => response.writeHead(503).end();
    const attester = remoteAttester();
    await attempt(attester, inputOf(await issue()));
    answer = publish(issuer);
    advance(-3600);
    expect(await attempt(attester, inputOf(await issue()))).toHaveProperty('result');
  });

  it('does not stop those whose key is known when somebody names an unknown one', async () => {
    const attester = remoteAttester();
    await attempt(attester, inputOf(await issue()));
    answer = (_request, response) => response.writeHead(500).end();
    advance(31);
    expect(await attempt(attester, inputOf(await issue({ header: { kid: 'x' } })))).toMatchObject(UNAVAILABLE);
    expect(await attempt(attester, inputOf(await issue()))).toHaveProperty('result');
  });

  it('does not affect another issuer', async () => {
    answer = (_request, response) => response.writeHead(500).end();
    const attester = clientAttestation({
      issuers: [{ iss: 'https://down.example', jwks: { uri: `${origin()}/jwks` } }, { jwks: issuer.jwks }],
    });
    const down = await issue({ claims: { iss: 'https://down.example' } });
    expect(await attempt(attester, inputOf(down))).toMatchObject(UNAVAILABLE);
    expect(await attempt(attester, inputOf(await issue()))).toHaveProperty('result');
  });

  it('is named by host only in what the operator reads', async () => {
    answer = (_request, response) => response.writeHead(500).end();
    const attester = remoteAttester({ uri: `${origin()}/jwks?code=hidden` });
    const outcome = await attempt(attester, inputOf(await issue()));
    const { message } = 'error' in outcome ? (outcome.error as TabError) : { message: '' };
    expect(message).toContain('127.0.0.1');
    expect(message).not.toContain('hidden');
  });
});

function privateJwk(): object {
  return { ...issuer.privateKey.export({ format: 'jwk' }), kid: KID };
}

function raw(body: string | Buffer): RequestListener {
  return (_request, response) => response.setHeader('content-type', 'application/json').end(body);
}

function compressed(body: Buffer): RequestListener {
  return (_request, response) => {
    response.setHeader('content-type', 'application/json').setHeader('content-encoding', 'gzip').end(gzipSync(body));
  };
}

const respondWith = (status: number, ...[request, response]: Parameters<RequestListener>): void => {
  response.statusCode = status;
  publish(issuer)(request, response);
};

const endless: RequestListener = (_request, response) => {
  response.setHeader('content-type', 'application/json');
  const chunk = Buffer.alloc(16_384, ' ');
  const pump = () => {
    while (!response.destroyed && response.write(chunk));
  };
  response.on('drain', pump);
  pump();
};

const half: RequestListener = (request, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '500' });
  response.write('{"keys":[', () => request.socket.destroy());
};
