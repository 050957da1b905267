import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryStores, TabInstances, type TabStoresFactory } from 'nestjs-tab';
import { createAppleAttestationCa, type AppleDevice, type AppleDeviceOptions } from 'nestjs-tab/testing';
import { TAB_ENTITIES, TAB_MIGRATIONS, typeOrmStores } from 'nestjs-tab/typeorm';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toldBy, type TestApp } from '../utils/http/app.js';
import type { Device } from '../utils/http/client.js';
import { expectAccepted, expectRefusal } from '../utils/http/expectations.js';
import { PLATFORMS } from '../utils/http/platforms.js';
import {
  APP_ID,
  appleCall,
  asserted,
  assertedBy,
  bindingOf,
  createAuthorities,
  described,
  detailOf,
  expectRejected,
  expectSilent,
  IOS_APP,
  renewalCall,
  startAttested,
  storedOf,
  tokenHash,
  type Authorities,
} from './attestation.harness.js';
import { sqliteDriver } from '../../sample/bank/database/sqlite-driver.js';

const PRODUCTION = { appId: APP_ID, environment: 'production' } as const;

/** An iPhone with the instance key of the app on it. */
interface IPhone {
  readonly phone: AppleDevice;
  readonly device: Device;
}

function unpacked(app: TestApp, by: Authorities, options: Partial<AppleDeviceOptions> = {}): IPhone {
  return { phone: by.apple.createDevice({ ...PRODUCTION, ...options }), device: app.device({ app: IOS_APP }) };
}

/** One that has enrolled and holds a challenge for requests. */
async function enrolled(app: TestApp, by: Authorities): Promise<IPhone> {
  const { phone, device } = unpacked(app, by);
  await device.enrolled(await appleCall(app, phone, device));
  return { phone, device };
}

async function counterOf(app: TestApp, device: Device): Promise<unknown> {
  return (await storedOf(app, device))?.attestationClaims['assertionCounter'];
}

describe.each(PLATFORMS)('an iPhone on $name', (platform) => {
  const by = createAuthorities();
  const { clock } = by;
  let app: TestApp;

  beforeAll(async () => {
    app = await startAttested(platform, by);
  });
  afterAll(() => app.stop());

  it('enrols with an attestation over the binding of its instance key', async () => {
    const { phone, device } = unpacked(app, by);
    const answer = await device.enrol(await appleCall(app, phone, device));
    expect(described(answer)).toEqual({ status: 201, assurance: 'software', format: 'apple-appattest' });
    expectAccepted(await device.send({ target: '/attested' }));
    // The key that signs requests is not the one that Apple attests.
    expectRefusal(await device.send({ target: '/attested/tee' }), 'insufficient_trust');
    expect((await storedOf(app, device))?.attestationClaims).toMatchObject({
      keyId: phone.keyId,
      appId: APP_ID,
      environment: 'production',
      keyBound: true,
    });
  });

  it.each([true, false])('enrols from iOS 27 on, extension flag %s', async (extensionFlag) => {
    const { phone, device } = unpacked(app, by, { validationCategory: 4, bundleVersion: '210', extensionFlag });
    await device.enrolled(await appleCall(app, phone, device));
    expect((await storedOf(app, device))?.attestationClaims).toMatchObject({
      validationCategory: 4,
      bundleVersion: '210',
    });
    expectAccepted(await device.replay(assertedBy(device, phone)));
  });

  const refused: readonly (readonly [title: string, check: string, options: Partial<AppleDeviceOptions>])[] = [
    ['a development build', 'environment', { environment: 'development' }],
    ['another app', 'app-id', { appId: 'ABCDE12345.com.example.clone' }],
    ['the app of another team', 'app-id', { appId: 'ZZZZZ99999.com.example.bank' }],
  ];

  it.each(refused)('is refused with %s (%s)', async (_title, check, options) => {
    const { phone, device } = unpacked(app, by, options);
    const call = await appleCall(app, phone, device);
    await expectRejected(app, device, call, check);
    expectSilent(toldBy(app), [String(Object.values(call.statement)[1])]);
    const honest = by.apple.createDevice(PRODUCTION);
    const again = {
      keyId: honest.keyId,
      attestationObject: honest.attest(bindingOf(app, call.challenge, device.app.id, device.id)).toString('base64'),
    };
    expect((await device.enrol({ ...call, statement: again })).status).toBe(201);
  });

  it('is refused under a root that nobody trusts', async () => {
    const stranger = createAppleAttestationCa({ clock: () => clock.seconds });
    const { phone, device } = unpacked(app, { ...by, apple: stranger });
    await expectRejected(app, device, await appleCall(app, phone, device), 'trust-anchor');
  });

  it('is refused with a certificate that has expired', async () => {
    const { phone, device } = unpacked(app, by);
    const old = createAppleAttestationCa({ clock: () => clock.seconds - 3 * 86_400 });
    const then = await startAttested(platform, { ...by, apple: old });
    const late = unpacked(then, { ...by, apple: old });
    await expectRejected(then, late.device, await appleCall(then, late.phone, late.device), 'validity');
    await then.stop();
    expect((await device.enrol(await appleCall(app, phone, device))).status).toBe(201);
  });

  it('cannot use evidence again: not the request, not the object, not for another key, not another key id', async () => {
    const { phone, device } = unpacked(app, by);
    const call = await appleCall(app, phone, device);
    await device.enrolled(call);
    expectRefusal(await device.enrol(call), 'use_tab_nonce');
    const thief = app.device({ app: IOS_APP });
    await expectRejected(app, thief, { ...call, challenge: await thief.challenge() }, 'nonce');
    // He overheard it before it was used: it covers the thumbprint of a key that he has not.
    const overheard = await appleCall(app, by.apple.createDevice(PRODUCTION), device);
    await expectRejected(app, thief, overheard, 'nonce');
    const other = by.apple.createDevice(PRODUCTION).keyId;
    const mixed = await appleCall(app, phone, thief);
    await expectRejected(app, thief, { ...mixed, statement: { ...mixed.statement, keyId: other } }, 'key-id');
    const android = app.device();
    expectRefusal(await android.enrol(await appleCall(app, phone, android)), 'attestation_rejected');
    expect(detailOf(app)).toBe('format is not allowed for the app');
  });

  it.each([
    ['absent', undefined],
    ['empty', {}],
    ['of numbers', { keyId: 1, attestationObject: 2 }],
    [
      'both an attestation and an assertion',
      { keyId: 'A'.repeat(43) + '=', attestationObject: 'AA==', assertion: 'AA==' },
    ],
    ['no CBOR', { keyId: 'A'.repeat(43) + '=', attestationObject: 'AA==' }],
    [
      'CBOR that nests',
      { keyId: 'A'.repeat(43) + '=', attestationObject: Buffer.alloc(20_000, 0x81).toString('base64') },
    ],
    ['CBOR of huge lengths', { keyId: 'A'.repeat(43) + '=', attestationObject: '/////////////////////w==' }],
  ])('is refused with a statement that is %s', async (_title, statement) => {
    const { device } = unpacked(app, by);
    expectRefusal(await device.enrol({ format: 'apple-appattest', statement }), 'attestation_rejected');
    expect(await storedOf(app, device)).toBeUndefined();
  });

  it.each([33, 64, 99])('answers an attestation object of %i KB with a refusal, and goes on', async (kilobytes) => {
    const { phone, device } = unpacked(app, by);
    const statement = { keyId: phone.keyId, attestationObject: 'A'.repeat(kilobytes * 1024) };
    expectRefusal(await device.enrol({ format: 'apple-appattest', statement }), 'attestation_rejected');
    expect(detailOf(app)).toBe('body is too large');
    expect((await device.enrol(await appleCall(app, phone, device))).status).toBe(201);
  });

  it('is refused where the app may only be installed in another way', async () => {
    const store = await startAttested(platform, by, { ios: { validationCategories: [4] } });
    const testFlight = unpacked(store, by, { validationCategory: 2 });
    const silent = unpacked(store, by);
    for (const { phone, device } of [testFlight, silent]) {
      await expectRejected(store, device, await appleCall(store, phone, device), 'validation-category');
    }
    const { phone, device } = unpacked(store, by, { validationCategory: 4 });
    expect((await device.enrol(await appleCall(store, phone, device))).status).toBe(201);
    await store.stop();
  });

  it('is renewed by an assertion of the same key, once', async () => {
    const { phone, device } = await enrolled(app, by);
    expectAccepted(await device.replay(assertedBy(device, phone)));
    clock.advance(60);
    const call = await renewalCall(app, phone, device);
    const answer = await device.enrol(call);
    expect(answer.status).toBe(200);
    expect(answer.json()['attestation']).toEqual({
      format: 'apple-appattest',
      at: clock.seconds,
      expiresAt: clock.seconds + 30 * 86_400,
    });
    expect(await counterOf(app, device)).toBe(2);
    // What needs no store is judged first: the counter was seen.
    expectRefusal(await device.enrol(call), 'attestation_rejected');
    expect(detailOf(app)).toMatch(/^counter: /);
    expectRefusal(await device.enrol({ ...call, challenge: await device.challenge() }), 'attestation_rejected');
    expect(detailOf(app)).toMatch(/^signature: /);
    expectAccepted(await device.replay(assertedBy(device, phone)));
    expect(await counterOf(app, device)).toBe(3);
  });

  it('is not renewed by a counter of before, another key, or an assertion that was made for a request', async () => {
    const { phone, device } = await enrolled(app, by);
    expectAccepted(await device.replay(assertedBy(device, phone)));
    const before = await storedOf(app, device);
    const low = await appleCall(app, phone, device, (binding) => ({
      assertion: phone.assert(binding, { counter: 1 }).toString('base64'),
    }));
    expectRefusal(await device.enrol(low), 'attestation_rejected');
    expect(detailOf(app)).toMatch(/^counter: /);
    const stranger = by.apple.createDevice(PRODUCTION);
    const foreign = await renewalCall(app, stranger, device);
    expectRefusal(await device.enrol(foreign), 'attestation_rejected');
    expect(detailOf(app)).toMatch(/^key-id: /);
    expectRefusal(
      await device.enrol({ ...foreign, statement: { ...(foreign.statement as object), keyId: phone.keyId } }),
      'attestation_rejected',
    );
    expect(detailOf(app)).toMatch(/^signature: /);
    const { token } = device.prepare({ target: '/attested/asserted' });
    const ofRequest = await appleCall(app, phone, device, () => ({
      assertion: phone.assert(tokenHash(token)).toString('base64'),
    }));
    expectRefusal(await device.enrol(ofRequest), 'attestation_rejected');
    expect(await storedOf(app, device)).toEqual(before);
  });

  it('is not renewed where nothing was attested', async () => {
    const { phone, device } = unpacked(app, by);
    await expectRejected(app, device, await renewalCall(app, phone, device), 'previous');
    await device.enrolled();
    expectRefusal(await device.enrol(await renewalCall(app, phone, device)), 'attestation_rejected');
    expect(detailOf(app)).toMatch(/^previous: /);
  });

  it('comes back from a suspension by an assertion over a new challenge, with clean evidence', async () => {
    const { phone, device } = await enrolled(app, by);
    const early = await renewalCall(app, phone, device);
    clock.advance(5);
    const hooked = { rt: { at: device.now, found: ['hooking'], clear: [], sdk: 'x/1' } };
    expectRefusal(await device.send({ target: '/attested', claims: hooked }), 'insufficient_trust');
    expectRefusal(await device.send({ target: '/attested' }), 'instance_suspended');
    clock.advance(5);
    const clean = { rt: { at: device.now, found: [], clear: ['hooking'], sdk: 'x/1' } };
    expectRefusal(await device.enrol({ ...early, claims: clean }), 'instance_suspended');
    const renewal = { ...(await renewalCall(app, phone, device)), claims: clean };
    expect((await device.enrol(renewal)).status).toBe(200);
    expectAccepted(await device.send({ target: '/attested' }));
  });

  it('counts until the attestation expires, and from its renewal on', async () => {
    const { phone, device } = await enrolled(app, by);
    clock.advance(30 * 86_400);
    expectRefusal(await device.send({ target: '/attested' }), 'use_tab_nonce');
    for (const target of ['/attested', '/attested/asserted']) {
      expectRefusal(await device.replay(assertedBy(device, phone, { target })), 'step_up_required');
    }
    expect((await device.enrol(await renewalCall(app, phone, device))).status).toBe(200);
    expectAccepted(await device.send({ target: '/attested' }));
    expectAccepted(await device.replay(assertedBy(device, phone)));
  });
});

/** Stores on a database file. */
async function sqliteStores(clock: () => number): Promise<{ stores: TabStoresFactory; close(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'tab-attestation-'));
  const dataSource = new DataSource({
    type: 'better-sqlite3',
    driver: sqliteDriver(),
    database: join(folder, 'tab.sqlite'),
    entities: [...TAB_ENTITIES],
    migrations: [...TAB_MIGRATIONS],
    migrationsRun: true,
  });
  await dataSource.initialize();
  return {
    stores: typeOrmStores({ dataSource, clock }),
    close: async () => {
      await dataSource.destroy();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const STORES = ['memory', 'SQLite'] as const;
const CASES = PLATFORMS.flatMap((platform) =>
  STORES.map((kind) => ({ name: `${platform.name}, ${kind}`, platform, kind })),
);

describe.each(CASES)('assertions on requests: $name', ({ platform, kind }) => {
  const by = createAuthorities();
  let app: TestApp;
  let close: () => Promise<void> = () => Promise.resolve();

  beforeAll(async () => {
    if (kind === 'memory') {
      app = await startAttested(platform, by, { tab: { stores: memoryStores({ clock: by.clock.read }) } });
      return;
    }
    const sqlite = await sqliteStores(by.clock.read);
    close = sqlite.close;
    app = await startAttested(platform, by, { tab: { stores: sqlite.stores } });
  });
  afterAll(async () => {
    await app.stop();
    await close();
  });

  it('one over the very token passes, and its counter is kept', async () => {
    const { phone, device } = await enrolled(app, by);
    expectAccepted(await device.replay(assertedBy(device, phone)));
    expect(await counterOf(app, device)).toBe(1);
    expectAccepted(await device.replay(assertedBy(device, phone)));
    const post = { method: 'POST', body: '{"amount":1}' };
    expectAccepted(await device.replay(assertedBy(device, phone, post)), 201);
    expect(await counterOf(app, device)).toBe(3);
  });

  it('counters may leave some out, and never come back to them', async () => {
    const { phone, device } = await enrolled(app, by);
    const withCounter = (counter: number) =>
      asserted(device, (hash) => [phone.assert(hash, { counter }).toString('base64')]);
    expectAccepted(await device.replay(withCounter(5)));
    for (const counter of [5, 4, 0]) {
      expectRefusal(await device.replay(withCounter(counter)), 'insufficient_trust');
      expect(detailOf(app)).toBe('assertion: counter');
    }
    expectAccepted(await device.replay(withCounter(0xffff_ffff)));
    expectRefusal(await device.replay(withCounter(0xffff_ffff)), 'insufficient_trust');
    expect(await counterOf(app, device)).toBe(0xffff_ffff);
  });

  it('a replay is told as a replay, and raises nothing', async () => {
    const { phone, device } = await enrolled(app, by);
    const prepared = assertedBy(device, phone);
    expectAccepted(await device.replay(prepared));
    expectRefusal(await device.replay(prepared), 'replayed_token');
    const once = assertedBy(device, phone, { method: 'POST' });
    expectAccepted(await device.replay(once), 201);
    expectRefusal(await device.replay(once), 'use_tab_nonce');
    expect(await counterOf(app, device)).toBe(2);
  });

  it('the assertion of one request is of no use to another', async () => {
    const { phone, device } = await enrolled(app, by);
    const { wire, token } = assertedBy(device, phone);
    const [, stolen = ''] = wire.headers.find(([name]) => name === 'TAB-Assertion') ?? [];
    expectRefusal(await device.replay(asserted(device, () => [stolen])), 'insufficient_trust');
    expect(detailOf(app)).toBe('assertion: signature');
    expect(await counterOf(app, device)).toBe(0);
    // It is still good for its own, which nobody has seen yet.
    expectAccepted(await device.replay({ token, wire }));
  });

  it('an assertion by another attested phone is of no use', async () => {
    const { device } = await enrolled(app, by);
    const other = await enrolled(app, by);
    expectRefusal(await device.replay(assertedBy(device, other.phone)), 'insufficient_trust');
    expect(detailOf(app)).toBe('assertion: signature');
    const clone = by.apple.createDevice({ ...PRODUCTION, appId: 'ABCDE12345.com.example.clone' });
    expectRefusal(await device.replay(assertedBy(device, clone)), 'insufficient_trust');
    expect(await counterOf(app, device)).toBe(0);
  });

  it.each<[string, (assertion: string) => readonly string[], string]>([
    ['none', () => [], 'assertion is missing'],
    ['an empty one', () => [''], 'assertion is ill-formed'],
    ['two', (assertion) => [assertion, assertion], 'assertion is ill-formed'],
    ['two in one', (assertion) => [`${assertion}, ${assertion}`], 'assertion is ill-formed'],
    ['base64url', (assertion) => [Buffer.from(assertion, 'base64').toString('base64url')], 'assertion is ill-formed'],
    ['2 KB', () => ['A'.repeat(2048)], 'assertion is ill-formed'],
    ['no CBOR', () => ['AAAA'], 'assertion: cbor'],
    [
      'its end cut off',
      (assertion) => [Buffer.from(assertion, 'base64').subarray(0, -8).toString('base64')],
      'assertion: cbor',
    ],
    [
      'octets after it',
      (assertion) => [Buffer.concat([Buffer.from(assertion, 'base64'), Buffer.of(0)]).toString('base64')],
      'assertion: cbor',
    ],
  ])('%s: refused, and the counter stays', async (_title, spoil, detail) => {
    const { phone, device } = await enrolled(app, by);
    const prepared = asserted(device, (hash) => spoil(phone.assert(hash).toString('base64')));
    const answer = await device.replay(prepared);
    expectRefusal(answer, 'insufficient_trust');
    expect(detailOf(app)).toBe(detail);
    expect(answer.body.toString()).not.toContain('assertion');
    expect(await counterOf(app, device)).toBe(0);
  });

  it('of ten requests at once with one counter, one passes', async () => {
    const { phone, device } = await enrolled(app, by);
    const prepared = Array.from({ length: 10 }, () =>
      asserted(device, (hash) => [phone.assert(hash, { counter: 7 }).toString('base64')]),
    );
    const answers = await Promise.all(prepared.map((each) => device.replay(each)));
    const accepted = answers.filter(({ status }) => status === 200);
    expect(accepted).toHaveLength(1);
    for (const answer of answers.filter((each) => !accepted.includes(each))) {
      expectRefusal(answer, 'insufficient_trust');
    }
    expect(await counterOf(app, device)).toBe(7);
  });

  it('a request that is refused for its token or its runtime raises no counter', async () => {
    const { phone, device } = await enrolled(app, by);
    const root = { rt: { at: device.now, found: ['root'], clear: [], sdk: 'x/1' } };
    expectRefusal(await device.replay(assertedBy(device, phone, { claims: root })), 'insufficient_trust');
    const changed = assertedBy(device, phone, { method: 'POST', body: '{"amount":1}' });
    const wire = { ...changed.wire, body: Buffer.from('{"amount":9}') };
    expectRefusal(await device.replay({ ...changed, wire }), 'request_mismatch');
    expect(await counterOf(app, device)).toBe(0);
  });

  it('an instance without App Attest is refused', async () => {
    const { phone } = await enrolled(app, by);
    const plain = await app.device({ app: IOS_APP }).enrolled();
    expectRefusal(await plain.replay(assertedBy(plain, phone)), 'step_up_required');
    const android = await app.device().enrolled();
    expectRefusal(await android.replay(assertedBy(android, phone)), 'step_up_required');
  });

  it('a revoked instance makes no assertion good', async () => {
    const { phone, device } = await enrolled(app, by);
    await app.nest.get(TabInstances, { strict: false }).revoke(device.id, 'reported stolen');
    expectRefusal(await device.replay(assertedBy(device, phone)), 'instance_revoked');
    expectRefusal(await device.enrol(await renewalCall(app, phone, device)), 'instance_revoked');
    expect(await counterOf(app, device)).toBe(0);
  });
});
