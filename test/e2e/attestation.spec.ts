import { Controller, Get } from '@nestjs/common';
import { RequireTrust } from 'nestjs-tab';
import { clientAttestation } from 'nestjs-tab/attestation';
import { createAttestationIssuer } from 'nestjs-tab/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BANK, FrozenClock, startApp, toldBy, type TestApp } from '../utils/http/app.js';
import type { Device, EnrolCall } from '../utils/http/client.js';
import { expectAccepted, expectRefusal } from '../utils/http/expectations.js';
import { createKey } from '../utils/http/keys.js';
import { PLATFORMS } from '../utils/http/platforms.js';
import { OpenController } from './controllers.js';

@Controller('attested')
class AttestedController {
  @RequireTrust({ session: 'none', assurance: 'software' })
  @Get()
  read(): object {
    return { handler: 'attested' };
  }

  @RequireTrust({ session: 'none', assurance: 'tee' })
  @Get('tee')
  hardware(): object {
    return { handler: 'tee' };
  }
}

describe.each(PLATFORMS)('attested enrolment on $name', (platform) => {
  const clock = new FrozenClock();
  const strong = createAttestationIssuer({ iss: 'https://strong.example', clock: () => clock.seconds });
  const weak = createAttestationIssuer({ iss: 'https://weak.example', clock: () => clock.seconds });
  let app: TestApp;

  beforeAll(async () => {
    const attestation = [
      clientAttestation({
        issuers: [
          { iss: 'https://strong.example', jwks: strong.jwks, assurance: 'tee' },
          { iss: 'https://weak.example', jwks: weak.jwks },
        ],
      }),
    ];
    app = await startApp(platform, {
      clock,
      controllers: [AttestedController, OpenController],
      tab: { apps: [{ ...BANK, attestation, suspendOn: ['hooking'] }] },
    });
  });
  afterAll(() => app.stop());

  type Issue = Partial<Parameters<typeof strong.issue>[0]>;

  async function statement(device: Device, issue: Issue = {}, issuer = strong): Promise<EnrolCall> {
    const jwt = await issuer.issue({ sub: BANK.id, publicKey: device.key.jwk, ...issue });
    return { format: 'client-attestation', statement: { jwt } };
  }

  it('reaches what its issuer vouches for', async () => {
    const device = app.device();
    const answer = await device.enrol(await statement(device, { expiresIn: 600 }));
    expect(answer.status).toBe(201);
    expect(answer.json()).toEqual({
      instanceId: device.id,
      assurance: 'tee',
      attestation: { format: 'client-attestation', at: clock.seconds, expiresAt: clock.seconds + 600 },
    });
    expectAccepted(await device.send({ target: '/attested' }));
    expectAccepted(await device.send({ target: '/attested/tee' }));
    const software = app.device();
    await software.enrolled(await statement(software, {}, weak));
    expectAccepted(await software.send({ target: '/attested' }));
    expectRefusal(await software.send({ target: '/attested/tee' }), 'insufficient_trust');
    expectRefusal(await (await app.device().enrolled()).send({ target: '/attested' }), 'insufficient_trust');
  });

  it('counts until it expires, and is renewed by the same key', async () => {
    const device = app.device();
    await device.enrolled(await statement(device, { expiresIn: 120 }));
    clock.advance(119);
    expectAccepted(await device.send({ target: '/attested' }));
    clock.advance(1);
    const stepUp = await device.send({ target: '/attested' });
    expectRefusal(stepUp, 'step_up_required');
    expect(stepUp.header('www-authenticate')).toBe('TAB error="step_up_required", requirement="attestation"');
    expectAccepted(await device.send());
    const renewed = await device.enrol(await statement(device));
    expect(renewed.status).toBe(200);
    expectAccepted(await device.send({ target: '/attested' }));
  });

  it('is not lowered', async () => {
    const device = app.device();
    await device.enrolled(await statement(device));
    expectRefusal(await device.enrol(), 'attestation_rejected');
    expectRefusal(await device.enrol(await statement(device, {}, weak)), 'attestation_rejected');
    expectAccepted(await device.send({ target: '/attested/tee' }));
  });

  it('raises an unattested key', async () => {
    const device = await app.device().enrolled();
    expect((await device.enrol(await statement(device, {}, weak))).status).toBe(200);
    expect((await device.enrol(await statement(device))).json()['assurance']).toBe('tee');
    expectAccepted(await device.send({ target: '/attested/tee' }));
  });

  it.each([
    ['of another key', { publicKey: createKey().jwk as never }],
    ['of another app', { sub: 'com.example.other' }],
    ['that has expired', { expiresIn: -1 }],
    ['with a private key in it', { publicKey: { ...createKey().jwk, d: 'x' } as never }],
    ['of another typ', { header: { typ: 'JWT' } }],
    ['for somebody else', { claims: { aud: 'https://other.example' } }],
    ['by an unknown issuer', { claims: { iss: 'https://evil.example' } }],
  ])('is refused with an attestation %s', async (_title, issue) => {
    const device = app.device();
    expectRefusal(await device.enrol(await statement(device, issue)), 'attestation_rejected');
    expect((await device.enrol()).status).toBe(201);
  });

  it.each([
    ['absent', undefined],
    ['a text', 'x'],
    ['empty', {}],
    ['no JWT', { jwt: 'x' }],
    ['a number', { jwt: 1 }],
  ])('is refused with a statement that is %s', async (_title, bad) => {
    expectRefusal(await app.device().enrol({ format: 'client-attestation', statement: bad }), 'attestation_rejected');
  });

  it('is refused with an attestation that somebody else signed', async () => {
    const device = app.device();
    const forger = createAttestationIssuer({
      iss: 'https://strong.example',
      clock: () => clock.seconds,
      kid: strong.jwks.keys[0]?.kid,
    });
    expectRefusal(await device.enrol(await statement(device, {}, forger)), 'attestation_rejected');
  });

  it('ends a suspension only with new, clean and attested evidence', async () => {
    const device = app.device();
    await device.enrolled(await statement(device));
    const early = await device.challenge();
    clock.advance(5);
    const hooked = { rt: { at: device.now, found: ['hooking'], clear: [], sdk: 'x/1' } };
    expectRefusal(await device.send({ claims: hooked }), 'insufficient_trust');
    const suspendedAt = device.now;
    expectRefusal(await device.send(), 'instance_suspended');
    clock.advance(5);
    const attested = await statement(device);
    const clean = { at: device.now, found: [], clear: ['hooking'], sdk: 'x/1' };
    expectRefusal(await device.enrol(), 'instance_suspended');
    expectRefusal(await device.enrol({ ...attested, challenge: early }), 'instance_suspended');
    expectRefusal(
      await device.enrol({ ...attested, claims: { rt: { ...clean, at: suspendedAt } } }),
      'instance_suspended',
    );
    expectRefusal(
      await device.enrol({ ...attested, claims: { rt: { ...clean, clear: ['root'] } } }),
      'instance_suspended',
    );
    expectRefusal(
      await device.enrol({ ...(await statement(device, {}, weak)), claims: { rt: clean } }),
      'attestation_rejected',
    );
    expectRefusal(await device.send(), 'instance_suspended');
    expect((await device.enrol({ ...attested, claims: { rt: clean } })).status).toBe(200);
    expectAccepted(await device.send({ target: '/attested/tee' }));
  });

  it('is not suspended again by a replayed report of the old breach', async () => {
    const device = app.device();
    await device.enrolled(await statement(device));
    const report = device.prepare({ claims: { rt: { at: device.now, found: ['hooking'], clear: [], sdk: 'x/1' } } });
    expectRefusal(await device.replay(report), 'insufficient_trust');
    clock.advance(2);
    const rt = { at: device.now, found: [], clear: ['hooking'], sdk: 'x/1' };
    await device.enrolled({ ...(await statement(device)), claims: { rt } });
    expectRefusal(await device.replay(report), 'insufficient_trust');
    expectAccepted(await device.send());
  });

  it('leaves no attestation in any log or record', async () => {
    const device = app.device();
    const call = await statement(device, { sub: 'com.example.other' });
    await device.enrol(call);
    const [, payload = '', mac = ''] = (call.statement as { jwt: string }).jwt.split('.');
    expect(toldBy(app)).not.toContain(payload);
    expect(toldBy(app)).not.toContain(mac);
  });
});
