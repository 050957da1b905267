import { androidRevocation } from 'nestjs-tab/attestation';
import { createAndroidAttestationCa, type AndroidAttestationRequest } from 'nestjs-tab/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { toldBy, type TestApp } from '../utils/http/app.js';
import { expectAccepted, expectRefusal } from '../utils/http/expectations.js';
import { createKey } from '../utils/http/keys.js';
import { PLATFORMS } from '../utils/http/platforms.js';
import {
  androidCall,
  bindingOf,
  createAuthorities,
  described,
  detailOf,
  expectRejected,
  expectSilent,
  serialsOf,
  startAttested,
  startStatusServer,
  storedOf,
  type StatusServer,
} from './attestation.harness.js';

/** KeyMint's numbers. */
const IMPORTED = 2;
const ENCRYPT = 0;
/** Largest bodies, unless an application says otherwise. */
const PARSER_LIMIT_KB = { express: 100, fastify: 1024 } as const;

describe.each(PLATFORMS)('an Android device on $name', (platform) => {
  const by = createAuthorities();
  const { clock, google } = by;
  let app: TestApp;

  beforeAll(async () => {
    app = await startAttested(platform, by, { android: { policy: { minOsPatchLevel: 202_503 } } });
  });
  afterAll(() => app.stop());

  it('enrols with a key that its hardware attests, over a challenge that cannot name the key yet', async () => {
    const device = app.device();
    const answer = await device.enrol(await androidCall(app, google, device));
    expect(answer.status).toBe(201);
    expect(answer.json()).toEqual({
      instanceId: device.id,
      assurance: 'tee',
      attestation: { format: 'android-key', at: clock.seconds, expiresAt: clock.seconds + 30 * 86_400 },
    });
    expectAccepted(await device.send({ target: '/attested' }));
    expectAccepted(await device.send({ target: '/attested/tee' }));
    expectRefusal(await device.send({ target: '/attested/strongbox' }), 'insufficient_trust');
    expect((await storedOf(app, device))?.attestationClaims).toMatchObject({
      keyBound: true,
      securityLevel: 'tee',
      verifiedBootState: 'VERIFIED',
      deviceLocked: true,
    });
  });

  it('enrols with a binding that names the key, where the key was there first', async () => {
    const device = app.device();
    const challenge = await device.challenge();
    const full = bindingOf(app, challenge, device.app.id, device.key.thumbprint);
    const call = await androidCall(app, google, device, { challenge: full });
    expect(described(await device.enrol({ ...call, challenge }))).toMatchObject({ status: 201, assurance: 'tee' });
    expectAccepted(await device.send({ target: '/attested/tee' }));
  });

  it('reaches strongbox by a key in a StrongBox', async () => {
    const device = app.device();
    await device.enrolled(await androidCall(app, google, device, { securityLevel: 'strongbox' }));
    expectAccepted(await device.send({ target: '/attested/tee' }));
    expectAccepted(await device.send({ target: '/attested/strongbox' }));
  });

  it('enrols with a chain that ends below the root', async () => {
    const device = app.device();
    const call = await androidCall(app, google, device, { includeRoot: false });
    expect(described(await device.enrol(call))).toMatchObject({ status: 201, assurance: 'tee' });
  });

  it('cannot make assertions, nor do without its hardware', async () => {
    const device = app.device();
    await device.enrolled(await androidCall(app, google, device));
    expectRefusal(await device.send({ target: '/attested/asserted' }), 'insufficient_trust');
    expect(detailOf(app)).toBe('instance cannot make assertions');
    const plain = await app.device().enrolled();
    expectRefusal(await plain.send({ target: '/attested' }), 'step_up_required');
    expectRefusal(await plain.send({ target: '/attested/tee' }), 'insufficient_trust');
  });

  const refused: readonly (readonly [title: string, check: string, change: Partial<AndroidAttestationRequest>])[] = [
    ['an unlocked boot loader', 'device-locked', { deviceLocked: false }],
    ['a system that was not verified', 'boot-state', { verifiedBootState: 'UNVERIFIED' }],
    ['a system of its own', 'boot-state', { verifiedBootState: 'SELF_SIGNED' }],
    ['a boot that failed', 'boot-state', { verifiedBootState: 'FAILED' }],
    ['no word on its boot', 'root-of-trust', { verifiedBootState: null }],
    ['another package', 'application', { packageName: 'com.example.bank.clone' }],
    ['the package, signed by somebody else', 'signing-certificate', { signatureDigest: 'cd'.repeat(32) }],
    ['no word on its app', 'application', { signatureDigest: null }],
    ['a key in software', 'security-level', { securityLevel: 'software' }],
    ['a key in software that a TEE attests', 'security-level', { keyMintSecurityLevel: 'software' }],
    ['an imported key', 'origin', { origin: IMPORTED }],
    ['a key that decrypts as well', 'key-use', { purpose: [ENCRYPT, 1, 2] }],
    ['an old patch level', 'patch-level', { osPatchLevel: 202_502 }],
    ['a made-up challenge', 'challenge', { challenge: Buffer.alloc(32, 7) }],
    ['no attestation in the leaf', 'attestation-extension', { extension: null }],
    ['an attestation that is no structure', 'key-description', { extension: Buffer.from('3000', 'hex') }],
  ];

  it.each(refused)('is refused with %s (%s)', async (_title, check, change) => {
    const device = app.device();
    const call = await androidCall(app, google, device, change);
    await expectRejected(app, device, call, check);
    expectSilent(toldBy(app), call.x5c);
    // What was refused without asking anybody spent nothing: the challenge is good for the honest key.
    const honest = await androidCall(app, google, device, { challenge: bindingOf(app, call.challenge, device.app.id) });
    expect((await device.enrol({ ...honest, challenge: call.challenge })).status).toBe(201);
  });

  it("is refused with somebody else's key", async () => {
    const [device, other] = [app.device(), createKey()];
    const call = await androidCall(app, google, device, { publicKey: other.jwk as never });
    await expectRejected(app, device, call, 'instance-key');
  });

  it('is refused under a root that nobody trusts', async () => {
    const device = app.device();
    const stranger = createAndroidAttestationCa({ clock: clock.read });
    await expectRejected(app, device, await androidCall(app, stranger, device), 'trust-anchor');
  });

  it('is refused with a good chain whose order, length or links are wrong', async () => {
    const device = app.device();
    const { x5c, ...call } = await androidCall(app, google, device);
    const [leaf = '', ...rest] = x5c;
    const chains = [
      [leaf],
      [...rest, leaf],
      rest,
      [leaf, ...rest.slice(1)],
      Array.from({ length: 30 }, () => leaf),
      [leaf, ...rest, leaf],
    ];
    for (const chain of chains) {
      expectRefusal(await device.enrol({ ...call, statement: { x5c: chain } }), 'attestation_rejected');
    }
    expect(await storedOf(app, device)).toBeUndefined();
    expect((await device.enrol({ ...call, statement: { x5c } })).status).toBe(201);
  });

  it.each([
    ['absent', undefined],
    ['a list', []],
    ['without x5c', {}],
    ['x5c of numbers', { x5c: [1, 2, 3] }],
    ['x5c of base64url', { x5c: ['-_-_', '-_-_'] }],
    ['x5c of something else', { x5c: ['AAAA', 'AAAA'] }],
    ['x5c of a deep nest', { x5c: [Buffer.alloc(4000, 0x30).toString('base64'), 'AAAA'] }],
    ['x5c of octets as JSON makes them', { x5c: [{ type: 'Buffer', data: [48, 0] }, 'AAAA'] }],
  ])('is refused with a statement that is %s', async (_title, statement) => {
    const device = app.device();
    expectRefusal(await device.enrol({ format: 'android-key', statement }), 'attestation_rejected');
    expect(await storedOf(app, device)).toBeUndefined();
  });

  it('cannot use evidence again: not the request, not the chain, not for another key, not as another app', async () => {
    const device = app.device();
    const call = await androidCall(app, google, device);
    await device.enrolled(call);
    expectRefusal(await device.enrol(call), 'use_tab_nonce');
    const thief = app.device();
    await expectRejected(app, thief, { ...call, challenge: await thief.challenge() }, 'challenge');
    // He overheard the challenge too, before it was used.
    const overheard = await androidCall(app, google, device);
    await expectRejected(app, thief, overheard, 'instance-key');
    const ios = app.device({ app: { id: 'com.example.bank.ios', ver: '2.1.0', platform: 'ios' } });
    expectRefusal(await ios.enrol(await androidCall(app, google, ios)), 'attestation_rejected');
    expect(detailOf(app)).toBe('format is not allowed for the app');
  });

  it('is bound to the origin, the challenge and the app', async () => {
    const device = app.device();
    const challenge = await device.challenge();
    const others = [
      bindingOf({ ...app, origin: 'https://evil.example' }, challenge, device.app.id),
      bindingOf(app, await device.challenge(), device.app.id),
      bindingOf(app, challenge, 'com.example.other'),
      bindingOf(app, challenge, device.app.id, createKey().thumbprint),
    ];
    for (const other of others) {
      await expectRejected(app, device, await androidCall(app, google, device, { challenge: other }), 'challenge');
    }
  });

  it.each([33, 64, 99, 128, 1024])('answers a body of %i KB with a refusal, and goes on', async (kilobytes) => {
    const device = app.device();
    const statement = { x5c: ['A'.repeat(kilobytes * 1024), 'AAAA'] };
    const answer = await device.enrol({ format: 'android-key', statement });
    // Above its own limit the parser of the framework answers, before anything of ours has seen the body.
    if (kilobytes < PARSER_LIMIT_KB[platform.name]) expectRefusal(answer, 'attestation_rejected');
    else expect(answer.status).toBe(413);
    expect(await storedOf(app, device)).toBeUndefined();
    expect((await device.enrol(await androidCall(app, google, device))).status).toBe(201);
  });

  it('counts until the attestation expires; since Android attests a key once, a new key comes then', async () => {
    const device = app.device();
    const call = await androidCall(app, google, device);
    await device.enrolled(call);
    clock.advance(30 * 86_400);
    // Any refusal of a verified signature past the life of a challenge brings a new one.
    expectRefusal(await device.send({ target: '/attested/tee' }), 'use_tab_nonce');
    const stepUp = await device.send({ target: '/attested/tee' });
    expectRefusal(stepUp, 'step_up_required');
    expect(stepUp.header('www-authenticate')).toContain('requirement="attestation"');
    expectRefusal(await device.enrol({ ...call, challenge: await device.challenge() }), 'attestation_rejected');
    expect(detailOf(app)).toMatch(/^challenge: /);
    const authority = createAndroidAttestationCa({ clock: clock.read });
    const later = await startAttested(platform, { ...by, google: authority });
    const next = later.device();
    expect((await next.enrol(await androidCall(later, authority, next))).status).toBe(201);
    expectAccepted(await next.send({ target: '/attested/tee' }));
    await later.stop();
  });
});

describe.each(PLATFORMS)('withdrawn Android certificates on $name', (platform) => {
  const by = createAuthorities();
  const { google } = by;
  let status: StatusServer;
  let app: TestApp;
  let warnings: string[];

  async function start(onUnavailable: 'closed' | 'open' = 'closed'): Promise<void> {
    const onWarning = (message: string) => void warnings.push(message);
    const revocation = androidRevocation({ url: status.url, clock: by.clock.read, onUnavailable, onWarning });
    app = await startAttested(platform, by, { android: { revocation } });
  }
  beforeEach(async () => {
    warnings = [];
    status = await startStatusServer();
  });
  afterEach(() => Promise.all([app.stop(), status.stop()]));

  it.each([
    ['the leaf', 0, 'REVOKED', (serial: string) => serial],
    ['the device', 1, 'REVOKED', (serial: string) => serial],
    ['an authority', 2, 'SUSPENDED', (serial: string) => serial],
    ['the device, in decimal', 1, 'REVOKED', (serial: string) => BigInt(`0x${serial}`).toString()],
    ['the device, in capitals', 1, 'REVOKED', (serial: string) => serial.toUpperCase()],
  ])('%s: refused, nothing is stored', async (_title, index, word, spell) => {
    await start();
    const device = app.device();
    const call = await androidCall(app, google, device);
    status.entries = { [spell(serialsOf(call.x5c)[index] ?? '')]: { status: word } };
    expectRefusal(await device.enrol(call), 'attestation_rejected');
    expect(detailOf(app)).toMatch(/^revoked: /);
    expect(app.bindings.calls.filter((name) => name !== 'load')).toEqual([]);
    expect(await storedOf(app, device)).toBeUndefined();
    // It took a call, so the challenge is spent: nobody makes this server call Google for nothing.
    expectRefusal(await device.enrol(call), 'use_tab_nonce');
    expect(status.calls).toBe(1);
  });

  it('others pass, and the list is asked for once', async () => {
    status.entries = { c0ffee: { status: 'REVOKED' } };
    await start();
    for (const device of [app.device(), app.device(), app.device()]) {
      expect((await device.enrol(await androidCall(app, google, device))).status).toBe(201);
    }
    expect(status.calls).toBe(1);
    expect(warnings).toEqual([]);
  });

  it('a list that cannot be had: refused, loudly, until it can', async () => {
    status.entries = undefined;
    await start();
    const device = app.device();
    expectRefusal(await device.enrol(await androidCall(app, google, device)), 'store_unavailable');
    expect(await storedOf(app, device)).toBeUndefined();
    expect(app.bindings.calls.filter((name) => name !== 'load')).toEqual([]);
    expect(warnings).toHaveLength(1);
    status.entries = {};
    by.clock.advance(10);
    expect((await device.enrol(await androidCall(app, google, device))).status).toBe(201);
  });

  it('a list that cannot be had, where that was chosen: passes, and every time it is told', async () => {
    status.entries = undefined;
    await start('open');
    for (const device of [app.device(), app.device()]) {
      expect((await device.enrol(await androidCall(app, google, device))).status).toBe(201);
      expectAccepted(await device.send({ target: '/attested/tee' }));
    }
    expect(warnings.filter((warning) => warning.includes('let through without it'))).toHaveLength(2);
    expect(status.calls).toBe(1);
  });

  it('a list that cannot be had asks nothing of evidence that is refused anyway', async () => {
    status.entries = undefined;
    await start();
    const device = app.device();
    await expectRejected(app, device, await androidCall(app, google, device, { deviceLocked: false }), 'device-locked');
    expect(status.calls).toBe(0);
  });
});
