import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { generateKeyPairSync } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { TabConfigError } from '../../../lib/errors/tab-error.js';
import { readReceiverOptions } from '../../../lib/signals/receiver-settings.js';
import { logSignals } from '../../../lib/signals/signal-log.js';
import { readTransmitterOptions } from '../../../lib/signals/transmitter-settings.js';
import { aSet, aSignalWorld, AUDIENCE, idp, ISS, SESSION_ID, stranger } from './fixture.js';

function failureOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(TabConfigError);
    return (error as Error).message;
  }
  return 'accepted';
}

describe('receiver options that cannot work say what to write', () => {
  const good = { audience: AUDIENCE, transmitters: [{ iss: ISS, jwks: idp.jwks }] };
  const [transmitter] = good.transmitters;
  const privateJwk = idp.privateKey.export({ format: 'jwk' });
  const bad: [what: string, options: unknown, about: RegExp][] = [
    ['nothing', undefined, /give \{ audience, transmitters \}/],
    ['no audience', { ...good, audience: undefined }, /audience/],
    ['an empty audience', { ...good, audience: '' }, /audience/],
    ['no audiences', { ...good, audience: [] }, /audience/],
    ['no transmitter', { ...good, transmitters: [] }, /at least one/],
    ['a transmitter without iss', { ...good, transmitters: [{ jwks: idp.jwks }] }, /transmitters\[0\]\.iss/],
    ['a transmitter without keys', { ...good, transmitters: [{ iss: ISS }] }, /transmitters\[0\]\.jwks/],
    [
      'both keys and address',
      { ...good, transmitters: [{ iss: ISS, jwks: { ...idp.jwks, uri: 'https://x.example' } }] },
      /jwks must be/,
    ],
    ['keys over http', { ...good, transmitters: [{ iss: ISS, jwks: { uri: 'http://x.example/jwks' } }] }, /https/],
    ['a private key', { ...good, transmitters: [{ iss: ISS, jwks: { keys: [privateJwk] } }] }, /private/],
    ['one issuer twice', { ...good, transmitters: [transmitter, transmitter] }, /same iss/],
    ['a MAC', { ...good, transmitters: [{ ...transmitter, algorithms: ['HS256'] }] }, /algorithms/],
    ['none', { ...good, transmitters: [{ ...transmitter, algorithms: ['none'] }] }, /algorithms/],
    ['no algorithm', { ...good, transmitters: [{ ...transmitter, algorithms: [] }] }, /algorithms/],
    ['a mapping that is no function', { ...good, transmitters: [{ ...transmitter, subject: 'x' }] }, /function/],
    ['another risk answer', { ...good, transmitters: [{ ...transmitter, onHighRisk: 'x' }] }, /onHighRisk/],
    ['a life of more than 7 days', { ...good, maxAge: 604_801 }, /maxAge/],
    ['a life of fractions', { ...good, maxAge: 60.5 }, /maxAge/],
    ['a short secret', { ...good, authorization: 'Bearer short' }, /authorization/],
    ['another answer to duplicates', { ...good, onDuplicate: 'x' }, /onDuplicate/],
  ];
  it.each(bad)('%s', (_what, options, about) => {
    expect(failureOf(() => readReceiverOptions(options as never))).toMatch(about);
  });

  it('and what is left out has its default', () => {
    expect(readReceiverOptions(good)).toMatchObject({
      maxAge: 604_800,
      authorization: undefined,
      refusesDuplicates: true,
    });
  });
});

describe('transmitter options that cannot work say what to write', () => {
  const good = {
    iss: ISS,
    key: idp.privateKey,
    kid: 'k',
    alg: 'ES256' as const,
    receivers: [{ url: 'https://a.example/events', audience: 'a' }],
  };
  const to = (receiver: object) => ({ ...good, receivers: [{ ...good.receivers[0], ...receiver }] });
  const bad: [what: string, options: unknown, about: RegExp][] = [
    ['nothing', undefined, /give \{ iss/],
    ['no iss', { ...good, iss: '' }, /iss/],
    ['no kid', { ...good, kid: undefined }, /kid/],
    ['a public key', { ...good, key: idp.publicKey }, /private/],
    ['a public JWK', { ...good, key: idp.jwks.keys[0] }, /private/],
    ['no key', { ...good, key: undefined }, /private/],
    ['an algorithm of another key', { ...good, alg: 'PS256' }, /not one for PS256/],
    ['an algorithm of another curve', { ...good, alg: 'ES384' }, /not one for ES384/],
    ['a MAC', { ...good, alg: 'HS256' }, /alg must be/],
    ['a member of all objects', { ...good, alg: 'constructor' }, /alg must be/],
    ['nobody', { ...good, receivers: [] }, /at least one/],
    ['no address', to({ url: undefined }), /url/],
    ['a relative address', to({ url: '/events' }), /url/],
    ['http', to({ url: 'http://a.example/events' }), /https/],
    ['user info', to({ url: 'https://u:p@a.example/' }), /user info/],
    ['no audience', to({ audience: '' }), /audience/],
    ['a header in the secret', to({ authorization: 'Bearer x\r\nX: y' }), /authorization/],
    ['no room', { ...good, queueLimit: 0 }, /queueLimit/],
    ['no attempt', { ...good, retry: { attempts: 0 } }, /attempts/],
  ];
  it.each(bad)('%s', (_what, options, about) => {
    const message = failureOf(() => readTransmitterOptions(options as never));
    expect(message).toMatch(about);
    expect(message).not.toContain('u:p');
  });

  it('nothing of a key that cannot be read is quoted', () => {
    const key = { ...idp.privateKey.export({ format: 'jwk' }), x: 'tampered' };
    expect(failureOf(() => readTransmitterOptions({ ...good, key }))).not.toContain(String(key.d));
  });

  it('a JWK, an Ed25519 and an RSA key can sign', () => {
    const jwk = idp.privateKey.export({ format: 'jwk' });
    expect(readTransmitterOptions({ ...good, key: jwk }).key.type).toBe('private');
    const ed = generateKeyPairSync('ed25519').privateKey;
    expect(readTransmitterOptions({ ...good, key: ed, alg: 'EdDSA' }).key).toBe(ed);
    const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
    expect(failureOf(() => readTransmitterOptions({ ...good, key: short, alg: 'RS256' }))).toMatch(/2048/);
  });
});

describe('keys that the transmitter publishes', () => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  async function publish(answer: () => { status: number; keys: object }): Promise<string> {
    server = createServer((_request, response) => {
      const { status, keys } = answer();
      response.writeHead(status, { 'Content-Type': 'application/jwk-set+json' }).end(JSON.stringify(keys));
    });
    await new Promise<void>((resolve) => void server?.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
  }

  it('are fetched', async () => {
    const uri = await publish(() => ({ status: 200, keys: idp.jwks }));
    const world = await aSignalWorld({}, { jwks: { uri } });
    expect(await world.take(aSet({ key: stranger.privateKey }))).toBe('authentication_failed');
    expect(await world.take(aSet())).toBe('acted');
  });

  it('and when they cannot be had, the token is asked for again', async () => {
    const uri = await publish(() => ({ status: 500, keys: {} }));
    const world = await aSignalWorld({}, { jwks: { uri } });
    expect(await world.take(aSet())).toBe('unavailable');
    expect(await world.live()).toEqual([SESSION_ID]);
  });
});

describe('the log', () => {
  it('has one line a record, which nothing in the record can break', () => {
    const lines: string[] = [];
    const log = logSignals({
      log: (line) => lines.push(`log ${line}`),
      warn: (line) => lines.push(`warn ${line}`),
      error: (line) => lines.push(`error ${line}`),
    });
    log({ at: 1, outcome: 'acted', iss: ISS, jti: 'a\nsignal acted {}', event: 'session-revoked', changes: 2 });
    log({ at: 1, outcome: 'refused', err: 'invalid_key', detail: 'no key' });
    log({ at: 1, outcome: 'failed', detail: 'binding store failed' });
    expect(lines).toEqual([
      `log signal acted {"iss":"${ISS}","jti":"a\\nsignal acted {}","event":"session-revoked","changes":2}`,
      'warn signal refused {"err":"invalid_key","detail":"no key"}',
      'error signal failed {"detail":"binding store failed"}',
    ]);
  });
});
