import { Controller, HttpCode, Post } from '@nestjs/common';
import { RequireTrust, Trust, type TrustContext } from 'nestjs-tab';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BANK, startApp, type TestApp } from '../utils/http/app.js';
import type { Call, Device } from '../utils/http/client.js';
import { expectAccepted, expectRefusal } from '../utils/http/expectations.js';
import { PLATFORMS } from '../utils/http/platforms.js';
import { SessionController } from './controllers.js';

@Controller('monitored')
class MonitoredController {
  @RequireTrust({ session: 'none' })
  @Post()
  @HttpCode(200)
  read(@Trust() trust: TrustContext): object {
    return { trust };
  }
}

describe.each(PLATFORMS)('monitor mode on $name', (platform) => {
  let app: TestApp;
  let device: Device;

  beforeAll(async () => {
    app = await startApp(platform, {
      controllers: [MonitoredController, SessionController],
      tab: { mode: 'monitor', apps: [{ ...BANK, suspendOn: ['root'] }] },
    });
    device = await app.device().enrolled();
  });
  afterAll(() => app.stop());

  const send = (call: Call = {}) => device.send({ method: 'POST', target: '/monitored', ...call });

  it('lets good requests through as ever', async () => {
    const answer = await send();
    expectAccepted(answer);
    expect(answer.header('tab-monitor')).toBeUndefined();
    expect(answer.json()['trust']).toMatchObject({ verified: true, instance: { id: device.id } });
  });

  it.each([
    ['missing_token', { tokens: () => [] }],
    ['malformed_token', { tokens: () => ['x'] }],
    ['request_mismatch', { claims: { htm: 'PUT' } }],
    ['insufficient_trust', { claims: { rt: { at: 0, found: [], clear: [], sdk: 'x' } } }],
    ['stale_token', { claims: { iat: 7, rt: { at: 0, found: [], clear: [], sdk: 'x' } } }],
    ['use_tab_nonce', { claims: { nonce: undefined } }],
  ] as const)('lets through what would be refused with %s, marked', async (code, call) => {
    const answer = await send(call);
    expect(answer.status).toBe(200);
    expect(answer.header('tab-monitor')).toBe(code);
    expect(answer.header('tab-error')).toBeUndefined();
    expect(answer.header('www-authenticate')).toBeUndefined();
    const record = app.decisions.at(-1);
    expect(record).toMatchObject({ code, outcome: 'refused', enforced: false });
    expect(answer.json()['trust']).toEqual({ verified: false, code, decision: record?.id });
    expect(answer.header('tab-nonce') !== undefined).toBe(code === 'use_tab_nonce');
    expect(answer.header('tab-skew')).toBe(code === 'stale_token' ? String(device.now - 7) : undefined);
  });

  it('marks a replay', async () => {
    const prepared = device.prepare({ method: 'POST', target: '/monitored' });
    expect((await device.replay(prepared)).header('tab-monitor')).toBeUndefined();
    expect((await device.replay(prepared)).header('tab-monitor')).toBe('replayed_token');
  });

  it('suspends nobody', async () => {
    const found = await send({ claims: { rt: { at: device.now, found: ['root'], clear: [], sdk: 'x/1' } } });
    expect(found.header('tab-monitor')).toBe('insufficient_trust');
    expect((await send()).header('tab-monitor')).toBeUndefined();
  });

  it('starts no session in a request that was not verified', async () => {
    const body = JSON.stringify({ subject: 'anna', credential: 'access-monitor' });
    const start: Call = { method: 'POST', target: '/session', body };
    const refused = await device.send({ ...start, claims: { nonce: undefined } });
    expectRefusal(refused, 'use_tab_nonce');
    expect(refused.header('tab-session')).toBeUndefined();
    expectAccepted(await device.send(start));
    expect(app.bindings.calls.filter((name) => name === 'bind')).toHaveLength(1);
  });

  it('enforces enrolment', async () => {
    const stranger = app.device();
    expectRefusal(await stranger.enrol({ challenge: 'A'.repeat(64) }), 'use_tab_nonce');
    expectRefusal(await stranger.enrol({ format: 'jwt' }), 'attestation_rejected');
  });

  it('enforces retirement', async () => {
    expectRefusal(await device.retire({ tokens: () => [] }), 'missing_token');
  });
});
