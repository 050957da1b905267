import { createHash } from 'node:crypto';
import type { AttestInput, ClientAttester } from 'nestjs-tab/defender';
import {
  createAndroidAttestationCa,
  createAppleAttestationCa,
  type AndroidAttestationCa,
  type AndroidAttestationRequest,
  type AppleAttestationCa,
} from 'nestjs-tab/testing';
import { ANDROID_APP, ANDROID_PACKAGE, APPLE_APP_ID, IOS_APP } from '../phones/phone-apps.js';
import type { DemoBank } from './demo-bank.js';
import { createDevice, type Device } from './device.js';

/** Synthetic authorities in place of Google and Apple, with keys of their own. */
export interface PhoneMakers {
  readonly google: AndroidAttestationCa;
  readonly apple: AppleAttestationCa;
}

/** What the phones of the demo have to do with the bank. */
type BankOfPhones = Pick<DemoBank, 'api' | 'clock' | 'phoneMakers'>;

/** @param clock milliseconds since the epoch */
export function createPhoneMakers(clock: () => number): PhoneMakers {
  return {
    google: createAndroidAttestationCa({ clock }),
    apple: createAppleAttestationCa({ clock: () => Math.floor(clock() / 1000) }),
  };
}

/** An Android phone with the bank's app on it; `change` says what is not as it should be. */
export function androidPhone(bank: BankOfPhones, change: Partial<AndroidAttestationRequest> = {}): Device {
  const attester: ClientAttester = {
    format: 'android-key',
    attest: (input) => ({
      x5c: bank.phoneMakers.google.attest({
        publicKey: input.publicKey,
        challenge: keylessBinding(bank.api, input),
        ...ANDROID_PACKAGE,
        ...change,
      }),
    }),
  };
  return createDevice(bank.api, { clock: bank.clock.now, app: ANDROID_APP, attester });
}

/** The binding without a thumbprint: Android wants the challenge before there is a key, and names the key by itself. */
function keylessBinding(api: string, { challenge, app }: AttestInput): Buffer {
  return createHash('sha256').update(['tab-enroll-v1', api, challenge, app.id, ''].join('\n')).digest();
}

/** An iPhone with the bank's app on it. What costs the phone some tens of milliseconds is made where it is asked for only. */
export function iPhone({ api, clock, phoneMakers }: BankOfPhones): Device {
  const phone = phoneMakers.apple.createDevice({ appId: APPLE_APP_ID, environment: 'production' });
  const attester: ClientAttester = {
    format: 'apple-appattest',
    attest: ({ binding }) => ({
      keyId: phone.keyId,
      attestationObject: phone.attest(binding).toString('base64'),
    }),
  };
  return createDevice(api, {
    clock: clock.now,
    app: IOS_APP,
    attester,
    assertion: (tokenHash, { url }) =>
      url.pathname === '/transfers/asserted' ? phone.assert(tokenHash).toString('base64') : undefined,
  });
}
