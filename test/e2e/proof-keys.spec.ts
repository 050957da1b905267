import { createECDH, createHmac } from 'node:crypto';
import { Controller, Get, HttpCode, Post } from '@nestjs/common';
import { compactDecrypt, decodeProtectedHeader, exportJWK, generateKeyPair } from 'jose';
import { RequireTrust, TabInstances, TabSessions, Trust, type TrustContext } from 'nestjs-tab';
import { clientAttestation } from 'nestjs-tab/attestation';
import { createAttestationIssuer } from 'nestjs-tab/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { aProofKey, macToken, type TestProofKey } from '../utils/core/proof-key.js';
import { BANK, startApp, toldBy, type AppSetup, type TabSetup, type TestApp } from '../utils/http/app.js';
import type { Call, Device, Prepared } from '../utils/http/client.js';
import { expectAccepted, expectRefusal } from '../utils/http/expectations.js';
import { digest } from '../utils/http/keys.js';
import { PLATFORMS } from '../utils/http/platforms.js';
import { exchange, type Answer } from '../utils/http/wire.js';
import { OpenController, SessionController } from './controllers.js';

const SECRET = 'a shared secret of the tests, at least 32 octets';
const OTHER_SECRET = 'the secret that comes after it, of 32 octets or more';
const SIGN = 'TAB error="step_up_required", requirement="signature"';

@Controller('strict')
class StrictController {
  @RequireTrust({ session: 'none', proof: 'signature', challenge: 'single-use' })
  @Post()
  @HttpCode(200)
  transfer(): object {
    return { handler: 'transfer' };
  }

  @RequireTrust({ session: 'none', mode: 'monitor', proof: 'signature' })
  @Get()
  watched(@Trust() trust: TrustContext): object {
    return { trust };
  }
}

/** A recipient's key pair, and what it can do with the answer. */
async function aRecipient() {
  const { privateKey, publicKey } = await generateKeyPair('ECDH-ES', { crv: 'P-256' });
  const { kty, crv, x, y } = await exportJWK(publicKey);
  const open = async (answer: Answer) => {
    const { jwe, kid } = answer.json() as { jwe: string; kid: string };
    return { kid, key: Buffer.from((await compactDecrypt(jwe, privateKey)).plaintext) };
  };
  return { jwk: { kty, crv, x, y } as Record<string, unknown>, open };
}

const ask = (device: Device, recipientKey: unknown, call: Call = {}): Promise<Answer> =>
  device.send({ method: 'POST', target: '/tab/proof-keys', body: JSON.stringify({ recipientKey }), ...call });

/** Asks for a proof key as a client does, over a challenge that the first answer brings. */
async function obtain(device: Device): Promise<TestProofKey> {
  const { jwk, open } = await aRecipient();
  const answer = await ask(device, jwk);
  expect({ status: answer.status, code: answer.header('tab-error') }).toEqual({ status: 201, code: undefined });
  return open(answer);
}

/** The same request with its token made under a proof key. */
function under({ key, kid }: TestProofKey, { token, wire }: Prepared): Prepared {
  const [header = {}, claims = {}] = token
    .split('.', 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>);
  const text = macToken(key, { ...header, alg: 'HS256', kid }, claims);
  const headers = wire.headers.map(([name, value]) => [name, name === 'TAB-Token' ? text : value] as const);
  return { token: text, wire: { ...wire, headers } };
}

describe.each(PLATFORMS)('proof keys on $name', (platform) => {
  let app: TestApp;
  afterEach(() => app.stop());

  const start = (tab: TabSetup = {}, setup: AppSetup = {}) =>
    startApp(platform, {
      controllers: [OpenController, SessionController, StrictController],
      tab: { proofKeys: true, ...tab },
      ...setup,
    });
  const send = (device: Device, proofKey: TestProofKey, call: Call = {}) =>
    device.replay(under(proofKey, device.prepare(call)));
  const expectSign = (answer: Answer) => {
    expectRefusal(answer, 'step_up_required');
    expect(answer.header('www-authenticate')).toBe(SIGN);
  };
  const started = async (tab?: TabSetup) => {
    app = await start(tab);
    const device = await app.device().enrolled();
    return { device, proofKey: await obtain(device) };
  };

  it('are given out, and take the place of signatures', async () => {
    app = await start();
    const device = await app.device().enrolled();
    const { jwk, open } = await aRecipient();
    const answer = await ask(device, jwk);
    expect(answer.status).toBe(201);
    expect(answer.header('cache-control')).toBe('no-store');
    expect(answer.header('tab-nonce')).toMatch(/^[A-Za-z0-9._-]{22,256}$/);
    expect(answer.json()).toEqual({
      kid: expect.stringMatching(/^[\w-]{43}~[\w-]{34}$/) as string,
      alg: 'HS256',
      jwe: expect.any(String) as string,
      expiresIn: 300,
    });
    const recipient = digest(JSON.stringify({ crv: jwk['crv'], kty: jwk['kty'], x: jwk['x'], y: jwk['y'] }));
    expect(decodeProtectedHeader(answer.json()['jwe'] as string)).toEqual({
      alg: 'ECDH-ES',
      enc: 'A256GCM',
      epk: expect.objectContaining({ kty: 'EC', crv: 'P-256' }) as object,
      apu: Buffer.from(device.id).toString('base64url'),
      apv: Buffer.from(recipient).toString('base64url'),
    });
    const proofKey = await open(answer);
    const parts = Buffer.from(proofKey.kid.slice(44), 'base64url');
    expect([proofKey.kid.slice(0, 44), parts[0], parts.readUInt32BE(5)]).toEqual([
      `${device.id}~`,
      1,
      app.clock.seconds + 300,
    ]);
    // As anybody who has the secret would make it, and nobody else.
    const again = { secret: SECRET, instanceId: device.id, exp: app.clock.seconds + 300, origin: app.origin };
    expect(aProofKey({ ...again, random: parts.subarray(9) })).toEqual(proofKey);
    expectAccepted(await send(device, proofKey));
    expectAccepted(await send(device, proofKey, { method: 'POST', body: '{"a":1}', target: '/open?b=c' }));
    const context = (await send(device, proofKey, { target: '/open/context' })).json();
    expect(context).toMatchObject({ trust: { proof: 'mac', instance: { id: device.id } } });
    expect(app.decisions.map(({ proof }) => proof)).toEqual(['signature', 'mac', 'mac', 'mac']);
  });

  it('are described, and told apart from nothing where they are off', async () => {
    app = await start();
    const discovery = () =>
      exchange(app.port, { method: 'GET', target: '/.well-known/tab-configuration', headers: [['Host', 'x']] });
    expect((await discovery()).json()).toMatchObject({
      proofKeys: true,
      algs: ['ES256'],
      endpoints: { proofKeys: `${app.origin}/tab/proof-keys` },
    });
    await app.stop();
    app = await start({ proofKeys: false });
    expect((await discovery()).json()).toMatchObject({ proofKeys: false });
    const device = await app.device().enrolled();
    const answer = await ask(device, (await aRecipient()).jwk);
    expect([answer.status, answer.header('tab-error')]).toEqual([404, undefined]);
    const made = aProofKey({ secret: SECRET, instanceId: device.id, exp: app.clock.seconds + 9, origin: app.origin });
    expectRefusal(await send(device, made), 'unsupported_alg');
  });

  it.each<[string, (jwk: Record<string, unknown>, device: Device) => unknown]>([
    ['no key', () => undefined],
    ['null', () => null],
    ['a list', (jwk) => [jwk]],
    ['a private key', (jwk) => ({ ...jwk, d: 'A'.repeat(43) })],
    ['a shared key', (jwk) => ({ ...jwk, k: 'AA' })],
    ['another type', () => ({ kty: 'oct', k: 'AA' })],
    ['another curve', () => ({ kty: 'EC', crv: 'P-384', x: 'A'.repeat(64), y: 'A'.repeat(64) })],
    ['a curve of another type', () => ({ kty: 'OKP', crv: 'X25519', x: 'A'.repeat(43) })],
    ['a point off the curve', (jwk) => ({ ...jwk, y: jwk['x'] })],
    ['the point of zeros', (jwk) => ({ ...jwk, x: 'A'.repeat(43), y: 'A'.repeat(43) })],
    ['a short coordinate', (jwk) => ({ ...jwk, x: String(jwk['x']).slice(1) })],
    ['padding', (jwk) => ({ ...jwk, x: `${String(jwk['x'])}=` })],
    ['the instance key', (_jwk, device) => device.key.jwk],
    ['too much', (jwk) => ({ ...jwk, filler: 'x'.repeat(2048) })],
    ['too deep', (jwk) => ({ ...jwk, key_ops: [[['x']]] })],
  ])('are not given for %s', async (_what, change) => {
    app = await start();
    const device = await app.device().enrolled();
    expectRefusal(await ask(device, change((await aRecipient()).jwk, device)), 'malformed_token');
  });

  it('are not given for a body that is none, or another', async () => {
    app = await start();
    const device = await app.device().enrolled();
    const { jwk } = await aRecipient();
    for (const body of ['[]', '{}', '{"recipientKey":"x"}', '{"recipientkey":{}}'])
      expectRefusal(await ask(device, jwk, { body }), 'malformed_token');
    expectRefusal(await ask(device, jwk, { body: undefined }), 'malformed_token');
    const other = Buffer.from(JSON.stringify({ recipientKey: (await aRecipient()).jwk }));
    expectRefusal(await ask(device, jwk, { wire: { body: other } }), 'request_mismatch');
  });

  it('ignore what a JWK says about its use', async () => {
    app = await start();
    const device = await app.device().enrolled();
    const { jwk, open } = await aRecipient();
    const answer = await ask(device, { ...jwk, use: 'sig', alg: 'none', key_ops: ['x'], kid: 'x', x5c: ['x'] });
    expectAccepted(await send(device, await open(answer)));
  });

  it('are asked for over a challenge that is spent', async () => {
    app = await start();
    const device = await app.device().enrolled();
    const prepared = device.prepare({
      method: 'POST',
      target: '/tab/proof-keys',
      body: JSON.stringify({ recipientKey: (await aRecipient()).jwk }),
    });
    const { nonce } = device;
    expect((await device.replay(prepared)).status).toBe(201);
    expectRefusal(await device.replay(prepared), 'use_tab_nonce');
    expectRefusal(await ask(device, (await aRecipient()).jwk, { claims: { nonce } }), 'use_tab_nonce');
    expectRefusal(await ask(device, (await aRecipient()).jwk, { claims: { nonce: undefined } }), 'use_tab_nonce');
  });

  it('are limited by address, before anything is looked at', async () => {
    app = await start({ proofKeys: { requestsPerMinute: 2, lifetime: 60 } });
    const device = await app.device().enrolled();
    for (let i = 0; i < 2; i += 1) expectRefusal(await ask(device, {}, { tokens: () => [] }), 'missing_token');
    const limited = await ask(device, {}, { tokens: () => [] });
    expectRefusal(limited, 'rate_limited');
    app.clock.advance(60);
    const { jwk, open } = await aRecipient();
    await device.send();
    const answer = await ask(device, jwk);
    expect(answer.json()).toMatchObject({ expiresIn: 60 });
    const proofKey = await open(answer);
    app.clock.advance(59);
    expectAccepted(await send(device, proofKey));
    app.clock.advance(1);
    expectSign(await send(device, proofKey));
  });

  it('are judged by the module’s policy, also where that is only watched', async () => {
    const apps = [{ ...BANK, probes: ['debugger'] }] as const;
    app = await start({ mode: 'monitor', apps });
    const device = await app.device().enrolled();
    expect((await device.send()).header('tab-monitor')).toBe('insufficient_trust');
    const { jwk } = await aRecipient();
    expectRefusal(await ask(device, jwk), 'insufficient_trust');
    const rt = { at: device.now, found: [], clear: ['debugger'], sdk: 'x' };
    expect((await ask(device, jwk, { claims: { rt } })).status).toBe(201);
    expect(app.decisions.at(-1)).toMatchObject({ enforced: true, outcome: 'accepted', route: '/tab/proof-keys' });
  });

  it('in monitor mode pass where a signature is asked for, and are told of', async () => {
    const { device, proofKey } = await started();
    const answer = await send(device, proofKey, { target: '/strict' });
    expect([answer.status, answer.header('tab-monitor')]).toEqual([200, 'step_up_required']);
    expect(answer.json()).toMatchObject({ trust: { verified: false, code: 'step_up_required' } });
    expect(app.decisions.at(-1)).toMatchObject({ enforced: false, proof: 'mac' });
  });

  it('are refused when replayed, changed or late, as signed tokens are', async () => {
    const { device, proofKey } = await started();
    const prepared = under(proofKey, device.prepare());
    const copies = await Promise.all(Array.from({ length: 8 }, () => device.replay(prepared)));
    expect(copies.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(copies.filter(({ status }) => status === 401)).toHaveLength(7);
    expectRefusal(await device.replay(prepared), 'replayed_token');
    expectRefusal(await send(device, proofKey, { wire: { target: '/open/any' } }), 'request_mismatch');
    const post = { method: 'POST', body: '{"amount":1}' };
    expectRefusal(
      await send(device, proofKey, { ...post, wire: { body: Buffer.from('{"amount":9}') } }),
      'request_mismatch',
    );
    expectRefusal(
      await send(device, proofKey, {
        claims: { iat: device.now - 66, rt: { at: device.now - 66, found: [], clear: ['root'], sdk: 'x' } },
      }),
      'stale_token',
    );
    const { wire, token } = under(proofKey, device.prepare());
    const last = token.slice(-2, -1) === 'A' ? 'B' : 'A';
    const forged = token.slice(0, -2) + last + token.slice(-1);
    const headers = wire.headers.map(([name, value]) => [name, name === 'TAB-Token' ? forged : value] as const);
    expectRefusal(await device.replay({ token: forged, wire: { ...wire, headers } }), 'bad_signature');
  });

  it('end with the second of their expiry', async () => {
    const { device, proofKey } = await started();
    app.clock.advance(299);
    expectAccepted(await send(device, proofKey));
    app.clock.advance(1);
    const expired = await send(device, proofKey, {});
    expect([expired.status, expired.header('www-authenticate')]).toEqual([401, SIGN]);
    await device.send();
    expectAccepted(await device.send());
  });

  it.each([
    ['now', 0, false],
    ['900 s away', 900, true],
    ['901 s away', 901, false],
  ])('with an end that is %s are accepted: %s', async (_what, left, accepted) => {
    app = await start();
    const device = await app.device().enrolled();
    const exp = app.clock.seconds + left;
    const answer = await send(device, aProofKey({ secret: SECRET, instanceId: device.id, exp, origin: app.origin }));
    if (accepted) expectAccepted(answer);
    else expectSign(answer);
  });

  it('outlive a rotation of secrets, and end with their secret', async () => {
    const { device, proofKey } = await started({ secrets: [OTHER_SECRET, SECRET] });
    const parts = { instanceId: device.id, exp: app.clock.seconds + 60, origin: app.origin };
    expect(Buffer.from(proofKey.kid.slice(44), 'base64url').subarray(1, 5)).toEqual(
      Buffer.from(aProofKey({ ...parts, secret: OTHER_SECRET }).kid.slice(44), 'base64url').subarray(1, 5),
    );
    for (const secret of [OTHER_SECRET, SECRET]) expectAccepted(await send(device, aProofKey({ ...parts, secret })));
    expectSign(await send(device, aProofKey({ ...parts, secret: 'a secret that is listed nowhere, of 32 octets' })));
  });

  it.each([
    ['instance_revoked', (instances: TabInstances, id: string) => instances.revoke(id, 'lost')],
    ['instance_suspended', (instances: TabInstances, id: string) => instances.suspend(id, 'lost')],
  ] as const)('end with their instance, at once: %s', async (code, end) => {
    const { device, proofKey } = await started();
    expectAccepted(await send(device, proofKey));
    await end(app.nest.get(TabInstances), device.id);
    expectRefusal(await send(device, proofKey), code);
    expectRefusal(await ask(device, (await aRecipient()).jwk), code);
  });

  describe('in a thief’s hands', () => {
    it('start no session, also in monitor mode', async () => {
      for (const mode of ['enforce', 'monitor'] as const) {
        const { device, proofKey } = await started({ mode });
        const body = JSON.stringify({ subject: 'alice', credential: 'issued' });
        const refused = await send(device, proofKey, { method: 'POST', target: '/session', body });
        expectSign(refused);
        expect(refused.header('tab-session')).toBeUndefined();
        expect(await app.nest.get(TabSessions).list('alice')).toEqual([]);
        const signed = await device.send({ method: 'POST', target: '/session', body });
        expect(signed.header('tab-session')).toBeDefined();
        if (mode === 'enforce') await app.stop();
      }
    });

    it('get no other proof key, enrol nothing, retire nothing', async () => {
      const { device, proofKey } = await started();
      const body = JSON.stringify({ recipientKey: (await aRecipient()).jwk });
      expectSign(await send(device, proofKey, { method: 'POST', target: '/tab/proof-keys', body }));
      expectSign(await send(device, proofKey, { method: 'DELETE', target: '/tab/instances/self' }));
      const enrolment = await device.enrol({ header: { alg: 'HS256', jwk: undefined, kid: proofKey.kid } });
      expect(enrolment.header('tab-error')).toBe('malformed_token');
      expectRefusal(await device.enrol({ header: { alg: 'HS256' } }), 'unsupported_alg');
      expect((await app.nest.get(TabInstances).get(device.id))?.status).toBe('active');
      expectAccepted(await device.send());
    });

    it('reach nothing that asks for a signature, and the signed retry is let in', async () => {
      const { device, proofKey } = await started();
      const transfer = { method: 'POST', target: '/strict', body: '{}' };
      expectSign(await send(device, proofKey, transfer));
      expectAccepted(await device.send(transfer));
    });

    it('reach nothing above software', async () => {
      const issuer = createAttestationIssuer({ clock: () => app.clock.seconds });
      const attestation = [clientAttestation({ issuers: [{ jwks: issuer.jwks, assurance: 'tee' }] })];
      @Controller('graded')
      class GradedController {
        @RequireTrust({ session: 'none', assurance: 'software' })
        @Get('software')
        software(@Trust() trust: TrustContext): object {
          return { assurance: trust.verified && trust.instance.assurance };
        }

        @RequireTrust({ session: 'none', assurance: 'tee' })
        @Get('tee')
        tee(): object {
          return {};
        }
      }
      app = await start(
        { apps: [{ ...BANK, allowUnattested: false, attestation }] },
        { controllers: [GradedController] },
      );
      const device = app.device();
      const jwt = await issuer.issue({ sub: BANK.id, publicKey: device.key.jwk as never });
      await device.enrolled({ format: 'client-attestation', statement: { jwt } });
      const proofKey = await obtain(device);
      expect((await send(device, proofKey, { target: '/graded/software' })).json()).toEqual({ assurance: 'software' });
      expectSign(await send(device, proofKey, { target: '/graded/tee' }));
      expectAccepted(await device.send({ target: '/graded/tee' }));
    });

    it('are of no use to another instance', async () => {
      const { device, proofKey } = await started();
      const other = await app.device().enrolled();
      const kid = other.id + proofKey.kid.slice(43);
      expectRefusal(await send(other, { kid, key: proofKey.key }), 'bad_signature');
      const stolen = await send(device, proofKey, { claims: { nonce: other.nonce } });
      expectRefusal(stolen, 'use_tab_nonce');
    });
  });

  it('no known value is a MAC key', async () => {
    const { device, proofKey } = await started();
    const point = createECDH('prime256v1');
    point.generateKeys();
    for (const key of [
      Buffer.alloc(0),
      Buffer.alloc(32),
      Buffer.from(proofKey.kid),
      Buffer.from(device.id),
      Buffer.from(SECRET),
    ]) {
      expectRefusal(await send(device, { kid: proofKey.kid, key }), 'bad_signature');
      expectRefusal(await send(device, { kid: device.id, key }), 'unsupported_alg');
    }
  });

  it('nobody is told a key', async () => {
    const { device, proofKey } = await started();
    await send(device, proofKey);
    await send(device, { ...proofKey, key: Buffer.alloc(32) });
    const told = toldBy(app);
    for (const encoding of ['hex', 'base64', 'base64url'] as const)
      expect(told).not.toContain(proofKey.key.toString(encoding));
    expect(told).not.toContain(createHmac('sha256', proofKey.key).digest('base64url'));
    expect(told).not.toContain(proofKey.kid.slice(44));
  });
});
