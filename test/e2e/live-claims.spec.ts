import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startApp, type TestApp } from '../utils/http/app.js';
import type { Device } from '../utils/http/client.js';
import { expectAccepted, expectRefusal } from '../utils/http/expectations.js';
import { PLATFORMS } from '../utils/http/platforms.js';
import { OpenController } from './controllers.js';

const ONCE = { method: 'POST', target: '/open/once' };

describe.each(PLATFORMS)('live claims of one instance on $name', (platform) => {
  let app: TestApp;
  let device: Device;

  beforeEach(async () => {
    app = await startApp(platform, {
      controllers: [OpenController],
      tab: { limits: { enrolmentsPerMinute: 1_000, liveClaims: 3 } },
    });
    device = await app.device().enrolled();
  });
  afterEach(() => app.stop());

  const claims = (): number => app.nonces.calls.filter((name) => name === 'claim').length;

  it('are bounded: 429 with Retry-After, without a claim, until the old ones are over', async () => {
    for (let i = 0; i < 3; i++) expectAccepted(await device.send());
    const before = claims();
    for (let i = 0; i < 3; i++) {
      const refused = await device.send();
      expectRefusal(refused, 'rate_limited');
      expect(Number(refused.header('retry-after'))).toBeLessThanOrEqual(190);
    }
    expect(claims()).toBe(before);
    expectAccepted(await (await app.device().enrolled()).send());
    app.clock.advance(200);
    expectAccepted(await device.send());
  });

  it('are not those of somebody who has only seen the instance id', async () => {
    const other = await app.device().enrolled();
    for (let i = 0; i < 5; i++) expectRefusal(await device.send({ key: other.key }), 'bad_signature');
    for (let i = 0; i < 3; i++) expectAccepted(await device.send());
  });

  it('are not used up by a token that is sent again', async () => {
    const prepared = device.prepare();
    expectAccepted(await device.replay(prepared));
    for (let i = 0; i < 5; i++) expectRefusal(await device.replay(prepared), 'replayed_token');
    for (let i = 0; i < 2; i++) expectAccepted(await device.send());
    expectRefusal(await device.send(), 'rate_limited');
  });

  it('are two for a single-use route, its challenge and its token', async () => {
    expectAccepted(await device.send(ONCE));
    expectRefusal(await device.send(ONCE), 'rate_limited');
  });

  it('do not hide what was wrong before', async () => {
    for (let i = 0; i < 3; i++) expectAccepted(await device.send());
    expectRefusal(await device.send({ claims: { htm: 'PUT' } }), 'request_mismatch');
    expectRefusal(
      await device.send({ claims: { rt: { at: 1, found: [], clear: [], sdk: 'x/1' } } }),
      'insufficient_trust',
    );
  });
});
