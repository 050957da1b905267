import { TabInstances } from 'nestjs-tab';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BANK, startApp, toldBy, writesOf, type TestApp } from '../utils/http/app.js';
import type { Device, EnrolCall } from '../utils/http/client.js';
import { expectAccepted, expectRefusal } from '../utils/http/expectations.js';
import { createKey, type Alg } from '../utils/http/keys.js';
import { PLATFORMS } from '../utils/http/platforms.js';
import { OpenController, SessionController } from './controllers.js';

const OTHER = { id: 'com.example.other', platform: 'ios', allowUnattested: true } as const;

function nested(depth: number): unknown {
  return depth === 0 ? 0 : [nested(depth - 1)];
}

const BAD: readonly (readonly [title: string, call: EnrolCall | ((device: Device) => EnrolCall), code: string])[] = [
  ['without a token', { tokens: () => [] }, 'missing_token'],
  ['with a token twice', { tokens: (t) => [t, t] }, 'malformed_token'],
  ['with the typ of requests', { header: { typ: 'tab+jwt' } }, 'malformed_token'],
  ['with a kid instead of the key', (d) => ({ header: { jwk: undefined, kid: d.id } }), 'malformed_token'],
  ['with a key that is a text', { header: { jwk: 'x' } }, 'malformed_token'],
  ['with crit', { header: { crit: ['jwk'] } }, 'malformed_token'],
  ['with x5c beside the key', { header: { x5c: [] } }, 'malformed_token'],
  ['with a private key', (d) => ({ header: { jwk: { ...d.key.jwk, d: 'A'.repeat(43) } } }), 'malformed_token'],
  ['with a symmetric key', { header: { jwk: { kty: 'oct', k: 'AAAA' } } }, 'malformed_token'],
  [
    'with a point that is not on the curve',
    (d) => ({ header: { jwk: { ...d.key.jwk, y: d.key.jwk['x'] } } }),
    'malformed_token',
  ],
  [
    'with a short coordinate',
    (d) => ({ header: { jwk: { ...d.key.jwk, x: d.key.jwk['x']?.slice(0, 42) } } }),
    'malformed_token',
  ],
  [
    'with a padded coordinate',
    (d) => ({ header: { jwk: { ...d.key.jwk, x: `${d.key.jwk['x']}=` } } }),
    'malformed_token',
  ],
  ['with a secp256k1 key', (d) => ({ header: { jwk: { ...d.key.jwk, crv: 'secp256k1' } } }), 'malformed_token'],
  ['with alg none', { header: { alg: 'none' } }, 'unsupported_alg'],
  ['with HS256', { header: { alg: 'HS256' } }, 'unsupported_alg'],
  ['with an alg for another type of key', { header: { alg: 'ES384' } }, 'unsupported_alg'],
  ['signed by another key', { key: createKey() }, 'bad_signature'],
  ['with a stale token', (d) => ({ claims: { iat: d.now + 100 } }), 'stale_token'],
  ['without a challenge', { claims: { nonce: undefined } }, 'use_tab_nonce'],
  ['with a forged challenge', { challenge: 'A'.repeat(64) }, 'use_tab_nonce'],
  ['for another target', { claims: { htu: 'https://evil.example/tab/instances' } }, 'request_mismatch'],
  ['for another method', { claims: { htm: 'PUT' } }, 'request_mismatch'],
  ['with a query that was not signed', { wire: { target: '/tab/instances?x=1' } }, 'request_mismatch'],
  ['without bh', { claims: { bh: undefined, ct: undefined } }, 'request_mismatch'],
  [
    'with another body than was signed',
    {
      wire: {
        body: Buffer.from(
          '{"app":{"id":"com.example.bank","ver":"2.1.0","platform":"android"},"attestation":{"format":"none"}} ',
        ),
      },
    },
    'request_mismatch',
  ],
  ['with another app in the token', { claims: { app: { id: OTHER.id, ver: '2.1.0' } } }, 'request_mismatch'],
  ['with another version in the token', { claims: { app: { id: BANK.id, ver: '2.1.1' } } }, 'request_mismatch'],
  [
    'of an unknown app',
    {
      body: { app: { id: 'nobody', ver: '1.0.0', platform: 'android' } },
      claims: { app: { id: 'nobody', ver: '1.0.0' } },
    },
    'attestation_rejected',
  ],
  ['on another platform', { body: { app: { id: BANK.id, ver: '2.1.0', platform: 'ios' } } }, 'attestation_rejected'],
  ['without a platform', { body: { app: { id: BANK.id, ver: '2.1.0' } } }, 'attestation_rejected'],
  ['in an unknown format', { format: 'telepathy' }, 'attestation_rejected'],
  ['in a format that the app does not use', { format: 'android-key', statement: { x5c: [] } }, 'attestation_rejected'],
  ['in a format that is no name', { format: '__proto__' }, 'attestation_rejected'],
  ['without an attestation', { body: { attestation: undefined } }, 'attestation_rejected'],
  ['with a body above 32 KiB', { body: { pad: 'x'.repeat(33_000) } }, 'attestation_rejected'],
  ['with a body nested too deep', { body: { pad: nested(17) } }, 'attestation_rejected'],
];

describe.each(PLATFORMS)('enrolment on $name', (platform) => {
  let app: TestApp;
  const apps = [BANK, OTHER];

  beforeAll(async () => {
    const algorithms: readonly Alg[] = ['ES384', 'EdDSA', 'PS256', 'RS256'];
    app = await startApp(platform, { controllers: [OpenController, SessionController], tab: { apps, algorithms } });
  });
  afterAll(() => app.stop());

  it('of a new key is 201, of a known one 200, with the same shape', async () => {
    const device = app.device();
    const first = await device.enrol();
    const expected = {
      instanceId: device.id,
      assurance: 'none',
      attestation: { format: 'none', at: app.clock.seconds, expiresAt: app.clock.seconds },
    };
    expect(first.status).toBe(201);
    expect(first.header('content-type')).toMatch(/^application\/json/);
    expect(first.header('cache-control')).toBe('no-store');
    expect(first.header('tab-nonce')).toMatch(/^[A-Za-z0-9._-]{22,256}$/);
    expect(first.json()).toEqual(expected);
    app.clock.advance(10);
    const second = await device.enrol();
    expect(second.status).toBe(200);
    expect(second.json()).toEqual(expected);
  });

  it.each(['ES256', 'ES384', 'EdDSA', 'PS256', 'RS256'] as const)(
    'takes keys for %s, whose tokens are then good',
    async (alg) => {
      const device = await app.device({ alg }).enrolled();
      expectAccepted(await device.send());
      const other = createKey(alg);
      expectRefusal(await device.send({ key: other }), 'bad_signature');
    },
  );

  it('ignores alg, use, key_ops and kid of the key', async () => {
    const device = app.device();
    const jwk = { kid: 'my key', use: 'sig', alg: 'ES256', key_ops: ['verify'], ...device.key.jwk };
    expect((await device.enrol({ header: { jwk } })).json()['instanceId']).toBe(device.id);
  });

  it.each(BAD)('%s is refused and changes nothing', async (_title, call, code) => {
    const device = app.device();
    const before = writesOf(app);
    expectRefusal(await device.enrol(typeof call === 'function' ? call(device) : call), code);
    expect(writesOf(app)).toEqual(before);
    expectRefusal(await device.send({ claims: { nonce: undefined } }), 'use_tab_nonce');
    expectRefusal(await device.send(), 'unknown_instance');
  });

  it('that was refused before its challenge was spent may use it again', async () => {
    const device = app.device();
    const challenge = await device.challenge();
    expectRefusal(await device.enrol({ challenge, format: 'telepathy' }), 'attestation_rejected');
    expectRefusal(await device.enrol({ challenge, key: createKey() }), 'bad_signature');
    expect((await device.enrol({ challenge })).status).toBe(201);
  });

  it('spends its challenge', async () => {
    const challenge = await app.device().challenge();
    expect((await app.device().enrol({ challenge })).status).toBe(201);
    expectRefusal(await app.device().enrol({ challenge }), 'use_tab_nonce');
  });

  it('of many at once over one challenge succeeds once', async () => {
    const challenge = await app.device().challenge();
    const answers = await Promise.all(Array.from({ length: 10 }, () => app.device().enrol({ challenge })));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter((answer) => answer.header('tab-error') === 'use_tab_nonce')).toHaveLength(9);
  });

  it('of one key many times at once leaves one instance', async () => {
    const device = app.device();
    const answers = await Promise.all(Array.from({ length: 8 }, () => device.enrol()));
    expect(answers.map(({ status }) => String(status)).sort()).toEqual([...Array<string>(7).fill('200'), '201']);
  });

  it('ends with its challenge', async () => {
    const challenge = await app.device().challenge();
    app.clock.advance(300);
    expectRefusal(await app.device().enrol({ challenge }), 'use_tab_nonce');
  });

  it('does not move a key to another app', async () => {
    const device = await app.device().enrolled();
    const moved = app.device({ key: device.key, app: { id: OTHER.id, ver: '1.0.0', platform: OTHER.platform } });
    expectRefusal(await moved.enrol(), 'attestation_rejected');
    expectAccepted(await device.send());
  });

  it('does not change the algorithm of a key', async () => {
    const device = await app.device({ alg: 'PS256' }).enrolled();
    const changed = app.device({ key: { ...device.key, alg: 'RS256' } });
    expectRefusal(await changed.enrol(), 'unsupported_alg');
    changed.nonce = device.nonce;
    expectRefusal(await changed.send(), 'unsupported_alg');
    expectAccepted(await device.send());
  });

  it('of a revoked key is refused for ever, and so is everything that it signs', async () => {
    const device = await app.device().enrolled();
    expectAccepted(await device.send());
    await app.nest.get(TabInstances, { strict: false }).revoke(device.id, 'lost');
    expectRefusal(await device.send(), 'instance_revoked');
    expectRefusal(await device.enrol(), 'instance_revoked');
    app.clock.advance(1_000_000);
    expectRefusal(await device.enrol(), 'instance_revoked');
  });

  it('is ended by the client itself, with its sessions', async () => {
    const device = await app.device().enrolled();
    const credential = 'access of a device that retires';
    const started = await device.send({
      method: 'POST',
      target: '/session',
      body: JSON.stringify({ subject: 'anna', credential }),
    });
    const sid = started.header('tab-session')?.split(';')[0];
    expectAccepted(await device.send({ target: '/session', sid, credential }));
    expectRefusal(await device.retire({ claims: { htm: 'POST' } }), 'request_mismatch');
    const prepared = device.prepare({ method: 'DELETE', target: '/tab/instances/self' });
    const answer = await device.replay(prepared);
    expect(answer.status).toBe(204);
    expect(answer.body).toHaveLength(0);
    expectRefusal(await device.replay(prepared), 'instance_revoked');
    expectRefusal(await device.send({ target: '/session', sid, credential }), 'instance_revoked');
    expectRefusal(await device.enrol(), 'instance_revoked');
  });

  it('leaves no token and no challenge in any log or record', async () => {
    const device = app.device();
    const challenge = await device.challenge();
    await device.enrol({ challenge, format: 'telepathy' });
    await device.enrol({ challenge });
    expect(toldBy(app)).not.toContain(challenge);
    expect(toldBy(app)).not.toContain(device.key.jwk['x']);
  });
});
