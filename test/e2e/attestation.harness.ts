import { createHash, createPublicKey, X509Certificate } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Controller, Get, Post } from '@nestjs/common';
import { RequireTrust, TabInstances, type AppInstance } from 'nestjs-tab';
import {
  androidKeyAttestation,
  appleAppAttest,
  type AndroidKeyAttestationOptions,
  type AppleAppAttestOptions,
} from 'nestjs-tab/attestation';
import {
  createAndroidAttestationCa,
  createAppleAttestationCa,
  type AndroidAttestationCa,
  type AndroidAttestationRequest,
  type AppleAttestationCa,
  type AppleDevice,
} from 'nestjs-tab/testing';
import { expect } from 'vitest';
import { BANK, FrozenClock, startApp, type TabSetup, type TestApp } from '../utils/http/app.js';
import type { Call, Device, EnrolCall, Prepared } from '../utils/http/client.js';
import { expectRefusal } from '../utils/http/expectations.js';
import type { Platform } from '../utils/http/platforms.js';
import type { Answer } from '../utils/http/wire.js';
import { OpenController } from './controllers.js';

/*
 * Attested clients, as the protocol describes them: what they compute shares no code with the library. The authorities that
 * attest them are synthetic ones.
 */

/** The Android app, and the iOS app of the same bank. */
export const ANDROID = BANK;
export const IOS = { id: 'com.example.bank.ios', platform: 'ios', allowUnattested: true } as const;
export const IOS_APP = { id: IOS.id, ver: '2.1.0', platform: IOS.platform };
export const APP_ID = 'ABCDE12345.com.example.bank';
export const PACKAGE = 'com.example.bank';
export const DIGEST = 'ab'.repeat(32);

/** Routes that ask for what attestation proves. */
@RequireTrust({ session: 'none' })
@Controller('attested')
export class AttestedController {
  @RequireTrust({ keyBound: true })
  @Get()
  read(): object {
    return { handler: 'key-bound' };
  }

  @RequireTrust({ assurance: 'tee' })
  @Get('tee')
  tee(): object {
    return { handler: 'tee' };
  }

  @RequireTrust({ assurance: 'strongbox' })
  @Get('strongbox')
  strongbox(): object {
    return { handler: 'strongbox' };
  }

  @RequireTrust({ assertion: true })
  @Get('asserted')
  asserted(): object {
    return { handler: 'asserted' };
  }

  @RequireTrust({ assertion: true, challenge: 'single-use' })
  @Post('asserted')
  once(): object {
    return { handler: 'asserted once' };
  }
}

/** Authorities of one run, by the clock of the application. */
export interface Authorities {
  readonly clock: FrozenClock;
  readonly google: AndroidAttestationCa;
  readonly apple: AppleAttestationCa;
}

/** Makes them. */
export function createAuthorities(): Authorities {
  const clock = new FrozenClock();
  return {
    clock,
    google: createAndroidAttestationCa({ clock: clock.read }),
    apple: createAppleAttestationCa({ clock: () => clock.seconds }),
  };
}

/** What differs from a bank that trusts the synthetic authorities, in production, and knows of no withdrawn certificate. */
export interface AttestedSetup {
  readonly android?: Partial<AndroidKeyAttestationOptions>;
  readonly ios?: Partial<Extract<AppleAppAttestOptions, { appId: string }>>;
  readonly tab?: Exclude<TabSetup, (...args: never) => unknown>;
}

/** Starts an application with both apps. */
export function startAttested(platform: Platform, by: Authorities, setup: AttestedSetup = {}): Promise<TestApp> {
  const android = { packageName: PACKAGE, signatureDigests: [DIGEST], roots: [by.google.root] };
  const ios = { appId: APP_ID, environment: 'production', roots: [by.apple.root] } as const;
  const apps = [
    { ...ANDROID, attestation: [androidKeyAttestation({ ...android, revocation: 'unchecked', ...setup.android })] },
    { ...IOS, attestation: [appleAppAttest({ ...ios, ...setup.ios })] },
  ].map((app) => ({ ...app, suspendOn: ['hooking'] as const }));
  const controllers = [AttestedController, OpenController];
  return startApp(platform, { clock: by.clock, controllers, tab: { apps, ...setup.tab } });
}

/** PROTOCOL section 5; without a thumbprint for evidence that is made together with its key. */
export function bindingOf({ origin }: TestApp, challenge: string, appId: string, thumbprint = ''): Buffer {
  return createHash('sha256').update(['tab-enroll-v1', origin, challenge, appId, thumbprint].join('\n')).digest();
}

/** The enrolment of an Android device whose key is this one. */
export async function androidCall(
  app: TestApp,
  ca: AndroidAttestationCa,
  device: Device,
  change: Partial<AndroidAttestationRequest> = {},
): Promise<EnrolCall & { readonly challenge: string; readonly x5c: readonly string[] }> {
  const challenge = await device.challenge();
  const x5c = ca.attest({
    publicKey: createPublicKey(device.key.privateKey),
    challenge: bindingOf(app, challenge, device.app.id),
    packageName: PACKAGE,
    signatureDigest: DIGEST,
    ...change,
  });
  return { challenge, format: 'android-key', statement: { x5c }, x5c };
}

/** The enrolment of an iPhone whose App Attest key is this one, or by an assertion of that key. */
export async function appleCall(
  app: TestApp,
  phone: AppleDevice,
  device: Device,
  make: (binding: Buffer) => object = (binding) => ({ attestationObject: phone.attest(binding).toString('base64') }),
): Promise<EnrolCall & { readonly challenge: string; readonly statement: object }> {
  const challenge = await device.challenge();
  const evidence = make(bindingOf(app, challenge, device.app.id, device.key.thumbprint));
  return { challenge, format: 'apple-appattest', statement: { keyId: phone.keyId, ...evidence } };
}

/** Renewal: an assertion over the new binding. */
export function renewalCall(app: TestApp, phone: AppleDevice, device: Device): Promise<EnrolCall> {
  return appleCall(app, phone, device, (binding) => ({ assertion: phone.assert(binding).toString('base64') }));
}

/** SHA-256 of the compact token: what an assertion on a request covers. */
export function tokenHash(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/** A request with the assertion headers that `make` makes for its token. */
export function asserted(device: Device, make: (hash: Buffer) => readonly string[], call: Call = {}): Prepared {
  const { token, wire } = device.prepare({ target: '/attested/asserted', ...call });
  const fields = make(tokenHash(token)).map((value) => ['TAB-Assertion', value] as const);
  return { token, wire: { ...wire, headers: [...wire.headers, ...fields] } };
}

/** A request with its assertion, as an iPhone sends it. */
export function assertedBy(device: Device, phone: AppleDevice, call: Call = {}): Prepared {
  return asserted(device, (hash) => [phone.assert(hash).toString('base64')], call);
}

/** What the server keeps of a key. */
export function storedOf(app: TestApp, device: Device): Promise<AppInstance | undefined> {
  return app.nest.get(TabInstances, { strict: false }).get(device.id);
}

/** The newest decision record's reason. */
export function detailOf(app: TestApp): string {
  return app.decisions.at(-1)?.detail ?? '';
}

/**
 * Ensures that evidence was refused by this check, that nothing but the operator's record says so, and that nothing is
 * stored and no challenge spent.
 */
export async function expectRejected(app: TestApp, device: Device, call: EnrolCall, check: string): Promise<void> {
  const before = app.storeCalls.filter((name) => name !== 'load').length;
  const answer = await device.enrol(call);
  // The body has the members of every refusal, and not one more.
  expectRefusal(answer, 'attestation_rejected');
  expect(detailOf(app)).toMatch(new RegExp(`^${check}: `));
  expect(app.storeCalls.filter((name) => name !== 'load')).toHaveLength(before);
  expect(await storedOf(app, device)).toBeUndefined();
}

/** Serials of a chain, as Google's list writes them: hex without padding. */
export function serialsOf(x5c: readonly string[]): string[] {
  return x5c.map((der) => BigInt(`0x${new X509Certificate(Buffer.from(der, 'base64')).serialNumber}`).toString(16));
}

/** A server of the list of withdrawn certificates, on loopback. */
export interface StatusServer {
  readonly url: string;
  /** Answered from now on; undefined: 500. */
  entries: Readonly<Record<string, { readonly status: string }>> | undefined;
  calls: number;
  stop(): Promise<void>;
}

/** Starts it with an empty list. */
export async function startStatusServer(): Promise<StatusServer> {
  const server = createServer((_request, reply) => {
    status.calls += 1;
    reply.writeHead(status.entries === undefined ? 500 : 200, { 'Content-Type': 'application/json' });
    reply.end(JSON.stringify({ entries: status.entries }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const status: StatusServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/status`,
    entries: {},
    calls: 0,
    stop: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return status;
}

/** Ensures that a text quotes no piece of evidence: the middle of each part stands for it. */
export function expectSilent(text: string, parts: readonly string[]): void {
  for (const part of parts) expect(text).not.toContain(part.slice(part.length / 2, part.length / 2 + 24));
}

/** The instance as the answer to an enrolment describes it. */
export function described(answer: Answer): { status: number; assurance: unknown; format: unknown } {
  const { assurance, attestation } = answer.json() as { assurance: unknown; attestation?: { format: unknown } };
  return { status: answer.status, assurance, format: attestation?.format };
}
